# SPDX-License-Identifier: GPL-3.0-or-later
"""A layer sees only those above it: each is imported in a process of its own, which then tells what it loaded."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1]
HOST = {"pyworkflow", "pwem", "tomo"}
WINDOWS = {"tkinter", "matplotlib"}
GPU = {"cupy", "cupyx"}
FILES = {"mrcfile", "emtable"}

FORBIDDEN = {
    "core": HOST | WINDOWS | GPU | FILES,
    "io": HOST | WINDOWS | GPU,
    "jobs": HOST | WINDOWS | GPU,
    "plots": HOST | GPU | {"tkinter"},
    "convert": GPU,
    "protocols": GPU,
}
LATER = {
    "core": ("io", "jobs", "convert", "protocols", "plots", "viewers"),
    "io": ("jobs", "convert", "protocols", "plots", "viewers"),
    "jobs": ("convert", "protocols", "viewers"),
    "plots": ("jobs", "convert", "protocols", "viewers"),
    "convert": ("jobs", "protocols", "plots", "viewers"),
    "protocols": ("plots", "viewers"),
}
# A module of None in sys.modules makes its import fail, as on a machine that does not have it.
SCRIPT = """
import importlib, json, sys
modules, absent = json.loads(sys.argv[1])
sys.modules.update(dict.fromkeys(absent))
for module in modules:
    importlib.import_module(module)
print(json.dumps([name for name, module in sys.modules.items() if module is not None]))
"""


def modules_of(layer):
    """Dotted names of every module of a layer."""
    files = sorted((PACKAGE / layer).glob("*.py"))
    names = [f"stadyn.{layer}" if f.stem == "__init__" else f"stadyn.{layer}.{f.stem}" for f in files]
    assert names, f"layer {layer} has no modules"
    return names


def loaded_by(modules, absent=()):
    """Names in sys.modules of a fresh interpreter that imported `modules` where `absent` are not installed."""
    command = [sys.executable, "-c", SCRIPT, json.dumps([modules, sorted(absent)])]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PACKAGE.parent, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_layer_loads_nothing_it_may_not_know(layer):
    loaded = loaded_by(modules_of(layer))
    roots = {name.split(".")[0] for name in loaded}
    assert not roots & FORBIDDEN[layer]
    assert not [name for name in loaded for later in LATER[layer] if name.startswith(f"stadyn.{later}.")]


def test_numerics_run_where_scipion_and_cupy_are_not_installed():
    modules = ["stadyn", "stadyn.__main__", *modules_of("core"), *modules_of("io"), *modules_of("jobs")]
    loaded = loaded_by(modules, absent=HOST | GPU | WINDOWS)
    assert "stadyn.core.alignment" in loaded and "stadyn.plugin" not in loaded


def test_the_plugin_is_loaded_only_when_the_host_asks():
    assert "pwem" not in loaded_by(["stadyn"])
    asked = subprocess.run(
        [sys.executable, "-c", "import stadyn; print(stadyn.Plugin.__module__, stadyn.__version__)"],
        capture_output=True, text=True, cwd=PACKAGE.parent, check=True,
    )
    assert asked.stdout.split()[0] == "stadyn"
