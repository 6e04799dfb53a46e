# SPDX-License-Identifier: GPL-3.0-or-later
"""The extract job: boxes of the tomogram's own voxels, named by id, those over the border left out and listed."""

import json

import numpy as np
import pytest

from stadyn.__main__ import main
from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable
from stadyn.io.mrc import read_header, read_volume
from stadyn.io.results import read_result
from stadyn.jobs import extract
from stadyn.tests.core.planted import plant

from .planted_files import written

BOX = 24


@pytest.fixture(scope="module")
def planted():
    return plant(6, BOX, seed=3, snr=1.0, tomogram_ids=("a", "b"))


def test_boxes_are_the_tomograms_voxels_around_the_nearest_one(tmp_path, planted):
    positions = planted.truth.positions.copy()
    positions[1] = (3.0, 14.0, 15.0)  # too near the border along x
    table = planted.truth.replace(positions=positions, ids=np.array([7, 8, 9, 10, 11, 4]))
    settings = written(tmp_path, planted, table)
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    assert main(["extract", str(tmp_path / "settings.json")]) == 0
    out = tmp_path / "out"
    files = sorted(str(p.relative_to(out)) for p in out.glob("*/*.mrc"))
    assert files == sorted(f"{'ab'[i % 2]}/particle_{table.ids[i]:06d}.mrc" for i in (0, 2, 3, 4, 5))
    for row in (0, 5):
        tomogram_id = table.tomogram_ids[row]
        path = out / tomogram_id / f"particle_{table.ids[row]:06d}.mrc"
        low = np.rint(positions[row])[::-1].astype(int) - BOX // 2
        expected = planted.volumes[tomogram_id][tuple(slice(a, a + BOX) for a in low)]
        assert np.array_equal(read_volume(path), expected) and read_header(path).pixel_size == 5.0
    kept = read_result(out / "particles.npz", ParticleTable)
    assert kept.ids.tolist() == [7, 9, 10, 11, 4] and np.array_equal(kept.positions, positions[[0, 2, 3, 4, 5]])
    report = json.loads((out / "extract.json").read_text())
    assert report["written"] == 5 and report["pixel_size"] == 5.0 and report["box_px"] == BOX
    assert [d["id"] for d in report["dropped"]] == [8] and "tomogram b" in report["dropped"][0]["reason"]


@pytest.mark.parametrize("binning, box_px", [(2, 12), (3, 8)])
def test_binned_and_inverted(tmp_path, planted, binning, box_px):
    settings = written(tmp_path, planted, binning=binning)
    extract.run_settings(settings)
    extract.run_settings({**settings, "output": str(tmp_path / "bright"), "invert": True})
    name = "a/particle_000001.mrc"
    dark, bright = (read_volume(tmp_path / o / name) for o in ("out", "bright"))
    assert dark.shape == (box_px,) * 3 and np.array_equal(dark, -bright)
    assert read_header(tmp_path / "out" / name).pixel_size == pytest.approx(5.0 * BOX / box_px)
    low = np.rint(planted.truth.positions[0])[::-1].astype(int) - BOX // 2
    whole = planted.volumes["a"][tuple(slice(c, c + BOX) for c in low)]
    spectra = [np.fft.fftshift(np.fft.fftn(np.fft.ifftshift(v))) / v.size for v in (whole.astype(float), dark)]
    c, d = BOX // 2, box_px // 2
    inner = [s[m - 3 : m + 4, m - 3 : m + 4, m - 3 : m + 4] for s, m in zip(spectra, (c, d), strict=True)]
    assert np.abs(inner[0] - inner[1]).max() < 1e-4 * np.abs(inner[0]).max()


def test_what_cannot_be_written_is_refused(tmp_path, planted):
    settings = written(tmp_path, planted)
    for binning in (0, 4):
        with pytest.raises(InputError, match=f"binning {binning} leaves a box of .* give 1 to 3"):
            extract.run_settings({**settings, "binning": binning})
    twins = written(tmp_path, planted, planted.truth.replace(ids=np.ones(6, int)), "twins")
    with pytest.raises(InputError, match="tomogram a .*twins.npz share ids.*renumber"):
        extract.run_settings(twins)
    with pytest.raises(InputError, match='unknown key "binnning": did you mean "binning"'):
        extract.run_settings({**settings, "binnning": 2})
