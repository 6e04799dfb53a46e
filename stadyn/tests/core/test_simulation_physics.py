# SPDX-License-Identifier: GPL-3.0-or-later
"""Projection, optics, dose and back-projection against planted points."""

import numpy as np
import pytest
import scipy.fft

from stadyn.core.optics import Microscope, accumulated_dose, contrast_transfer, dose_envelope
from stadyn.core.simulation_model import PointCloud
from stadyn.core.simulation_physics import (
    Exposure,
    back_project,
    project_points,
    record_image,
    tilt_angles,
)
from stadyn.core.tomograms import MissingWedge
from stadyn.core.wedge import wedge_weights

SHAPE = (30, 40)  # y, x


def cloud(*points):
    return PointCloud(np.array(points, float), np.ones(len(points)), 5.0)


def test_a_point_is_projected_to_x_cos_plus_z_sin():
    spectrum = project_points([cloud((20, -25, 40))], 30.0, SHAPE, 5.0)
    image = scipy.fft.irfft2(spectrum, s=SHAPE)
    rows, columns = np.indices(SHAPE)
    x, y = np.sum(image * columns) / image.sum() - 20, np.sum(image * rows) / image.sum() - 15
    assert (x, y) == pytest.approx(((20 * np.cos(np.pi / 6) + 40 * 0.5) / 5, -5), abs=0.02)
    assert image.sum() == pytest.approx(1, rel=1e-3)


def test_odd_images_keep_their_origin_at_half():
    image = scipy.fft.irfft2(project_points([cloud((0, 0, 0))], 0.0, (31, 41), 5.0), s=(31, 41))
    assert np.unravel_index(image.argmax(), image.shape) == (15, 20)


def test_points_outside_the_image_are_left_out():
    assert np.abs(project_points([cloud((500, 0, 0), (0, -300, 0))], 0.0, SHAPE, 5.0)).max() == 0


def test_contrast_transfer_starts_dark_and_has_its_first_zero_where_theory_says():
    microscope = Microscope()
    assert microscope.wavelength == pytest.approx(0.01969, abs=1e-5)
    assert contrast_transfer(np.zeros(1), 3e4, microscope)[0] == pytest.approx(-0.07)
    phase_zero = np.sqrt((1 - np.arcsin(0.07) / np.pi) / (microscope.wavelength * 3e4))
    around = contrast_transfer(np.array([phase_zero * 0.99, phase_zero * 1.01]), 3e4, microscope)
    assert around[0] < 0 < around[1]


def test_dose_damages_detail_first_and_the_least_tilted_images_come_first():
    tilts = tilt_angles(-60, 60, 3)
    dose = accumulated_dose(tilts, 3.4)
    assert len(tilts) == 41 and tilts[np.argmin(dose)] == 0 and abs(tilts[np.argmax(dose)]) == 60
    assert dose.max() - dose.min() == pytest.approx(40 * 3.4)
    envelope = dose_envelope(np.array([0.02, 0.1]), 50.0)
    # At 0.1/Å the critical dose is 0.24499 * 0.1**-1.6649 + 2.8141 = 14.14 electrons per square Å.
    assert envelope[1] == pytest.approx(np.exp(-25 / 14.14), rel=1e-3) and envelope[0] > 0.7


def test_asymmetric_tilts_keep_their_sign():
    assert tilt_angles(-45, 60, 3)[[0, -1]].tolist() == [-45, 60]


def test_recorded_protein_is_dark_and_its_phases_are_flipped():
    spectrum = project_points([cloud((0, 0, 0))], 0.0, SHAPE, 5.0)
    exposure = Exposure(dose=0.0, defocus_angst=3e4, noise=0.0, solvent=0.0)
    recorded = record_image(spectrum, exposure, SHAPE, 5.0, Microscope(), np.random.default_rng(0))
    image = scipy.fft.irfft2(recorded, s=SHAPE)
    assert image[15, 20] == image.min() < 0
    assert (recorded * np.conj(spectrum)).real.max() <= 1e-6  # no phase is left reversed


def test_white_noise_has_the_asked_standard_deviation():
    exposure = Exposure(dose=0.0, defocus_angst=3e4, noise=2.0, solvent=0.0)
    spectrum = record_image(np.zeros((30, 21)), exposure, SHAPE, 5.0, Microscope(), np.random.default_rng(0))
    assert scipy.fft.irfft2(spectrum, s=SHAPE).std() == pytest.approx(2.0, rel=0.1)


def tilt_series(points, tilts):
    return [project_points([cloud(*points)], t, (32, 48), 5.0) for t in tilts]


def test_back_projection_returns_points_to_where_they_were():
    tilts = tilt_angles(-60, 60, 3)
    volume = back_project(tilt_series([(25, -40, 15), (-30, 20, -20)], tilts), tilts, (32, 48), (20, 32, 32))
    first = np.unravel_index(volume.argmax(), volume.shape)
    volume[first[0] - 3 : first[0] + 4, first[1] - 3 : first[1] + 4, first[2] - 3 : first[2] + 4] = 0
    second = np.unravel_index(volume.argmax(), volume.shape)
    assert {first, second} == {(10 + 3, 16 - 8, 16 + 5), (10 - 4, 16 + 4, 16 - 6)}  # z, y, x


def test_the_sampled_wedge_is_that_of_the_tilt_range():
    tilts = tilt_angles(-45, 60, 3)
    volume = back_project(tilt_series([(0, 0, 0)], tilts), tilts, (32, 48), (32, 32, 32))
    power = np.abs(scipy.fft.fftn(volume)) ** 2
    z, y, x = np.meshgrid(*[scipy.fft.fftfreq(32)] * 3, indexing="ij")
    ring = (np.hypot(x, z) > 0.15) & (np.hypot(x, z) < 0.25) & (np.abs(y) < 0.2)
    k = np.stack([x, y, z], -1)
    sampled = wedge_weights(MissingWedge(-45, 60), k) > 0
    inside = power[ring & sampled].mean()
    outside = power[ring & (wedge_weights(MissingWedge(-48, 63), k) == 0)].mean()
    only_positive = power[ring & sampled & (wedge_weights(MissingWedge(-60, 45), k) == 0)].mean()
    assert outside < 0.05 * inside and only_positive > 0.5 * inside
