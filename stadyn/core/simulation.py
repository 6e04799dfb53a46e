# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulated tomograms of virus-like particles with a known truth: the settings and the whole."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import scipy.fft

from .errors import InputError
from .optics import Microscope, accumulated_dose
from .particles import ParticleTable
from .simulation_model import lattice_map, procedural_unit
from .simulation_physics import (
    Exposure,
    back_project,
    project_points,
    record_image,
    tilt_angles,
)
from .simulation_scene import build_scene
from .tomograms import Dipole, MissingWedge, Tomogram

WHITE_NOISE = 1.5
"""Residues per Å: white noise of one image at noise 1, in a pixel of 1 Å; it grows with the pixel's side, as counts do.

Set with benchmarks/simulator_noise.py so that averages at the true poses, no symmetry imposed, reach about 14 Å with
120 particles and 12 Å with 500 (FSC 0.5 against the true map) at the default settings, as real data do. Measured with
seed 1, three draws: 14.6, 14.5, 14.2 and 11.7, 11.6, 11.7 Å; with seed 7: 13.7 and 11.6 Å.
"""
SOLVENT_FRACTION = 0.5
"""Of the white noise, before the optics."""


@dataclass(frozen=True)
class SimulationSettings:
    """What is simulated; lengths in Å. Everything random follows from `seed`."""

    n_tomograms: int = 2
    pixel_size_angst: float = 5.4
    extent_angst: tuple = (1900.0, 1900.0, 1030.0)  # x, y, z of the field
    vlps_per_tomogram: int = 4
    radius_angst: tuple = (260.0, 340.0)  # of the lattice, smallest and largest
    ellipticity: float = 0.08  # semi-axes differ from their mean by up to this fraction
    spacing_angst: float = 75.0
    coverage: float = 0.65  # fraction of each surface under the lattice
    defects: float = 0.03  # fraction of single sites missing
    tilt_min_deg: float = -60.0
    tilt_max_deg: float = 60.0
    tilt_step_deg: float = 3.0
    defocus_um: tuple = (2.2, 3.4)  # underfocus, smallest and largest; one value each is drawn for the tomograms
    noise: float = 1.0  # 1 is as hard as real data, 0 none
    click_error_angst: float = 54.0  # largest error of each of a dipole's two clicks
    gold_beads: int = 5
    gold_radius_angst: float = 45.0
    junk: int = 25
    seed: int = 1
    microscope: Microscope = Microscope()

    def __post_init__(self):
        for name in ("extent_angst", "radius_angst", "defocus_um"):
            object.__setattr__(self, name, tuple(float(v) for v in getattr(self, name)))
        if not 0 < self.radius_angst[0] <= self.radius_angst[1]:
            raise InputError(f"radius {self.radius_angst} Å: give the smallest and the largest, both positive")
        if not (-90 < self.tilt_min_deg < self.tilt_max_deg < 90) or self.tilt_step_deg <= 0:
            tilts = f"{self.tilt_min_deg:g} to {self.tilt_max_deg:g} step {self.tilt_step_deg:g} degrees"
            raise InputError(f"tilts {tilts}: they must rise and lie within -90 to 90")
        if not 0 <= self.click_error_angst <= 54:
            raise InputError(f"click error {self.click_error_angst} Å: it must lie within 0 and 54")
        for name in ("n_tomograms", "vlps_per_tomogram", "pixel_size_angst", "spacing_angst", "gold_radius_angst"):
            if getattr(self, name) <= 0:
                raise InputError(f"{name} is {getattr(self, name)}: it must be positive")
        for name in ("noise", "gold_beads", "junk", "seed"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} is {getattr(self, name)}: it must be 0 or more")
        for name, low, high in (("coverage", 0.05, 1.0), ("defects", 0.0, 0.5), ("ellipticity", 0.0, 0.3)):
            if not low <= getattr(self, name) <= high:
                raise InputError(f"{name} is {getattr(self, name)}: it must lie within {low} and {high}")

    @property
    def shape(self):
        """(z, y, x) voxels of a tomogram, even."""
        return tuple(2 * int(round(length / self.pixel_size_angst / 2)) for length in reversed(self.extent_angst))

    @property
    def tilts_deg(self):
        """(t,) the tilts taken."""
        return tilt_angles(self.tilt_min_deg, self.tilt_max_deg, self.tilt_step_deg)

    def defoci_um(self):
        """(n_tomograms,) evenly spread over the range and jittered, so that CTF zeros of one are filled by others."""
        low, high = self.defocus_um
        jitter = np.random.default_rng([self.seed, 0]).uniform(0.25, 0.75, self.n_tomograms)
        return low + (high - low) * (np.arange(self.n_tomograms) + jitter) / self.n_tomograms


@dataclass(frozen=True, eq=False)
class SimulatedTomogram:
    """One tomogram and its truth."""

    tomogram: Tomogram  # path empty: nothing is on disk yet
    volume: np.ndarray  # (z, y, x) float32, protein dark, mean 0 and standard deviation 1
    truth: ParticleTable
    dipoles: tuple  # of Dipole, with click errors
    defocus_um: float


