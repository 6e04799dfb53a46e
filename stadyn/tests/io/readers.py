# SPDX-License-Identifier: GPL-3.0-or-later
"""Every reader of files, with small valid files for it, and what must hold of anything that it reads."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from stadyn.core.fsc import FSCCurve
from stadyn.core.tomograms import Dipole
from stadyn.io.convergence import read_convergence
from stadyn.io.dipoles import read_dipoles, write_dipoles
from stadyn.io.dynamo_models import read_dynamo_dipoles
from stadyn.io.em import write_em
from stadyn.io.imod import read_imod_dipoles
from stadyn.io.imod_models import write_model
from stadyn.io.markers import read_markers, write_cmm
from stadyn.io.models import read_model
from stadyn.io.mrc import open_volume, read_header, read_volume, write_volume
from stadyn.io.particle_files import Context
from stadyn.io.results import read_result, write_result
from stadyn.io.settings import check_keys, read_settings, write_json
from stadyn.io.star import write_star
from stadyn.io.tables import read_particles, write_particles
from stadyn.io.tomogram_lists import read_tomogram_list
from stadyn.workflow import read_workflow

from .matlab_bytes import dipole_model
from .planted_particles import CONTEXT, thousand

SIX = thousand(6)
ONE = SIX.select(SIX.particles.tomogram_ids == "TS_01")
AXES = "XYZ"
CLICKS = [((11, 21, 31), (11, 61, 31)), ((5, 6, 7), (9, 6, 7))]


@dataclass(frozen=True)
class Reader:
    """A reader, and the files that it is tried on."""

    main: str  # name of the file, or folder, that it is given
    write: tuple  # of functions (folder) that each write one valid set of files
    read: Callable  # (path); raises InputError, and AssertionError where it read what cannot be


def tables(main, *writers, format_name=None):
    """A `Reader` of particles."""
    return Reader(main, writers, lambda path: read_table(path, format_name))


def read_table(path, format_name=None):
    """Read particles with the list of tomograms beside them, if there is one, and look at what was read."""
    beside = path.parent / "tomograms.star"
    context = Context(read_tomogram_list(beside), pixel_size=5.4) if beside.exists() else Context()
    file = read_particles(path, format_name, context)
    table, n = file.particles, len(file.particles)
    assert n and np.isfinite(table.positions).all()
    assert np.abs(table.rotations @ np.swapaxes(table.rotations, 1, 2) - np.eye(3)).max() < 1e-6
    assert (np.linalg.det(table.rotations) > 0).all() and np.isin(table.half, (0, 1, 2)).all()
    assert table.classes.shape == (n,)
    assert all(0 < size < np.inf for size in file.pixel_sizes.values())
    assert not any("\n" in message for message in file.messages)


def write_table(main, file=SIX, format_name=None, listed=False):
    """A writer of one of the formats, with the list of tomograms that some need."""

    def write(folder):
        write_particles(folder / main, file, format_name, CONTEXT)
        if listed:
            write_tomograms(folder)

    return write


def write_text(main, text):
    """A writer of a text as it is."""
    return lambda folder: (folder / main).write_text(text, encoding="utf-8")


def write_tomograms(folder):
    """RELION's list of the two tomograms, with the tilts of one."""
    sizes = {f"rlnTomoSize{axis}": np.array([n, n]) for axis, n in zip(AXES, (960, 928, 401), strict=True)}
    names, series = np.array(["TS_01", "TS_07"]), np.array(["TS_01.star", "TS_07.star"])
    columns = {"rlnTomoName": names, "rlnTomoTiltSeriesPixelSize": np.array([5.4, 5.4]), **sizes}
    write_star(folder / "tomograms.star", {"global": {**columns, "rlnTomoTiltSeriesStarFile": series}})
    write_star(folder / "TS_01.star", {"TS_01": {"rlnTomoNominalStageTiltAngle": np.arange(-45.0, 61, 15)}})


def dynamo_of(columns, complex_cells=False):
    """A writer of a Dynamo table cut or filled to so many columns."""

    def write(folder):
        write_particles(folder / "p.tbl", SIX, None, CONTEXT)
        rows = [(line.split() + ["0"] * 42)[:columns] for line in (folder / "p.tbl").read_text().splitlines()]
        if complex_cells:
            rows = [[*row[:9], "1.5+0i", *row[10:]] for row in rows]
        (folder / "p.tbl").write_text("".join(" ".join(row) + "\n" for row in rows))

    return write


