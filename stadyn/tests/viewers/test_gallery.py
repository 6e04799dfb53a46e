# SPDX-License-Identifier: GPL-3.0-or-later
"""The gallery's page shows the pictures that its script takes, all of them there and readable."""

import re
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[3]
PAGE, SCRIPT = ROOT / "docs" / "gallery.md", ROOT / "examples" / "gallery.py"

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="the gallery belongs to the repository, not to the package")


def pictures():
    """Names of the pictures on the page."""
    return re.findall(r"\(gallery/(\w+)\.png\)", PAGE.read_text())


def test_page_and_script_name_the_same_pictures():
    script = SCRIPT.read_text()
    taken = set(re.findall(r'^    \(.*"(\w+)"\),$', script, re.M)) | set(re.findall(r'\bpicture\("(\w+)"', script))
    taken |= {name for _, name in re.findall(r'\("([^"]+)", "(form_\w+|viewer_form)"\)', script)}
    assert taken == set(pictures())


@pytest.mark.parametrize("name", pictures() if PAGE.exists() else [])
def test_picture_is_there_and_not_blank(name):
    with Image.open(PAGE.parent / "gallery" / f"{name}.png") as image:
        assert image.width >= 500 and image.height >= 350
        assert len(image.convert("RGB").getcolors(1 << 24)) > 20
