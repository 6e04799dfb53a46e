# SPDX-License-Identifier: GPL-3.0-or-later
"""PyTom's particle lists (.xml): angles as AV3's, pixels counted from 0, one element a particle.

Rotation Z1, Z2, X are phi, psi, theta; the particle is at PickPosition + Shift. Of the wedge, Angle1 is what is missing
where kx and kz have the same sign, Angle2 what is missing where they have not: there |kx| / kz must reach the tangent
(PyTom, `FreqWeight_AsymmetricSingleAxisWedge::init_wedge_volume` in FreqWeight.cpp and `create_asymmetric_wedge` in
agnostic/filter.py). So Angle1 belongs to the highest tilt and Angle2 to the lowest, in a tomogram where a tilt of theta
fills the direction (cos theta, 0, sin theta).
"""

import xml.etree.ElementTree as ElementTree
from xml.sax.saxutils import quoteattr

import numpy as np

from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable
from stadyn.core.rotations import av3_from_matrices, matrices_from_av3
from stadyn.core.tomograms import MissingWedge

from .aside import read_text, written_aside
from .particle_files import Columns, ParticleFile, check_some
from .tomogram_names import tomogram_id

ROOT = "ParticleList"
KEPT = ("cc", "classes", "wedges", "ids")
READ = {"Rotation", "Shift", "PickPosition", "Wedge", "SingleTiltWedge", "Score", "Class", "PeakPrior", "InfoGroup"}
READ |= {"TiltAxisRotation"}
LONGEST_NUMBER = 15


def read_pytom(path, context):
    """A `ParticleFile` of a PyTom list; the tomogram is PickPosition's Origin, or the list's only one.

    Raises InputError for XML that is malformed or no particle list, and for a particle without rotation or position.
    """
    text = read_text(path, "particle list")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:  # entities can be made to fill the memory
        raise InputError(f"{path} declares a document type: write it again with PyTom")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise InputError(f"{path} is not XML ({error}): write it again with PyTom") from error
    particles = root.findall("Particle")
    if root.tag != ROOT or not particles:
        raise InputError(f"{path} holds no ParticleList with particles: give one that PyTom wrote")
    values = {
        name: [_attribute(path, i, p, *where) for i, p in enumerate(particles, 1)]
        for name, where in _PLACES.items()
    }
    columns, messages = Columns(path, {n: np.array(v, str) for n, v in values.items()}, "particle"), []
    ids = _tomograms(path, columns.texts("origin"), context)
    table = ParticleTable(
        columns.vectors(("x", "y", "z")) + columns.vectors(("dx", "dy", "dz")),
        matrices_from_av3(*(columns.numbers(n) for n in ("phi", "theta", "psi"))),
        ids, cc=columns.numbers("score", finite=False), ids=_numbers(columns.texts("file")),
        classes=_classes(columns.texts("class"), messages),
    )  # fmt: skip
    others = sorted({e.tag for p in particles for e in p.iter()} - READ - {"Particle"})
    if others:
        messages.append(f"elements with no place in stadyn were left behind: {', '.join(others)}")
    wedges = _wedges(ids, columns.numbers("angle1", finite=False), columns.numbers("angle2", finite=False))
    sizes = context.known_pixel_sizes(np.unique(ids).tolist(), {})
    return ParticleFile(table, sizes, wedges, tuple(messages))


