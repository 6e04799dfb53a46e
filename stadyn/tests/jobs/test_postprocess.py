# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands postprocess, local-resolution and mask: files, numbers, and one sentence for each faulty input."""

import json

import numpy as np
import pytest
from scipy import fft as sfft

from stadyn.__main__ import main
from stadyn.core.errors import InputError
from stadyn.core.fourier import frequency_radius
from stadyn.core.fsc import FSCCurve, fsc, resolution_at
from stadyn.core.masks import sphere
from stadyn.core.sharpening import flip_hand, sharpen
from stadyn.io.mrc import read_header, read_volume, write_volume
from stadyn.io.results import read_result
from stadyn.io.star import read_star, write_star
from stadyn.jobs.mask import run_mask
from stadyn.jobs.postprocess import run_postprocess

BOX, PIXEL, NOISE = 56, 3.0, 0.2


def protein(seed=1):
    """A ball of detail, 36 Å in radius and nowhere symmetric, that fades with B = -700."""
    rng = np.random.default_rng(seed)
    detail = (3 * rng.standard_normal((BOX,) * 3) + 1) * sphere(BOX, 12, 4)
    frequency = frequency_radius(BOX) / (BOX * PIXEL)
    return sfft.irfftn(sfft.rfftn(detail) * np.exp(-700 / 4 * frequency**2), s=(BOX,) * 3).astype(np.float32)


@pytest.fixture(scope="module")
def halves(tmp_path_factory):
    folder = tmp_path_factory.mktemp("halves")
    rng = np.random.default_rng(0)
    for name in ("half1", "half2"):
        write_volume(folder / f"{name}.mrc", protein() + NOISE * rng.standard_normal((BOX,) * 3), PIXEL)
    write_volume(folder / "mask.mrc", sphere(BOX, 16, 6), PIXEL)
    return folder