def simulate_tomogram(settings, number, unit=None, workers=1, progress=None):
    """Simulate tomogram `number` (1-based) of a set.

    Parameters
    ----------
    settings : SimulationSettings
    number : int, each gives another tomogram of the same set
    unit : PointCloud or None
        the lattice's unit, +z outward; `procedural_unit()` by default
    workers : int, threads over tilts and slices; the result does not depend on it
    progress : callable(done, total) or None

    Returns
    -------
    SimulatedTomogram
    """
    scene = build_scene(unit or procedural_unit(), settings, np.random.default_rng([settings.seed, number, 1]))
    defocus = float(settings.defoci_um()[number - 1])
    volume = reconstruct_scene(settings, scene, number, defocus, workers, progress)
    name = f"tomo_{number:03d}"
    wedge = MissingWedge(float(settings.tilts_deg[0]), float(settings.tilts_deg[-1]))
    tomogram = Tomogram(name, "", settings.pixel_size_angst, settings.shape, wedge)
    dipoles = _click_dipoles(settings, scene, name, np.random.default_rng([settings.seed, number, 2]))
    return SimulatedTomogram(tomogram, volume, _truth(settings, scene, name), dipoles, defocus)


def reconstruct_scene(settings, scene, number, defocus_um, workers=1, progress=None):
    """The tomogram of any Scene: (z, y, x) float32, protein dark, mean 0 and standard deviation 1.

    Parameters as of `simulate_tomogram`; of `settings` the field, the microscope, tilts, noise and seed count.
    """
    nz, ny, nx = settings.shape
    # A tilted slab reaches further than the field: images are wide enough for every slice at every tilt.
    image_shape = (ny, 2 * scipy.fft.next_fast_len(int(np.hypot(nx, nz)) // 2 + 4))
    spectra = _tilt_series(settings, scene, number, defocus_um, image_shape, workers, progress)
    volume = back_project(spectra, settings.tilts_deg, image_shape, settings.shape, workers)
    volume -= volume.mean()
    volume /= volume.std()
    return volume


def _tilt_series(settings, scene, number, defocus_um, image_shape, workers, progress):
    """rfft2 of the recorded, phase-flipped images, one for each tilt."""
    tilts = settings.tilts_deg
    doses = accumulated_dose(tilts, settings.microscope.dose_per_tilt)
    noise = settings.noise * WHITE_NOISE * settings.pixel_size_angst

    def image(i):
        rng = np.random.default_rng([settings.seed, number, 3, i])  # per tilt: threads may run in any order
        spectrum = project_points(scene.clouds, tilts[i], image_shape, settings.pixel_size_angst)
        exposure = Exposure(doses[i], defocus_um * 1e4, noise, SOLVENT_FRACTION * noise)
        return record_image(spectrum, exposure, image_shape, settings.pixel_size_angst, settings.microscope, rng)

    spectra = []
    with ThreadPoolExecutor(workers) as pool:
        for spectrum in pool.map(image, range(len(tilts))):
            spectra.append(spectrum)
            if progress:
                progress(len(spectra), len(tilts))
    return spectra


def _pixels(points, settings):
    """Å from the centre of the field (x, y, z) -> 0-based pixels."""
    return points / settings.pixel_size_angst + np.array(settings.shape[::-1]) // 2


def _truth(settings, scene, name):
    """The lattice sites whose centre lies in the tomogram."""
    positions = _pixels(np.concatenate([v.points for v in scene.vlps]), settings)
    rotations = np.concatenate([v.rotations for v in scene.vlps])
    surface_ids = np.repeat(np.arange(1, len(scene.vlps) + 1), [len(v.points) for v in scene.vlps])
    inside = np.all((positions >= 0) & (positions <= np.array(settings.shape[::-1]) - 1), axis=1)
    table = ParticleTable(positions, rotations, np.full(len(positions), name), surface_ids)
    return table.select(inside).renumbered()


def _click(point, largest, rng):
    """`point` missed in a random direction by up to `largest`."""
    direction = rng.standard_normal(3)
    return point + direction / np.linalg.norm(direction) * rng.uniform(0, largest)


def _click_dipoles(settings, scene, name, rng):
    """A clicked centre and a clicked point of the lattice's surface for every VLP."""
    dipoles = []
    for i, vlp in enumerate(scene.vlps, 1):
        direction = rng.standard_normal((1, 3))
        north = vlp.center + vlp.surface.radial_points(direction)[0]
        clicks = (_pixels(_click(p, settings.click_error_angst, rng), settings) for p in (vlp.center, north))
        dipoles.append(Dipole(name, i, *(tuple(float(v) for v in c) for c in clicks)))
    return tuple(dipoles)


def true_map(settings, truth, unit, box_px):
    """What a perfect average at the true poses shows: (n, n, n) float32, protein BRIGHT, origin at index n // 2."""
    keys = sorted(set(zip(truth.tomogram_ids.tolist(), truth.surface_ids.tolist(), strict=True)))
    sites = []
    for tomogram, surface in keys:
        rows = (truth.tomogram_ids == tomogram) & (truth.surface_ids == surface)
        sites.append((truth.positions[rows] * settings.pixel_size_angst, truth.rotations[rows]))
    return lattice_map(unit, sites, box_px, settings.pixel_size_angst, np.random.default_rng(settings.seed))