def write_pytom(path, file, context):
    """Write particles as PyTom reads them; returns messages on what it has no place for."""
    check_some(path, file)
    table = file.particles
    angles = av3_from_matrices(table.rotations)
    lines = [f"<{ROOT}>"]
    for i, name in enumerate(table.tomogram_ids):
        listed = context.tomogram(name)
        phi, theta, psi = (f"{a[i]:.10g}" for a in angles)
        x, y, z = (f"{v:.10g}" for v in table.positions[i])
        wedge = file.wedges.get(str(name))
        angle1, angle2 = (90 - wedge.max_deg, 90 + wedge.min_deg) if wedge else (0, 0)
        cc = table.cc[i] if np.isfinite(table.cc[i]) else 0.0
        lines += [
            f"  <Particle Filename={quoteattr(f'{name}/particle_{table.ids[i]}.em')}>",
            f'    <Rotation X="{theta}" Paradigm="ZXZ" Z1="{phi}" Z2="{psi}"/>',
            '    <Shift X="0" Y="0" Z="0"/>',
            f"    <PickPosition Origin={quoteattr((listed.path if listed else '') or str(name))}"
            f' X="{x}" Y="{y}" Z="{z}"/>',
            '    <Wedge Type="SingleTiltWedge">',
            f'      <SingleTiltWedge Smooth="0.0" Angle1="{angle1:g}" CutoffRadius="0.0" Angle2="{angle2:g}"/>',
            "    </Wedge>",
            f'    <Score Type="FLCFScore" RemoveAutocorr="False" Value="{cc:.10g}"/>',
            f'    <Class Name="{table.classes[i]}"/>',
            "  </Particle>",
        ]
    with written_aside(path) as aside:
        aside.write_text("\n".join([*lines, f"</{ROOT}>"]) + "\n", encoding="utf-8")
    return (*file.without_wedge("Angle1 and Angle2 were written as 0, correct them"), *file.lost("PyTom", KEPT))


def _classes(names, messages):
    """(n,) int classes of their names; 0 for none and, with a message, for a name that is no number."""
    whole = np.array([c.isascii() and c.isdigit() and len(c) <= LONGEST_NUMBER for c in names])
    if any(names[~whole] != ""):
        messages.append("classes that are not whole numbers became 0")
    return np.where(whole, names, "0").astype(np.int64)


# name -> (paths of elements, attribute, default); no default: the particle must have it
_PLACES = {
    "file": ((".",), "Filename", ""),
    "phi": (("Rotation",), "Z1", None), "psi": (("Rotation",), "Z2", None), "theta": (("Rotation",), "X", None),
    "x": (("PickPosition",), "X", None), "y": (("PickPosition",), "Y", None), "z": (("PickPosition",), "Z", None),
    "dx": (("Shift",), "X", "0"), "dy": (("Shift",), "Y", "0"), "dz": (("Shift",), "Z", "0"),
    "origin": (("PickPosition",), "Origin", ""), "score": (("Score",), "Value", "nan"),
    "class": (("Class",), "Name", ""),
    "angle1": (("Wedge/SingleTiltWedge", "SingleTiltWedge"), "Angle1", "nan"),
    "angle2": (("Wedge/SingleTiltWedge", "SingleTiltWedge"), "Angle2", "nan"),
}  # fmt: skip


def _attribute(path, number, particle, places, attribute, default):
    element = next((e for e in (particle if p == "." else particle.find(p) for p in places) if e is not None), None)
    value = None if element is None else element.get(attribute)
    if value is None and default is None:
        raise InputError(f"{path}, particle {number} has no {places[0]} {attribute}: write the list again with PyTom")
    return default if value is None else value.strip()


def _tomograms(path, origins, context):
    only = context.tomograms[0].id if len(context.tomograms) == 1 else None
    ids = {origin: tomogram_id(origin) if origin else only or "" for origin in np.unique(origins)}
    if "" in ids.values():
        raise InputError(f"{path} does not name the tomogram of its particles (Origin): give it as a list of one")
    if len(set(ids.values())) < len(ids):
        ids = {origin: origin for origin in ids}
    return np.array([ids[origin] for origin in origins], str)


def _numbers(files):
    """The number at the end of each particle's file name where all have one and they differ, else 1, 2, ..."""
    stems = [tomogram_id(name) for name in files]
    digits = [stem[len(stem.rstrip("0123456789")) :] for stem in stems]
    if all(d and len(d) <= LONGEST_NUMBER for d in digits) and len(set(map(int, digits))) == len(digits):
        return np.array(list(map(int, digits)))
    return np.arange(1, len(files) + 1)


def _wedges(ids, first, second):
    wedges = {}
    for name in np.unique(ids):
        rows = ids == name
        pair = np.unique(np.stack([first[rows], second[rows]], -1), axis=0)
        if len(pair) == 1 and np.isfinite(pair).all() and (pair >= 0).all() and 0 < pair.sum() < 180:
            wedges[str(name)] = MissingWedge(float(pair[0, 1] - 90), float(90 - pair[0, 0]))
    return wedges