def write_data_folder(folder):
    """Dynamo's folder of particles."""
    (folder / "data").mkdir()
    write_particles(folder / "data" / "crop.tbl", ONE, "dynamo", CONTEXT)
    write_em(folder / "data" / f"particle_{ONE.particles.ids[0]:05d}.em", np.zeros((2, 2, 2)))


def write_doc_with_volume(main, text):
    """A writer of a list of tomograms, one of which is there."""

    def write(folder):
        (folder / main).write_text(text)
        write_volume(folder / "TS_01.mrc", np.zeros((2, 3, 4)), 5.4)

    return write


def write_noise(main, shape=(3, 4, 5), dtype=np.float32):
    """A writer of a volume of noise."""

    def write(folder):
        volume = np.random.default_rng(1).normal(0, 9, shape).astype(dtype)
        write_em(folder / main, volume) if main.endswith(".em") else write_volume(folder / main, volume, 5.4)

    return write


def read_volumes(path):
    """All that is asked of a volume."""
    header, volume = read_header(path), open_volume(path, 0)
    assert volume.shape == header.shape and min(header.shape) > 0 and header.pixel_size < np.inf
    assert np.isfinite(read_volume(path)).all()


def read_workflows(path):
    """A workflow, with the defaults in its fields."""
    workflow = read_workflow(path)
    assert workflow.filled({})


def read_convergence_of(path):
    """The record of an alignment in the folder of a file."""
    read_convergence(path.parent)


def read_job_settings(path):
    """The settings of a job, kinds and all."""
    check_keys(read_settings(path), ("rounds", "seed", "gpu", "reference"), ("output", "box_angst"), f"settings {path}")


def read_any_points(path):
    """A model as points."""
    points, weights, sigma = read_model(path, 5.4)
    assert len(points) == len(weights) and np.isfinite(points).all() and np.isfinite(weights).all() and sigma >= 0


RELION_31 = (
    "\n# version 30001\n\ndata_optics\n\nloop_\n_rlnOpticsGroup #1\n_rlnImagePixelSize #2\n1 5.4\n\ndata_particles\n\n"
    "loop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n_rlnCoordinateZ #4\n_rlnAngleRot #5\n"
    "_rlnAngleTilt #6\n_rlnAnglePsi #7\n_rlnOriginXAngst #8\n_rlnOriginYAngst #9\n_rlnOriginZAngst #10\n"
    "_rlnOpticsGroup #11\nTS_01.tomostar 10 20.5 30 1 2 3 0.5 0 -1 1\n'TS_07.tomostar' 40 50 60 -170 90 3e1 0 0 0 1\n"
)
RELION_30 = (
    "data_\nloop_\n_rlnMicrographName\n_rlnMagnification\n_rlnDetectorPixelSize\n_rlnCoordinateX\n_rlnCoordinateY\n"
    "_rlnCoordinateZ\n_rlnOriginX\n_rlnOriginY\n_rlnOriginZ\nTS_01.mrc 10000 5.4 10 20 30 1 0 -1\n"
)
BOXES = {"apix_unbin": 5.4, "boxes_3d": [[1, 2, 3, "manual", 0.5, 1], [-4, 5.5, 6, "tomobox", 0.1, 0]]}
DOC = "# list\n1 TS_01.mrc\n7\tTS_07.mrc\n"
VLL = "TS_01.mrc\n* label = one\n* index = 1\n* apix = 5.4\n* ytilt = -45 60\n> a.tbl\nTS_07.mrc\n"
PDB = "".join(
    f"ATOM  {i:5d}  CA  ALA A{i:4d}    {x:8.3f}{2 * x:8.3f}{-x:8.3f}  1.00 20.00           C\n"
    for i, x in enumerate((1.5, 2.5, 30.0), 1)
)
MMCIF = "data_X\nloop_\n" + "".join(
    f"_atom_site.{name}\n" for name in "group_PDB label_asym_id label_seq_id Cartn_x Cartn_y Cartn_z".split()
)
TIMES = dict.fromkeys(("mean_cc", "median_turn_deg", "median_shift_angst", "seconds", "resolution_angst"), 1.5)
RECORDS = {"records": [{"group": "all", "round": 1, "iteration": i, "particles": 10, **TIMES} for i in (1, 2)]}
PROTOCOLS = [
    {"object.className": "StadynProtAlign", "object.id": "2", "object.label": "1", "seed": 3, "inputSet": "7.out"},
    {"object.className": "StadynProtMerge", "object.id": "7", "inputs": ["2.a", None]},
]
TEMPLATE = """Two lines that
describe it.
[
  {
    "object.className": "StadynProtAlign", "object.id": "2", "object.label": "50 %%", "home": "%(PATH)s",
    "seed": "~Seed|1|3|seed~", "useGpu": "~Use GPUs?|False|1|gpu~", "size": "~Box (Å)|345.6|4|box~", "t": "~T|a|0|t~"
  }
]
"""
SETTINGS = {"output": "out", "box_angst": 100.5, "rounds": [{"iterations": 3}], "seed": 1, "gpu": None}
SHELLS = np.linspace(0, 0.5, 6)
CURVE = FSCCurve(SHELLS, *[1 - SHELLS] * 4, 5.4, 10, float("nan"), 20.0, 25.0, 22.0)