def true_resolution(folder):
    """FSC 0.5 of the mean against the noise-free map: where the half-maps' 0.143 should lie."""
    first, second = (read_volume(path) for path in files(folder))
    mask = read_volume(folder / "mask.mrc")
    frequency = np.arange(BOX // 2 + 1) / (BOX * PIXEL)
    return resolution_at(frequency, fsc((first + second) * mask, protein() * mask), 0.5)


def files(folder):
    return str(folder / "half1.mrc"), str(folder / "half2.mrc")


def test_postprocess_command(halves, tmp_path, capsys):
    out = tmp_path / "post"
    assert main(["postprocess", *files(halves), "--mask", str(halves / "mask.mrc"), "--out", str(out)]) == 0
    wanted = "fsc.npz guinier.npz postprocess.star postprocess_fsc.xml fsc.csv mask.mrc postprocess.mrc"
    wanted += " postprocess_masked.mrc postprocess.json fsc.png guinier.png slices.png"
    assert {p.name for p in out.iterdir()} == set(wanted.split())
    summary = json.loads((out / "postprocess.json").read_text())
    assert summary["resolution_0143_angst"] == pytest.approx(true_resolution(halves), rel=0.05)
    assert summary["b_factor"] == summary["b_factor_fitted"] == pytest.approx(-700, rel=0.1)
    assert summary["warnings"] == []
    curve = read_result(out / "fsc.npz", FSCCurve)
    star = read_star(out / "postprocess.star")
    assert star["general"]["rlnFinalResolution"] == pytest.approx(curve.resolution_shell_angst)
    assert np.allclose(star["fsc"]["rlnFourierShellCorrelationCorrected"], curve.corrected)
    name = "rlnCorrectedFourierShellCorrelationPhaseRandomizedMaskedMaps"
    assert np.allclose(star["fsc"][name], curve.randomised)
    assert star["fsc"]["rlnAngstromResolution"][-1] == pytest.approx(2 * PIXEL)
    csv = np.genfromtxt(out / "fsc.csv", delimiter=",", names=True)
    assert np.allclose(csv["masked"], curve.masked) and csv["frequency_per_angst"][-1] == pytest.approx(1 / (2 * PIXEL))
    final = read_volume(out / "postprocess.mrc")
    assert read_header(out / "postprocess.mrc").pixel_size == pytest.approx(PIXEL)
    expected = sharpen(protein(), PIXEL, -700, lowpass_angst=summary["lowpass_angst"])
    inside = read_volume(out / "mask.mrc") > 0.5
    assert np.corrcoef(final[inside], expected[inside])[0, 1] > 0.8
    assert f"{summary['resolution_0143_angst']:.2f} Å at FSC 0.143" in capsys.readouterr().out


def test_typed_b_factor_dark_input_and_flipped_hand(halves, tmp_path):
    for name in ("half1", "half2"):
        write_volume(tmp_path / f"{name}.mrc", -read_volume(halves / f"{name}.mrc"), PIXEL)
    options = {"mask": halves / "mask.mrc", "b_factor": -80, "lowpass_angst": 12}
    run_postprocess(*files(halves), tmp_path / "bright", **options)
    summary = run_postprocess(*files(tmp_path), tmp_path / "dark", flip=True, contrast="dark", **options)
    assert summary["b_factor"] == -80 and summary["lowpass_angst"] == 12 and summary["hand_flipped"]
    for name in ("postprocess.mrc", "postprocess_masked.mrc"):
        plain, mirrored = (read_volume(tmp_path / kind / name) for kind in ("bright", "dark"))
        assert np.allclose(mirrored, flip_hand(plain), atol=1e-5)
        assert np.abs(mirrored - plain).max() > 0.1


def test_fit_range_weights_mtf_and_cones(halves, tmp_path, capsys):
    mask, out = str(halves / "mask.mrc"), tmp_path / "out"
    frequency = np.linspace(0, 0.5, 11)
    mtf = {"rlnResolutionInversePixel": frequency, "rlnMtfValue": np.exp(-(frequency**2) * 100 / 4 / PIXEL**2)}
    write_star(tmp_path / "mtf.star", {"mtf": mtf})
    words = ["--mask", mask, "--fit-from", "18", "--fit-to", "9", "--no-fsc-weighting", "--directional", "30"]
    assert main(["postprocess", *files(halves), *words, "--out", str(out)]) == 0
    plain = json.loads((out / "postprocess.json").read_text())
    assert plain["guinier_range_angst"] == [18, 9] and plain["fsc_weighting"] is False
    assert set(plain["directional_resolution_angst"]) == {"x", "y", "z"} and plain["directional_anisotropy"] < 1.3
    assert (out / "directional_fsc.npz").exists() and (out / "directional_fsc.png").exists()
    corrected = run_postprocess(*files(halves), out, mask, mtf=tmp_path / "mtf.star", fit_range_angst=(18, 9))
    again = run_postprocess(*files(halves), tmp_path / "again", mask, fit_range_angst=(18, 9))
    # An MTF of exp(-100 / 4d²) is a B-factor of -100, which dividing by it takes away.
    assert corrected["b_factor_fitted"] - again["b_factor_fitted"] == pytest.approx(100, abs=5)
    assert not (out / "directional_fsc.npz").exists()  # an earlier run's
    assert main(["postprocess", *files(halves), "--mtf", str(out / "postprocess.star"), "--out", str(out)]) == 1
    assert "MTF of a detector" in capsys.readouterr().err


def test_a_mask_is_made_where_none_is_given(halves, tmp_path):
    summary = run_postprocess(*files(halves), tmp_path, symmetry="C2")
    mask = read_volume(tmp_path / "mask.mrc")
    c = BOX // 2
    assert mask[c, c, c] == 1 and 0.02 < mask.mean() < 0.4
    assert np.allclose(mask[c, c, c + 1 : c + 20], mask[c, c, c - 1 : c - 20 : -1], atol=0.35)
    assert summary["resolution_0143_angst"] == pytest.approx(true_resolution(halves), rel=0.1)


def test_local_resolution_command(halves, tmp_path):
    out, mask = tmp_path / "local", str(halves / "mask.mrc")
    assert main(["local-resolution", *files(halves), "--mask", mask, "--window", "17", "--out", str(out)]) == 0
    summary = json.loads((out / "local_resolution.json").read_text())
    resolution = read_volume(out / "local_resolution.mrc")
    inner = resolution[sphere(BOX, 8, 0) > 0]
    assert np.median(inner) == pytest.approx(8.8, rel=0.1)  # the FSC of the whole ball under the mask at 0.5
    assert resolution[0, 0, 0] == 0 and summary["voxels"] == np.count_nonzero(resolution)
    assert {p.name for p in out.iterdir()} >= {"local_filtered.mrc", "local_resolution.npz", "local_resolution.png"}


def test_mask_command(halves, tmp_path, capsys):
    out = tmp_path / "made.mrc"
    assert main(["mask", str(halves / "half1.mrc"), "--cell-radius", "20", "--out", str(out)]) == 0
    assert read_volume(out)[(BOX // 2,) * 3] == 1
    run_mask(halves / "half1.mrc", out, "curved-slab", radius=45, z_min=-15, z_max=15, surface_radius=150)
    slab = read_volume(out)
    assert slab[BOX // 2 + 10, BOX // 2, BOX // 2] < 0.1 < slab[BOX // 2 - 8, BOX // 2, BOX // 2 + 12]
    assert main(["mask", str(halves / "half1.mrc"), "--shape", "cylinder", "--radius", "40", "--out", str(out)]) == 1
    assert "--z-min, --z-max" in capsys.readouterr().err


def faulty(kind, folder):
    """The second half-map and the mask of a run that must be refused."""
    half, mask = np.random.default_rng(0).standard_normal((BOX,) * 3), None
    if kind == "missing":
        return folder / "nowhere.mrc", None
    if kind == "nan":
        half[3, 4, 5] = np.nan
    if kind == "shape":
        half = half[:40, :40, :40]
    if "mask" in kind:
        mask = folder / "mask.mrc"
        values = np.zeros((40 if kind == "mask shape" else BOX,) * 3)
        values[0] = np.nan if kind == "mask nan" else kind != "empty mask"
        write_volume(mask, values, 4.0 if kind == "mask pixel size" else PIXEL)
    write_volume(folder / "half2.mrc", half, 4.0 if kind == "pixel size" else PIXEL)
    return folder / "half2.mrc", mask


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("missing", "nowhere.mrc"),
        ("nan", "NaN"),
        ("shape", "same box"),
        ("pixel size", "4 Å a pixel"),
        ("empty mask", "mask.mrc is empty"),
        ("mask nan", "mask.mrc.*NaN"),
        ("mask shape", "mask.mrc has shape"),
        ("mask pixel size", "mask.mrc has 4 Å a pixel"),
        ("noise", "agree at no resolution"),
    ],
)
def test_faulty_input_is_one_sentence(halves, tmp_path, kind, said):
    second, mask = faulty(kind, tmp_path)
    first = halves / "half1.mrc"
    if kind == "noise":
        first = tmp_path / "half1.mrc"
        write_volume(first, -read_volume(second), PIXEL)
        mask = halves / "mask.mrc"
    with pytest.raises(InputError, match=said) as caught:
        run_postprocess(first, second, tmp_path / "out", mask)
    assert "\n" not in str(caught.value)


def test_one_map_given_twice_is_refused(halves, tmp_path):
    with pytest.raises(InputError, match="the same map"):
        run_postprocess(files(halves)[0], files(halves)[0], tmp_path / "out")


def test_an_oblong_map_is_refused(tmp_path):
    for name in ("half1", "half2"):
        write_volume(tmp_path / f"{name}.mrc", np.zeros((20, 20, 24)), PIXEL)
    with pytest.raises(InputError, match="not a cube"):
        run_postprocess(*files(tmp_path), tmp_path / "out")
