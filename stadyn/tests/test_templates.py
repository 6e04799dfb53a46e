# SPDX-License-Identifier: GPL-3.0-or-later
"""The templates that are shipped: their parameters and outputs exist, and the host fills them as we do."""

import json
import re

import pytest
import pyworkflow
from pyworkflow.template import LocalTemplate

from stadyn.core.errors import InputError
from stadyn.workflow import PATH, SUFFIX, TEMPLATES, Field, find_workflow, read_workflow

NAMES = sorted(path.name.removesuffix(SUFFIX) for path in TEMPLATES.glob(f"*{SUFFIX}"))


@pytest.fixture(scope="module")
def known():
    """{class name: protocol} as the host finds them."""
    return pyworkflow.Config.getDomain().getProtocols()


@pytest.fixture
def answers(tmp_path):
    """What every template must be told."""
    (tmp_path / "tomograms.vll").write_text("")
    (tmp_path / "dipoles.csv").write_text("")
    return {"tomograms": str(tmp_path / "tomograms.vll"), "dipoles": str(tmp_path / "dipoles.csv"), "symmetry": "C3"}


def asked(name, answers):
    """The answers that a template asks for: one needs no dipoles."""
    return {alias: value for alias, value in answers.items() if alias in read_workflow(name).fields}


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_and_output_exists(known, answers, name):
    protocols = read_workflow(name).filled(asked(name, answers))
    by_id = {protocol["object.id"]: known[protocol["object.className"]]() for protocol in protocols}
    assert len(by_id) == len(protocols)
    for protocol in protocols:
        form = by_id[protocol["object.id"]]
        for key, value in protocol.items():
            if key.startswith("object."):
                continue
            attribute = getattr(form, key)  # an unknown parameter would be ignored in silence by the host
            links = value if isinstance(value, list) else [value] if attribute.isPointer() else []
            for owner, output in (link.split(".") for link in links if link):
                outputs = [getattr(o, "name", o) for o in by_id[owner].getPossibleOutputs()]
                assert output in outputs, f"{protocol['object.label']}: {key}"


@pytest.mark.parametrize("name", NAMES)
def test_the_host_fills_it_alike(answers, name):
    template = LocalTemplate("stadyn", str(find_workflow(name)))
    template.replaceEnvVariables()
    template.parseContent()
    fields = template.getContent()[1::2]
    # The host keeps fields by their label: two of one label, and one of them is never filled.
    assert len(template.getParams()) == len(fields)
    for alias, value in asked(name, answers).items():
        assert template.setParamValue(alias, value) >= 1
    template._replaceFields()
    assert json.loads("".join(template.getContent())) == read_workflow(name).filled(asked(name, answers))


@pytest.mark.parametrize("name", NAMES)
def test_it_tells_all_nine_steps_and_asks_lengths_in_angstrom(name):
    text = find_workflow(name).read_text()
    labels = re.findall(r'"object.label": "(\d)', text)
    assert labels == sorted(labels) and set(labels) == set("123456789")
    assert not re.search(r"\bpx\b|pixels\)", text)
    fields = read_workflow(name).fields
    for alias in ("pixel_size", "spacing", "box", "final_box", "lattice_spacing"):
        assert "(Å)" in fields[alias].label


def test_a_path_that_no_system_opens_is_not_looked_for(monkeypatch):
    """A file of 20,000 brackets kept glob busy for longer than anyone waits."""
    monkeypatch.setattr("stadyn.workflow.glob.glob", lambda pattern: pytest.fail(f"{len(pattern)} characters"))
    with pytest.raises(InputError, match="no such path"):
        Field("Tomograms", "", PATH, "tomograms").parse("[" * 5000)
