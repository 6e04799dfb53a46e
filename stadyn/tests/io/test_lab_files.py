# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of other packages as they lie on the disks of labs: odd headings, layouts, numbers of bytes and binnings."""

import numpy as np
import pytest

from stadyn.core.errors import InputError
from stadyn.io.imod_models import write_model
from stadyn.io.tables import format_of, read_particles

PEET_HEADING = (
    "CCC,reserved,reserved,pIndex,wedgeWT,NA,NA,NA,NA,NA,xOffset,yOffset,zOffset,NA,NA,reserved,"
    "EulerZ(1),EulerZ(3),EulerX(2),reserved,CREATED WITH PEET Version 1.14.0 21-Feb-2020\n"
)


def turn(axis, angle_deg):
    """The right-handed matrix about x (0) or z (2)."""
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]] if axis == 0 else [[c, -s, 0], [s, c, 0], [0, 0, 1]])


def peet_list(path, heading=PEET_HEADING):
    path.write_text(heading + "0.5,0.0,0,4,1,0,0,0,0,0, 0.5,-0.25,0.75,0,0,0,10,30,20,0\n")
    write_model(path.with_name(path.stem.split("_MOTL")[0] + ".mod"), np.array([[100.5, 200.5, 50.0]]))
    return path


@pytest.mark.parametrize("heading", [PEET_HEADING, PEET_HEADING.rpartition(",")[0] + "\n", ""])
def test_peet_lists_with_the_headings_of_its_versions(tmp_path, heading):
    path = peet_list(tmp_path / "TS_01.csv", heading)
    assert format_of(path) == "peet"
    read = read_particles(path)
    np.testing.assert_allclose(read.particles.positions, [[100.5, 199.75, 50.75]])
    np.testing.assert_allclose(read.particles.rotations[0], turn(2, 30) @ turn(0, 20) @ turn(2, 10), atol=1e-12)
    assert not read.messages  # zeros say nothing, however they are written


def test_two_iterations_of_a_peet_run_are_not_read_as_twice_the_particles(tmp_path):
    first, second = (peet_list(tmp_path / f"TS_01_MOTL_Tom1_Iter{i}.csv") for i in (1, 2))
    with pytest.raises(InputError, match="both list the particles of .*TS_01.mod: name one of them"):
        read_particles(tmp_path)
    assert len(read_particles(second).particles) == 1
    (tmp_path / "TS_01.mod").unlink()
    with pytest.raises(InputError, match="needs the IMOD model of its particles beside it: copy it there as TS_01.mod"):
        read_particles(first)
