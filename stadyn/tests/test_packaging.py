# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user gets who installs this checkout: one version, one entry point, every file, a README that is true."""

import ast
import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import stadyn

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "stadyn"
SPDX = "# SPDX-License-Identifier: GPL-3.0-or-later"
SOURCES = sorted(PACKAGE.rglob("*.py"))

pytestmark = pytest.mark.skipif(not (ROOT / "setup.py").is_file(), reason="not a checkout: the package was installed")


def tracked_files():
    """What git holds; everything that is not made by tools where there is no git (a downloaded archive)."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False, text=True)
    if listing.returncode == 0 and listing.stdout:
        return [path for name in listing.stdout.split("\0") if name and (path := ROOT / name).is_file()]
    made = {".venv", "demo", "build", "dist", "__pycache__", ".pytest_cache", ".ruff_cache"}
    return [
        p
        for p in ROOT.rglob("*")
        if p.is_file() and not made & set(p.relative_to(ROOT).parts) and ".egg-info" not in str(p)
    ]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Folder holding the package and its metadata as `pip install .` would lay them out."""
    pytest.importorskip("setuptools")
    folder = tmp_path_factory.mktemp("build")
    copy = folder / "checkout"  # setuptools writes beside setup.py, and other tests may build at the same time
    shutil.copytree(PACKAGE, copy / "stadyn", ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, copy)
    command = [
        sys.executable,
        "setup.py",
        "-q",
        "egg_info",
        "--egg-base",
        str(folder),
        "build",
        "--build-lib",
        str(folder / "lib"),
    ]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def metadata(built):
    (egg,) = built.glob("*.egg-info")
    return egg


def test_version_stands_in_one_place(built):
    version = stadyn.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc|\.dev)\d+)?", version)
    info = (metadata(built) / "PKG-INFO").read_text()
    assert f"\nVersion: {version}\n" in info and "\nName: scipion-em-stadyn\n" in info
    homes = [
        p.relative_to(ROOT).as_posix()
        for p in [*SOURCES, ROOT / "setup.py", ROOT / "pyproject.toml"]
        if f'"{version}"' in p.read_text()
    ]
    assert homes == ["stadyn/__init__.py"]
    assert f"## {version}" in (ROOT / "CHANGES.md").read_text()


def test_the_host_finds_the_plugin_by_its_entry_point(built):
    parser = configparser.ConfigParser()
    parser.read(metadata(built) / "entry_points.txt")
    assert dict(parser["pyworkflow.plugin"]) == {"stadyn": "stadyn"}


def test_every_data_file_is_packaged(built):
    data = [p for p in tracked_files() if PACKAGE in p.parents and p.suffix != ".py"]
    names = {p.relative_to(PACKAGE).as_posix() for p in data}
    assert {"protocols.conf", "icon.png", "templates/vlp_nine_steps.json.template"} <= names
    missing = [name for name in sorted(names) if not (built / "lib" / "stadyn" / name).is_file()]
    assert not missing


def test_every_module_is_packaged(built):
    missing = [p.relative_to(ROOT).as_posix() for p in SOURCES if not (built / "lib" / p.relative_to(ROOT)).is_file()]
    assert not missing


def test_licence_is_the_gpl_and_is_named(built):
    assert "GNU GENERAL PUBLIC LICENSE" in (ROOT / "LICENSE").read_text()[:200]
    assert "GPL-3.0-or-later" in (metadata(built) / "PKG-INFO").read_text()


def test_extras_are_what_the_readme_promises(built):
    requires = (metadata(built) / "requires.txt").read_text()
    extras = set(re.findall(r"^\[(\w+)\]", requires, re.MULTILINE))
    assert {"gpu", "test", "dev"} <= extras
    assert set(re.findall(r"\.\[(\w+)\]", (ROOT / "README.md").read_text())) <= extras
    required = requires.split("\n[")[0].lower()
    assert "cupy" not in required and "scipion-em-tomo" in required


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_module_says_its_licence_and_what_it_knows(path):
    text = path.read_text()
    if not text.strip():
        assert path.name == "__init__.py"
        return
    assert text.startswith(SPDX + "\n"), "first line"
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring and docstring.split("\n")[0].strip(), "module docstring"


