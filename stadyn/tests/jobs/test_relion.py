# SPDX-License-Identifier: GPL-3.0-or-later
"""Post-processing beside RELION's own, where it is installed: curves, resolution, sharpened map, and files it reads."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from stadyn.core.errors import InputError
from stadyn.io.relion_postprocess import read_mtf
from stadyn.io.star import write_star

PROGRAM = "relion_postprocess"
BENCHMARK = Path(__file__).parents[3] / "benchmarks" / f"{PROGRAM}.py"
needs_relion = pytest.mark.skipif(
    shutil.which(PROGRAM) is None or not BENCHMARK.exists(), reason="RELION is not installed"
)


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location(PROGRAM, BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@needs_relion
@pytest.mark.parametrize(("box", "pair", "with_mtf"), [(48, 0, False), (56, 1, True), (64, 2, False)])
def test_the_same_numbers_as_relion(benchmark, tmp_path, box, pair, with_mtf):
    found = benchmark.compare(tmp_path, box, *benchmark.PAIRS[pair], seed=pair, with_mtf=with_mtf)
    assert max(found["unmasked"], found["masked"]) < 0.005
    assert found["corrected"] < 0.02
    assert found["shells_apart"] < 0.5
    assert found["correlation"] >= 0.999


@needs_relion
def test_relion_opens_the_final_map_and_its_table(benchmark, tmp_path):
    benchmark.compare(tmp_path, 32, *benchmark.PAIRS[0])
    out = tmp_path / "stadyn"
    command = ["relion_image_handler", "--i", out / "postprocess.mrc", "--stats"]
    stats = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "= 32 x 32 x 32" in stats and "angpix = 1.35" in stats
    command = ["relion_star_printtable", out / "postprocess.star", "data_fsc", "_rlnResolution"]
    table = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    np.testing.assert_allclose([float(line) for line in table.split()], np.arange(17) / (32 * 1.35), rtol=1e-4)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"rlnResolutionInversePixel": [0.0, 0.5], "rlnMtfValue": [1.0, 0.0]}, "nothing can be divided"),
        ({"rlnResolutionInversePixel": [0.5, 0.0], "rlnMtfValue": [1.0, 0.5]}, "do not rise"),
        ({"rlnResolution": [0.0, 0.5], "rlnMtfValue": [1.0, 0.5]}, "rlnResolutionInversePixel"),
    ],
)
def test_a_faulty_mtf_is_named(tmp_path, columns, said):
    path = tmp_path / "mtf.star"
    write_star(path, {"mtf": {name: np.array(values) for name, values in columns.items()}})
    with pytest.raises(InputError, match=said):
        read_mtf(path)
