# SPDX-License-Identifier: GPL-3.0-or-later
"""What a replay says of a run's particles."""

from types import SimpleNamespace

from tomo.objects import SetOfAverageSubTomograms, SetOfCoordinates3D, SetOfMeshes, SetOfSubTomograms

from stadyn.host import particle_count


def a_set(kind, path, size):
    """A set of that class without a file."""
    answers = {"getFileName": lambda self: path, "getSize": lambda self: size}
    return type(kind.__name__, (kind,), answers)()


def test_particles_are_counted_once():
    coordinates, cut = a_set(SetOfCoordinates3D, "c.sqlite", 7), a_set(SetOfSubTomograms, "s.sqlite", 7)
    assert particle_count([("subtomograms", cut), ("coordinates", coordinates)]) == 7
    other = a_set(SetOfCoordinates3D, "other.sqlite", 5)
    assert particle_count([("one", coordinates), ("same", coordinates), ("two", other)]) == 12


def test_what_is_no_particle_is_not_counted():
    averages, dipoles = a_set(SetOfAverageSubTomograms, "a.sqlite", 2), a_set(SetOfMeshes, "m.sqlite", 4)
    excluded = a_set(SetOfCoordinates3D, "x.sqlite", 3)
    others = [("averages", averages), ("dipoles", dipoles), ("excludedParticles", excluded)]
    assert particle_count([*others, ("map", SimpleNamespace())]) is None
    assert particle_count([*others, ("particles", a_set(SetOfCoordinates3D, "c.sqlite", 7))]) == 7