READERS = {
    "dynamo": tables("p.tbl", write_table("p.tbl"), dynamo_of(26), dynamo_of(42, complex_cells=True)),
    "dynamo-folder": tables("data", write_data_folder),
    "relion3": tables("p.star", write_table("p.star", format_name="relion3"), write_text("p.star", RELION_31),
                      write_text("p.star", RELION_30)),
    "relion4": tables("p.star", write_table("p.star", format_name="relion4")),
    "relion5": tables("p.star", write_table("p.star", format_name="relion5", listed=True)),
    "av3": tables("p.em", write_table("p.em"), format_name="av3"),
    "stopgap": tables("p.star", write_table("p.star", format_name="stopgap")),
    "peet": tables("TS_01.csv", write_table("TS_01.csv", ONE, "peet")),
    "emclarity": tables("TS_01.csv", write_table("TS_01.csv", ONE, "emclarity")),
    "pytom": tables("p.xml", write_table("p.xml")),
    "eman2-lst": tables("p.lst", write_table("p.lst", format_name="eman2", listed=True)),
    "eman2-json": tables("TS_01_info.json", lambda folder: (
        write_tomograms(folder), write_json(folder / "TS_01_info.json", BOXES))),
    "stadyn-table": tables("p.npz", write_table("p.npz")),
    "result": Reader("r.npz", (
        lambda folder: write_result(folder / "r.npz", CURVE),
        lambda folder: write_result(folder / "r.npz", replace(SIX.particles)),
    ), read_result),
    "doc": Reader("t.doc", (write_doc_with_volume("t.doc", DOC),), read_tomogram_list),
    "vll": Reader("t.vll", (write_doc_with_volume("t.vll", VLL),), read_tomogram_list),
    "tomograms-star": Reader("tomograms.star", (write_tomograms,), read_tomogram_list),
    "mrc": Reader("v.mrc", (write_noise("v.mrc"),), read_volumes),
    "em": Reader("v.em", (write_noise("v.em"),), read_volumes),
    "imod-dipoles": Reader("m.mod", (
        lambda folder: write_model(folder / "m.mod", np.array([[10.0, 20, 30], [10, 20, 60]])),
    ), lambda path: read_imod_dipoles(path, "TS_01")),
    "dynamo-dipoles": Reader("m.omd", (
        lambda folder: (folder / "m.omd").write_bytes(dipole_model(CLICKS)),
    ), read_dynamo_dipoles),
    "dipoles": Reader("d.csv", (
        lambda folder: write_dipoles(folder / "d.csv", [Dipole("TS_01", i, (1, 2, 3), (9, 9, i)) for i in (1, 2)]),
    ), read_dipoles),
    "cmm": Reader("m.cmm", (lambda folder: write_cmm(folder / "m.cmm", [[1, 2, 3], [4.5, 5, 6]]),),
                  lambda path: read_markers(path, 2.0, 32)),
    "points": Reader("m.txt", (write_text("m.txt", "x,y,z\n1,2,3\n4.5, 5, 6\n"),),
                     lambda path: read_markers(path, 2.0, (30, 31, 32), "px")),
    "pdb": Reader("a.pdb", (write_text("a.pdb", PDB),), read_any_points),
    "mmcif": Reader("a.cif", (write_text("a.cif", MMCIF + "ATOM A 1 1 2 3\nATOM A 2 4.5 5 6\n#\n"),), read_any_points),
    "map-as-model": Reader("a.mrc", (write_noise("a.mrc", (6, 6, 6)),), read_any_points),
    "settings": Reader("s.json", (lambda folder: write_json(folder / "s.json", SETTINGS),), read_job_settings),
    "convergence": Reader("convergence.json", (
        write_text("convergence.json", json.dumps(RECORDS)),), read_convergence_of),
    "workflow": Reader("w.json", (write_text("w.json", json.dumps(PROTOCOLS, indent=1)),), read_workflows),
    "template": Reader("w.json.template", (write_text("w.json.template", TEMPLATE),), read_workflows),
}  # fmt: skip
"""By the name that the rows have."""
