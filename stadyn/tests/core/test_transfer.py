# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights of coefficients: CTF amplitude, dose and tilt, a given volume; and averages that undo the CTF."""

import numpy as np
import pytest
import scipy.fft

from stadyn.core.averaging import AverageSum, finish
from stadyn.core.fourier import band, frequency_radius
from stadyn.core.optics import Microscope, contrast_transfer, dose_envelope
from stadyn.core.rotations import matrices_from_dynamo
from stadyn.core.tomograms import MissingWedge, Tomogram, Weighting
from stadyn.core.transfer import Transfer

from .planted import blob_map, coefficients

BOX, PIXEL, DEFOCUS = 32, 4.0, 30000.0
FULL = MissingWedge(-90, 90)


def transfer(weighting, wedge=FULL, box=BOX):
    return Transfer(Tomogram("a", "", PIXEL, (9, 9, 9), wedge, weighting), box)


def test_ctf_amplitude_depends_on_radius_alone_and_is_zero_where_the_ctf_is():
    h = np.array([[9, 0, 0], [0, 9, 0], [0, 0, 9], [3, 6, 6], [2, 0, 0]], float)
    weights = transfer(Weighting(DEFOCUS))(h)
    frequency = np.linalg.norm(h, axis=1) / (BOX * PIXEL)
    assert weights == pytest.approx(np.abs(contrast_transfer(frequency, DEFOCUS, Microscope())), abs=0.01)
    assert weights[:4] == pytest.approx(weights[0], abs=1e-6)


def test_dose_and_tilt_are_those_of_the_nearest_view():
    weighting = Weighting(tilts_deg=(60.0, -60.0, 0.0), doses=(90.0, 120.0, 2.0))
    radius = 8.0
    h = radius * np.array([[1, 0, 0], [0.5, 0, np.sqrt(3) / 2], [0.5, 0, -np.sqrt(3) / 2], [-0.5, 0, -np.sqrt(3) / 2]])
    low, high, other, mate = transfer(weighting)(h)
    frequency = radius / (BOX * PIXEL)
    assert low == pytest.approx(dose_envelope(frequency, 2.0), abs=0.01)
    assert high == pytest.approx(0.5 * dose_envelope(frequency, 90.0), abs=0.01)
    assert other == pytest.approx(0.5 * dose_envelope(frequency, 120.0), abs=0.01)
    assert mate == pytest.approx(high, abs=1e-6)


def test_a_weight_volume_is_read_along_its_own_axes_and_the_wedge_still_holds():
    volume = np.ones((16, 16, 16), np.float32)
    volume[:, :, 8 + 3] = 0.25  # x = 3 of a box half as large: 6 of this one
    h = np.array([[6, 0, 1], [0, 6, 0], [1, 0, 6]], float)
    assert transfer(Weighting(volume=volume))(h) == pytest.approx([0.25, 1, 1])
    assert transfer(Weighting(volume=volume), MissingWedge(-60, 60))(h) == pytest.approx([0.25, 1, 0])


def test_an_average_weighted_by_the_ctf_is_the_map_again():
    """Two defoci whose zeros differ: amplitudes are restored where either saw them (Wiener)."""
    reference = blob_map(BOX)
    wanted = band(BOX, 12.0)
    h = wanted.indices.astype(np.float32)
    rotations = matrices_from_dynamo(np.arange(12) * 77.0, np.arange(12) * 31.0, np.arange(12) * 53.0)
    plain, weighted = AverageSum(BOX, 12.0), AverageSum(BOX, 12.0)
    for i, rotation in enumerate(rotations):
        amplitude = transfer(Weighting((20000.0, 34000.0)[i % 2]))(h)
        data = coefficients(blob_map(BOX, rotation)[None].astype(np.float32), wanted) * amplitude
        plain.add(data, np.ones_like(amplitude), rotation[None], h)
        weighted.add(data, amplitude, rotation[None], h)

    def shells(total):
        spectrum = scipy.fft.rfftn(finish(total, fmin=0.03).volume)
        return spectrum[(frequency_radius(BOX) >= 4) & (frequency_radius(BOX) < 11)]

    single = AverageSum(BOX, 12.0)  # below 4 Fourier pixels both CTFs are near zero: nothing was measured there
    single.add(
        coefficients(reference[None].astype(np.float32), wanted), np.ones(len(h), np.float32), np.eye(3)[None], h
    )
    truth = shells(single)
    error = {
        name: np.linalg.norm(shells(t) - truth) / np.linalg.norm(truth)
        for name, t in (("plain", plain), ("ctf", weighted))
    }
    assert error["ctf"] < 0.2 and error["plain"] > 0.35
