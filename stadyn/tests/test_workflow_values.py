# SPDX-License-Identifier: GPL-3.0-or-later
"""Workflows edited by hand: what cannot be is said before anything runs, and never taken for something else."""

import pytest

from stadyn import host
from stadyn.core.errors import InputError
from stadyn.workflow_values import check_values, strangers

IMPORT = {"object.className": "StadynProtImportTomograms", "object.id": "2", "object.label": "1 Import"}
MESHES = {"object.className": "StadynProtImportDipoles", "object.id": "3", "inputTomograms": "2.tomograms"}
ALIGN = {"object.className": "StadynProtAlign", "object.id": "5", "object.label": "3 Align", "inputMask": ""}
JOIN = {"object.className": "StadynProtSplitHalves", "object.id": "7", "object.label": "7 Join"}


def check(*protocols):
    check_values("w.json", protocols, host.known_protocols())


@pytest.mark.parametrize(
    "protocol, sentence",
    [
        ({**IMPORT, "pixelSize": "abc"}, "w.json: 1 Import: pixelSize 'abc' is not a number"),
        ({**IMPORT, "pixelSize": [1, 2]}, "pixelSize '[1, 2]' is not a number"),
        ({**IMPORT, "pixelSize": {"a": 1}}, "is not a number"),
        ({**IMPORT, "ctfCorrected": "perhaps"}, "ctfCorrected 'perhaps' is neither true nor false"),
        ({**IMPORT, "ctfCorrected": 2}, "neither true nor false"),
        ({**IMPORT, "listFile": ["a"]}, "is not text"),
        ({**ALIGN, "seed": 10**30}, "is too large"),
        ({**ALIGN, "seed": "10000000000000000000000"}, "is too large"),
        ({**ALIGN, "seed": 1.5}, "is not an integer"),
        ({**ALIGN, "seed": "2.0"}, "is not an integer"),
        ({**ALIGN, "inputMask": "99.mask"}, "3 Align: inputMask '99.mask' leads to none of the protocols"),
        ({**ALIGN, "inputMask": 2}, "leads to none of the protocols"),
        ({**ALIGN, "inputMask": "5.average"}, "leads to the protocol itself"),
        ({**ALIGN, "inputMask": "2.tomogram"}, "no output of StadynProtImportTomograms, which has: tomograms"),
        ({**JOIN, "inputParticles": ["2.tomograms", "98.particles"]}, "leads to none of the protocols"),
        ({**JOIN, "inputParticles": "2.tomograms"}, "is not a list"),
        ({**ALIGN, "object.id": "2"}, "3 Align: its object.id 2 is another protocol's too"),
    ],
)
def test_what_cannot_be_is_one_sentence(protocol, sentence):
    with pytest.raises(InputError) as error:
        check(*([] if "Import" in protocol["object.label"] else [IMPORT]), protocol)
    assert sentence in str(error.value)


def test_what_the_host_exports_and_templates_hold_is_taken():
    mesh = {**MESHES, "inputPoints": None}
    align = {**ALIGN, "inputParticles": "", "seed": "7", "useGpu": "False", "numberOfThreads": 2.0, "highpass": "0"}
    join = {**JOIN, "inputParticles": ["5.particles", "5.particles"], "exclusionRadius": "4e1"}
    check({**IMPORT, "pixelSize": "5.4", "tiltMin": -60, "ctfCorrected": True}, mesh, align, join)


def test_a_number_may_be_what_another_protocol_gives():
    box = {"object.className": "ProtBoxSizeParameters", "object.id": "4"}
    check(box, {**ALIGN, "boxSize": "4.boxSize"})


def test_the_name_that_was_meant_is_said():
    (said,) = strangers({**IMPORT, "_useQueue": True, "tiltMn": -40}, {"tiltMin", "tiltMax"})
    assert said.endswith("has no parameter tiltMn, '-40' is not used; is tiltMin meant?")
