# SPDX-License-Identifier: GPL-3.0-or-later
"""The host finds every protocol, viewer and wizard; their forms open, and empty forms are answered, not crashed on."""

import inspect
import json
import os
import re
from configparser import ConfigParser
from pathlib import Path

import pwem
import pytest
from PIL import Image
from pyworkflow.protocol import params

import stadyn
from stadyn.protocols.base import StadynProtocol

FOLDER = Path(stadyn.__file__).parent


def written(folder, pattern):
    """Names of the classes that the files of a folder (or one file) define, by `pattern`."""
    files = sorted(folder.glob("*.py")) if folder.is_dir() else [f for f in [folder] if f.exists()]
    return sorted(name for file in files for name in re.findall(pattern, file.read_text(), re.M))


def ours(classes):
    """The classes of this package among those of the host."""
    return {name: cls for name, cls in classes.items() if cls.__module__.split(".")[0] == "stadyn"}


PROTOCOLS = ours(pwem.Domain.getProtocols())


def test_every_protocol_that_is_written_is_found():
    assert sorted(PROTOCOLS) == written(FOLDER / "protocols", r"^class (StadynProt\w+)\(StadynProtocol")
    assert len(PROTOCOLS) >= 18 and StadynProtocol.__name__ not in PROTOCOLS


def test_every_viewer_that_is_written_is_found():
    assert sorted(ours(pwem.Domain.getViewers())) == written(FOLDER / "viewers", r"^class (Stadyn\w+Viewer)\(")


def test_every_wizard_that_is_written_is_found():
    assert sorted(ours(pwem.Domain.getWizards())) == written(FOLDER / "wizards.py", r"^class (Stadyn\w+Wizard)\(")


def test_plugin_is_known_by_name_icon_and_literature():
    module = pwem.Domain.getPlugins()["stadyn"]
    assert module._pluginInstance.getName() == "stadyn"
    assert module._pluginInstance.getPath() == str(FOLDER)
    with Image.open(FOLDER / stadyn._logo) as icon:
        assert icon.size == (64, 64)
    assert set(stadyn._references) <= set(module._bibtex)


def protocols_of_the_tree():
    """Names in protocols.conf, each with the section it stands in."""
    parser = ConfigParser()
    parser.optionxform = str
    parser.read(FOLDER / "protocols.conf")
    (menu,) = json.loads(parser.get("PROTOCOLS", "Tomography"))
    return [(section["text"], entry["value"]) for section in menu["children"] for entry in section["children"]]


def test_tree_has_every_protocol_in_the_nine_steps():
    entries = protocols_of_the_tree()
    assert {name for _, name in entries} == set(PROTOCOLS)
    numbers = list(dict.fromkeys(text.split(".")[0] for text, _ in entries if text[0].isdigit()))
    assert numbers == [str(i) for i in range(1, 10)]


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
class TestForm:
    """What every form must hold to."""

    def test_opens_and_every_parameter_explains_itself(self, name):
        protocol = PROTOCOLS[name]()
        host = {"runName", "runMode", "hostName", "numberOfThreads", "gpuList", "useGpu", "runQueue", "expertLevel"}
        for key, param in protocol.getDefinition().iterParams():
            if key in host or isinstance(param, params.Line):
                continue
            assert param.label.get(), f"{key} has no label"
            text = param.help.get() or ""
            assert len(text) > 15, f"{key} is not explained"

    def test_empty_form_is_answered(self, name):
        protocol = PROTOCOLS[name]()
        assert isinstance(protocol._validate(), list)
        for method in (protocol._warnings, protocol._summary, protocol._methods, protocol._citations):
            assert isinstance(method(), list)

    def test_cites_what_the_bibliography_knows(self, name):
        assert set(PROTOCOLS[name]()._citations()) <= set(pwem.Domain.getPlugins()["stadyn"]._bibtex)

    def test_declares_outputs_and_its_purpose(self, name):
        cls = PROTOCOLS[name]
        assert len(list(cls._possibleOutputs)) > 0 and cls._label
        assert len(inspect.getdoc(cls)) > 60

    def test_says_which_steps_need_a_gpu(self, name):
        source = Path(inspect.getfile(PROTOCOLS[name])).read_text()
        calls = re.findall(r"_insertFunctionStep\((.*?)\)\n", source, re.S)
        assert calls and all("needsGPU" in call for call in calls), os.path.basename(inspect.getfile(PROTOCOLS[name]))
