# SPDX-License-Identifier: GPL-3.0-or-later
"""Models as points, from the three formats."""

import numpy as np
import pytest

from stadyn.core.errors import InputError
from stadyn.core.simulation_model import PointCloud, render_map
from stadyn.io.models import read_model
from stadyn.io.mrc import write_volume

PDB = """\
ATOM      1  N   MET A   1      10.000  -2.000   3.000  1.00  0.00           N
ATOM      2  CA  MET A   1      12.000  -4.000   5.000  1.00  0.00           C
ATOM      3  H   MET A   1      50.000  50.000  50.000  1.00  0.00           H
ATOM      4  CA  GLY A   2      20.000   1.000  -7.500  1.00  0.00           C
HETATM    5  O   HOH A   3      90.000  90.000  90.000  1.00  0.00           O
ENDMDL
ATOM      6  CA  GLY A   9      70.000   1.000  -7.500  1.00  0.00           C
"""

MMCIF = """\
data_test
loop_
_atom_site.group_PDB
_atom_site.type_symbol
_atom_site.label_asym_id
_atom_site.label_seq_id
_atom_site.Cartn_x
_atom_site.Cartn_y
_atom_site.Cartn_z
_atom_site.pdbx_PDB_model_num
ATOM N A 1 10.0 -2.0 3.0 1
ATOM C A 1 12.0 -4.0 5.0 1
ATOM H A 1 50.0 50.0 50.0 1
ATOM C A 2 20.0 1.0 -7.5 1
HETATM O B . 90.0 90.0 90.0 1
ATOM C A 2 70.0 1.0 -7.5 2
#
"""


@pytest.mark.parametrize("name, text", [("unit.pdb", PDB), ("unit.cif", MMCIF)])
def test_residues_of_atoms(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    points, weights, sigma = read_model(path, 5.4)
    assert points == pytest.approx(np.array([[11, -3, 4], [20, 1, -7.5]]))
    assert weights == pytest.approx(np.array([2, 1]) / 7.8) and sigma > 0


def test_voxels_of_a_map_keep_place_and_axis_order(tmp_path):
    cloud = PointCloud(np.array([[12.0, -18.0, 24.0]]), np.ones(1), 5.0)
    write_volume(tmp_path / "unit.mrc", render_map(cloud, 32, 3.0), 3.0)
    points, weights, _ = read_model(tmp_path / "unit.mrc", 6.0)
    assert np.average(points, axis=0, weights=weights) == pytest.approx([12, -18, 24], abs=0.3)


def test_other_files_are_refused_by_name(tmp_path):
    broken = PDB.replace("10.000", "xx.xxx")
    for name, text, named in (("a.txt", "x", "neither"), ("a.pdb", "REMARK", "no ATOM"), ("b.pdb", broken, "line 1")):
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match=f"{name}.*{named}"):
            read_model(tmp_path / name, 5.4)
