# SPDX-License-Identifier: GPL-3.0-or-later
"""The help of every protocol begins with what to look at once it has run."""

import re

import pwem
import pytest
from pyworkflow.viewer import DESKTOP_TKINTER

PROTOCOLS = {name: cls for name, cls in pwem.Domain.getProtocols().items() if cls.__module__.split(".")[0] == "stadyn"}


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
class TestHelp:
    """The text behind the form's help button."""

    def test_begins_with_what_to_look_at_and_what_is_good_and_bad(self, name):
        first = " ".join(PROTOCOLS[name].getHelpText().split("\n\n")[0].split())
        assert re.match(r"Afterwards look at (the )?\*", first)
        good, bad = first.index("Good: "), first.index("Bad: ")
        assert good < bad and re.search(r"\d", first), "no number to go by"

    def test_names_pictures_that_the_viewer_has(self, name):
        found = pwem.Domain.findViewers(name, DESKTOP_TKINTER)
        labels = {"summary"}
        labels |= {picture.label for viewer in found for group in viewer._sections.values() for picture in group}
        first = " ".join(PROTOCOLS[name].getHelpText().split("\n\n")[0].split())
        wanted = set(re.findall(r"\*([^*]+)\*", first)) - {"Point"}
        assert wanted and wanted <= labels, wanted - labels

    def test_then_says_what_it_does_and_what_dynamo_and_the_paper_have(self, name):
        text = PROTOCOLS[name].getHelpText()
        assert "  " not in text, "the host shows indents as they are"
        assert max(map(len, text.splitlines())) <= 84, "the window is as high as there are lines"
        assert all(line.count("*") % 2 == 0 for line in text.splitlines()), "the host knows bold only within a line"
        _, *rest = PROTOCOLS[name].getHelpText().split("\n\n")
        assert len(rest) == 2 and len(rest[0]) > 100
        assert re.match(r"\s*Dynamo: .+ Paper: .+", " ".join(rest[1].split()))
