# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures appear whole or not at all, under the name that was asked for and no other."""

import re
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image

import stadyn
from stadyn.core.errors import InputError
from stadyn.plots.saving import save_figure

PACKAGE = Path(stadyn.__file__).parent
STARTS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


def figure():
    drawn = Figure(figsize=(2, 1))
    drawn.subplots().plot([0, 1])
    return drawn


@pytest.mark.parametrize("ending", STARTS)
def test_the_ending_chooses_the_format(tmp_path, ending):
    path = save_figure(figure(), tmp_path / f"curve.{ending}", dpi=50)
    assert path.read_bytes().startswith(STARTS[ending]) and [p.name for p in tmp_path.iterdir()] == [path.name]
    if ending == "png":
        with Image.open(path) as image:
            assert image.size == (100, 50)


def test_a_picture_that_cannot_be_finished_leaves_the_old_one(tmp_path):
    path = save_figure(figure(), tmp_path / "curve.png")
    before = path.read_bytes()
    broken = figure()

    def stop(*arguments, **options):
        raise KeyboardInterrupt

    broken.axes[0].draw = stop
    with pytest.raises(KeyboardInterrupt):
        save_figure(broken, path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["curve.png"]


def test_an_ending_that_is_no_picture_is_refused_with_those_that_are(tmp_path):
    with pytest.raises(InputError, match=r"curve.xyz .*\.png"):
        save_figure(figure(), tmp_path / "curve.xyz")
    with pytest.raises(InputError, match="create the folder"):
        save_figure(figure(), tmp_path / "none" / "curve.png")


def test_no_other_place_writes_pictures_to_files():
    writing = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if re.search(r"\.savefig\((?!buffer)", path.read_text()) and "tests" not in path.parts
    }
    assert writing == {"plots/saving.py"}
