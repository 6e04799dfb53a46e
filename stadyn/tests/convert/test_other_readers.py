# SPDX-License-Identifier: GPL-3.0-or-later
"""What an installed reader makes of a known pose: transposed, displaced, right, or not to be asked."""

import numpy as np
import pytest

from stadyn.convert.other_readers import SHIFT, Reader
from stadyn.core.rotations import matrices_from_dynamo

ROTATION = matrices_from_dynamo(30.0, 60.0, 75.0)


def matrix(rotation, shift):
    """(4, 4) as Scipion keeps a particle: the inverse, from the box to the reference."""
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation.T, -rotation.T @ shift
    return pose


def faults(answer):
    def asks(module, tomogram):
        return answer(), ROTATION

    return Reader("a-package", "json", asks, "tables").faults(None)


@pytest.mark.parametrize(
    ("rotation", "shift", "wrong"),
    [
        (ROTATION, np.array(SHIFT), (False, False)),
        (ROTATION, np.zeros(3), (False, False)),
        (ROTATION.T, np.zeros(3), (True, False)),
        (ROTATION, -np.array(SHIFT), (False, True)),
    ],
)
def test_a_reader_that_turns_or_moves_is_told(rotation, shift, wrong):
    assert faults(lambda: matrix(rotation, shift)) == wrong


@pytest.mark.parametrize("error", [AttributeError("renamed"), TypeError("other arguments"), KeyError("rlnOther")])
def test_of_a_version_that_cannot_be_asked_nothing_is_said(error):
    def answer():
        raise error

    assert faults(answer) == (False, False)


def test_of_a_package_that_is_not_installed_nothing_is_said():
    assert Reader("a-package", "no_such_package_at_all", None, "tables").faults(None) == (False, False)
