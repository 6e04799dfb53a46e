# SPDX-License-Identifier: GPL-3.0-or-later
"""What one round of an alignment searches, in Dynamo's words, and the candidate poses that follow from it."""

from dataclasses import dataclass

import numpy as np

from .errors import InputError
from .rotations import rotation_vectors_to_matrices, rotation_z
from .symmetry import symmetry_order


@dataclass(frozen=True)
class AlignmentRound:
    """One round (Dynamo: numerical parameters of a round): `iterations` passes with the same search.

    Lengths in Å, angles in degrees. `cone_range_deg` is the full aperture of the
    cone scanned about the particle's present axis (360: every axis);
    `inplane_range_deg` the full range about the axis. `refine` further levels each
    scan `refine_factor` times the previous sampling with half of it. Samplings and
    levels rule the exhaustive engine; the fast one searches the same ranges in steps
    of its own and refines continuously. Shift limits
    are the semi-axes of an ellipsoid along the reference's x, y, z; `shift_modus` says
    from where they count: 0 no limit, 1 the box centre, 2 the previous estimate, 3 the
    estimate at the start of the round, 4 at the start of the project.
    """

    iterations: int = 3
    cone_range_deg: float = 20.0
    cone_sampling_deg: float = 5.0
    inplane_range_deg: float = 360.0
    inplane_sampling_deg: float = 5.0
    refine: int = 4
    refine_factor: float = 2.0
    shift_limit_angst: tuple = (27.0, 27.0, 27.0)
    shift_modus: int = 1
    lowpass_angst: float = 30.0
    highpass_angst: float = 0.0
    symmetry: str = "C1"
    binning: int = 1

    def __post_init__(self):
        limits = np.ravel(self.shift_limit_angst).astype(float)
        if len(limits) not in (1, 3) or not np.all(limits >= 0):
            raise InputError(f"shift_limit_angst is {self.shift_limit_angst}: give 1 or 3 lengths in Å, 0 or more")
        object.__setattr__(self, "shift_limit_angst", tuple(np.broadcast_to(limits, 3).tolist()))
        symmetry_order(self.symmetry)
        for name, low, high in (
            ("iterations", 1, 1000),
            ("cone_range_deg", 0, 360),
            ("cone_sampling_deg", 0.01, 180),
            ("inplane_range_deg", 0, 360),
            ("inplane_sampling_deg", 0.01, 360),
            ("refine", 0, 20),
            ("refine_factor", 0.1, 20),
            ("shift_modus", 0, 4),
            ("lowpass_angst", 0, 1000),
            ("highpass_angst", 0, 100000),
            ("binning", 1, 64),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"{name} is {value}: give a value from {low} to {high}")
        if self.highpass_angst and self.highpass_angst <= self.lowpass_angst:
            raise InputError(
                f"high-pass {self.highpass_angst} Å is not coarser than the low-pass {self.lowpass_angst} Å:"
                " nothing would be left"
            )

    @classmethod
    def from_dict(cls, values):
        """A round from a settings file; unknown keys, and values of another type, are refused."""
        if not isinstance(values, dict):
            raise InputError(f"a round is {values!r}: give its parameters by name")
        unknown = set(values) - set(cls.__dataclass_fields__)
        if unknown:
            raise InputError(
                f"unknown round parameter {sorted(unknown)[0]!r}: known are {', '.join(cls.__dataclass_fields__)}"
            )
        try:
            return cls(**values)
        except TypeError as error:
            raise InputError(f"a round holds a value of the wrong type ({error}): correct it in {values}") from error

    def inplane_extent_deg(self):
        """The in-plane range that is left once the symmetry is used."""
        return min(self.inplane_range_deg, 360.0 / symmetry_order(self.symmetry))

    def closed_deg(self):
        """The period of the in-plane angle if the whole of it is searched, else 360."""
        period = 360.0 / symmetry_order(self.symmetry)
        return period if self.inplane_range_deg >= period else 360.0


def _steps(half_deg, step_deg):
    """How many equal steps of at most `step_deg` reach `half_deg`; none if it is within half a step."""
    return int(np.ceil(half_deg / step_deg - 1e-9)) if half_deg >= step_deg / 2 else 0


def cone_axes(range_deg, step_deg):
    """(m, 3, 3) minimal rotations that tilt z within a cone of full aperture `range_deg`, the identity first.

    Rings are at most `step_deg` apart, the last at the cone's edge; a cone narrower than one step is its axis.
    """
    rotations = [np.eye(3)]
    half = min(range_deg / 2.0, 180.0)
    rings = _steps(half, step_deg)
    for ring in range(1, rings + 1):
        tilt = half * ring / rings
        count = max(1, round(360.0 * np.sin(np.radians(tilt)) / step_deg)) if tilt < 180 - 1e-9 else 1
        azimuths = np.arange(count) * 360.0 / count + (180.0 / count) * (ring % 2)
        a, t = np.radians(azimuths), np.radians(tilt)
        vectors = np.stack([-np.sin(a) * t, np.cos(a) * t, np.zeros_like(a)], -1)
        rotations.extend(rotation_vectors_to_matrices(vectors))
    return np.array(rotations)


def rotation_grid(cone_range_deg, cone_step_deg, inplane_range_deg, inplane_step_deg, closed_deg=360.0):
    """(a, 3, 3) rotations to try about the present pose, the identity among them.

    `closed_deg` is the period of the in-plane angle (360 / symmetry order): a range
    that reaches it is scanned once around without a double end. A smaller one is
    scanned from end to end in steps of at most `inplane_step_deg`.
    """
    if inplane_range_deg >= closed_deg - 1e-6:
        count = max(1, int(np.ceil(closed_deg / inplane_step_deg - 1e-9)))
        angles = np.arange(count) * closed_deg / count
    else:
        count = _steps(inplane_range_deg / 2, inplane_step_deg)
        angles = np.arange(-count, count + 1) * (inplane_range_deg / 2 / max(count, 1))
    cone = cone_axes(cone_range_deg, cone_step_deg)
    return (cone[:, None] @ rotation_z(angles)[None]).reshape(-1, 3, 3)


def shift_grid(limits_px, step_px):
    """(s, 3) shifts inside an ellipsoid of semi-axes `limits_px` on a cubic grid of `step_px`, zero included."""
    limits = np.asarray(limits_px, float)
    counts = np.floor(limits / step_px + 1e-9).astype(int)
    axes = [np.arange(-c, c + 1) * step_px for c in counts]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    scaled = grid / np.maximum(limits, 1e-9)
    return grid[np.sum(scaled**2, -1) <= 1 + 1e-9]


def clip_to_ellipsoid(shifts, limits_px):
    """Shifts (n, 3) outside an ellipsoid pulled back onto it along their own direction."""
    limits = np.asarray(limits_px, float)
    scaled = np.where(limits > 0, shifts / np.maximum(limits, 1e-9), 0.0)
    length = np.linalg.norm(scaled, axis=-1, keepdims=True)
    clipped = np.where(length > 1, shifts / np.maximum(length, 1e-12), shifts)
    return np.where(limits > 0, clipped, 0.0)