def test_readme_tells_the_nine_steps_and_names_what_exists():
    text = (ROOT / "README.md").read_text()
    rows = dict(re.findall(r"^\| *(\d) *\|(.*)\|$", text, re.MULTILINE))
    assert sorted(rows) == list("123456789")
    assert all("stadyn/protocols/" in row for row in rows.values())
    named = set(re.findall(r"stadyn/protocols/\w+\.py", text))
    assert not [name for name in sorted(named) if not (ROOT / name).is_file()]
    protocols = [p for p in (PACKAGE / "protocols").glob("*.py") if "\nclass StadynProt" in p.read_text()]
    untold = {p.relative_to(ROOT).as_posix() for p in protocols if p.name != "base.py"} - named
    assert not untold
    labels = {re.search(r'_label = "(.+)"', p.read_text())[1] for p in protocols if p.name != "base.py"}
    assert not sorted(label for label in labels if label not in text)


def test_documented_replays_give_what_the_template_asks():
    from stadyn.workflow import read_workflow

    workflow = read_workflow("vlp_nine_steps")
    labels = re.findall(
        r'"object.label": "(.+?)"', (PACKAGE / "templates" / "vlp_nine_steps.json.template").read_text()
    )
    for page in (ROOT / "README.md", ROOT / "docs" / "user-guide.md"):
        text = page.read_text()
        commands = re.findall(r"replay vlp_nine_steps ((?:.*\\\n)*.*)", text)
        assert commands, f"{page.name} shows no replay"
        words = set(re.findall(r"(?<![\w-])([a-z_]+)=", " ".join(commands))) | set(re.findall(r"`([a-z_]+)=\d*`", text))
        assert words and words <= set(workflow.fields)
        assert set(re.findall(r'--until "(.+?)"', text)) <= set(labels)


def test_links_of_the_documents_lead_somewhere():
    broken = []
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")]:
        for link in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text()):
            if not (page.parent / link).exists():
                broken.append(f"{page.relative_to(ROOT)} -> {link}")
    assert not broken


def test_benchmarks_are_told_and_run_by_make():
    told, run = (ROOT / "benchmarks" / "README.md").read_text(), (ROOT / "Makefile").read_text()
    for path in tracked_files():
        if path.parent == ROOT / "benchmarks" and path.suffix == ".py":
            assert f"benchmarks/{path.name}" in told and f"benchmarks/{path.name}" in run


def test_no_path_of_one_machine_is_left():
    forbidden = re.compile(
        "|".join("/" + folder + "/" for folder in ("work", "root", "home/[a-z]+", "tmp/venv")).encode()
    )
    text = set(".py .md .toml .cfg .json .template .conf .txt .yml .sh .csv .cmm .svg .in".split()) | {""}
    found = [
        p.relative_to(ROOT).as_posix()
        for p in tracked_files()
        if p.suffix in text and p.name != "LICENSE" and forbidden.search(p.read_bytes())
    ]
    assert not found


def test_commands_of_the_command_line_exist():
    from stadyn.__main__ import COMMANDS

    missing = [module for module, _ in COMMANDS.values() if not (ROOT / (module.replace(".", "/") + ".py")).is_file()]
    assert not missing


DISTRIBUTIONS = {
    "sklearn": "scikit-learn",
    "pyworkflow": "scipion-pyworkflow",
    "pwem": "scipion-em",
    "tomo": "scipion-em-tomo",
    "cupy": "cupy-cuda12x",
    "cupyx": "cupy-cuda12x",
}
"""Import name -> distribution, where they differ."""
BROUGHT = {"matplotlib", "mpl_toolkits", "PIL", "setuptools", "threadpoolctl"}
"""By the host, which pins them, and by scikit-learn."""


def imported_modules(path):
    """Names of the top-level modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0]


def test_every_import_is_a_declared_dependency(built):
    requires = (metadata(built) / "requires.txt").read_text().lower()
    declared = set(re.findall(r"^([a-z0-9-]+)", requires, re.MULTILINE))
    foreign = {name for path in SOURCES for name in imported_modules(path)} - set(sys.stdlib_module_names) - {"stadyn"}
    assert {DISTRIBUTIONS.get(name, name) for name in foreign - BROUGHT} <= declared
