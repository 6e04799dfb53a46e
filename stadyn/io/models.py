# SPDX-License-Identifier: GPL-3.0-or-later
"""Molecular models as points: residues of PDB and mmCIF files, voxels of MRC maps."""

from pathlib import Path

import numpy as np

from stadyn.core.errors import InputError
from stadyn.core.resample import fourier_resize

from .aside import existing_file, read_text
from .mrc import read_header, read_volume

HEAVY_ATOMS_PER_RESIDUE = 7.8
"""Average over proteins."""
FARTHEST = 1e6
"""Å from the origin that an atom may lie: a hundred times more than PDB has columns for."""
FAINTEST = 0.05
"""Voxels below this fraction of a map's largest value are background."""


def read_model(path, pixel_size):
    """Points of a model whose six-fold axis is z through the origin (PDB, mmCIF) or through voxel n // 2 (MRC).

    Parameters
    ----------
    path : .pdb, .ent, .cif, .mmcif, .mrc or .map file
    pixel_size : float, Å; a finer map is brought to it

    Returns
    -------
    points : (n, 3) float array, Å (x, y, z), z as in the file: outward of the VLP must be +z
    weights : (n,) float array, residues; for a map relative
    sigma : float, Å, width of a point
    """
    suffix = Path(existing_file(path, "model")).suffix.lower()
    if suffix in (".mrc", ".map", ".rec"):
        return _read_map(path, pixel_size)
    if suffix in (".pdb", ".ent"):
        atoms = _pdb_atoms(path)
    elif suffix in (".cif", ".mmcif"):
        atoms = _mmcif_atoms(path)
    else:
        raise InputError(f"model {path} is neither .pdb, .cif nor .mrc: convert it to one of them")
    residues = {}
    for residue, position in atoms:
        residues.setdefault(residue, []).append(position)
    if not residues:
        raise InputError(f"model {path} holds no ATOM records: give a file with atoms")
    points = np.array([np.mean(positions, axis=0) for positions in residues.values()])
    weights = np.array([len(positions) for positions in residues.values()]) / HEAVY_ATOMS_PER_RESIDUE
    return points, weights, 2.5


def _numbers(path, line, texts):
    try:
        found = tuple(float(text) for text in texts)
    except ValueError:
        found = ()
    if not (len(found) == 3 and all(abs(value) <= FARTHEST for value in found)):  # nan compares false
        shown = " ".join(texts)[:60]
        raise InputError(f'model {path} has the coordinates "{shown}" in line {line}: correct them')
    return found


def _pdb_atoms(path):
    """((chain, residue), (x, y, z)) of each heavy ATOM of the first model; fixed columns of PDB format 3.3."""
    for line, text in enumerate(read_text(path, "model").splitlines(), 1):
        if text.startswith("ENDMDL"):
            return
        if text.startswith("ATOM  ") and text[12:16].strip().lstrip("0123456789")[:1] != "H" and text[16:17] in " A1":
            # The segment too: assemblies with more chains than letters reuse them.
            key = (text[21:22], text[72:76], text[22:27])
            yield key, _numbers(path, line, (text[30:38], text[38:46], text[46:54]))


def _mmcif_atoms(path):
    """The same from the ``_atom_site`` loop."""
    columns = []
    for line, text in enumerate(read_text(path, "model").splitlines(), 1):
        if text.startswith("_atom_site."):
            columns.append(text.split()[0].split(".", 1)[1])
        elif columns and text.startswith("ATOM"):
            cells = dict(zip(columns, text.split(), strict=False))
            if cells.get("type_symbol") == "H" or cells.get("pdbx_PDB_model_num", "1") != "1":
                continue
            try:
                place = [cells[f"Cartn_{axis}"] for axis in "xyz"]
                key = (cells["label_asym_id"], cells["label_seq_id"])
            except KeyError as error:
                raise InputError(f"model {path} lacks _atom_site.{error.args[0]}: write it again as mmCIF") from error
            yield key, _numbers(path, line, place)
        elif columns and text.startswith(("#", "loop_")):
            return


def _read_map(path, pixel_size):
    volume, size = read_volume(path), read_header(path).pixel_size
    if size <= 0:
        raise InputError(f"model {path} has no pixel size in its header: write it there (IMOD: alterheader -del)")
    if len(set(volume.shape)) > 1:
        raise InputError(f"model {path} is {volume.shape} voxels: give a cube with the six-fold axis at its centre")
    n = len(volume)
    coarse = min(n, 2 * int(min(n * size / pixel_size / 2, n)))  # never finer than the map itself
    if coarse < 2:
        raise InputError(f"model {path} is {n * size:.3g} Å wide, less than two pixels of {pixel_size:g} Å: correct it")
    volume, size = fourier_resize(volume, coarse), n * size / coarse
    keep = np.argwhere(volume > FAINTEST * volume.max())
    points = (keep[:, ::-1] - coarse // 2) * size
    return points, volume[tuple(keep.T)].astype(float), 0.0
