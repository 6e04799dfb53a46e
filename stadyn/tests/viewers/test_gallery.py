# SPDX-License-Identifier: GPL-3.0-or-later
"""The gallery's page shows the pictures that its script takes, all of them there and readable."""

import importlib.util
import os
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[3]
PAGE, SCRIPT = ROOT / "docs" / "gallery.md", ROOT / "examples" / "gallery.py"
APT = """#!/bin/sh
echo "$@" >> {folder}/asked
case "$1" in
  update) touch {folder}/lists ;;
  install) test -e {folder}/lists || exit 100; printf '#!/bin/sh' > {folder}/Xvfb; chmod +x {folder}/Xvfb ;;
esac
"""
"""An apt-get that knows no package before its lists were fetched, as in a fresh container."""

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


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with nothing but a shell on its PATH, and the script that readies it."""
    for program in ("sh", "touch", "chmod"):
        (tmp_path / program).symlink_to(shutil.which(program))
    monkeypatch.setenv("PATH", str(tmp_path))
    spec = importlib.util.spec_from_file_location("screen", ROOT / "examples" / "screen.py")
    screen = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(screen)
    return tmp_path, screen


def give_apt(folder):
    (folder / "apt-get").write_text(APT.format(folder=folder))
    (folder / "apt-get").chmod(0o755)


def test_apt_brings_the_screen_where_it_is_missing_and_may(machine, monkeypatch):
    folder, screen = machine
    give_apt(folder)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert screen.install_missing(["Xvfb"]) == []
    install = "install --yes --quiet xvfb fonts-dejavu-core"
    assert (folder / "asked").read_text().splitlines() == [install, "update --quiet", install]
    assert screen.install_missing(["Xvfb"]) == [] and len((folder / "asked").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("apt", "user", "why"), [(True, 1000, "only root may install"), (False, 0, "no apt-get"), (False, 1000, "no apt")]
)
def test_where_it_may_not_what_is_skipped_is_said_and_why(machine, monkeypatch, capsys, apt, user, why):
    folder, screen = machine
    if apt:
        give_apt(folder)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert screen.main() == 0
    said = capsys.readouterr().err
    assert why in said and "will be skipped" in said and "apt-get install xvfb" in said
    assert not (folder / "asked").exists()
