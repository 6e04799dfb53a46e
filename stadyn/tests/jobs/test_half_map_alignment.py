# SPDX-License-Identifier: GPL-3.0-or-later
"""Even half-map to odd through the engine and the polish, as the half-maps protocol does, on planted maps."""

import importlib.util
from pathlib import Path

import pytest

NAME = "half_map_alignment"
BENCHMARK = Path(__file__).parents[3] / "benchmarks" / f"{NAME}.py"


@pytest.mark.skipif(not BENCHMARK.exists(), reason="benchmarks are not installed")
@pytest.mark.parametrize(("symmetry", "seed"), [("C1", 1), ("C1", 2), ("C6", 3)])
def test_planted_turn_and_shift(symmetry, seed):
    spec = importlib.util.spec_from_file_location(NAME, BENCHMARK)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    degrees, pixels = benchmark.errors(symmetry, seed)
    assert degrees <= 0.1 and pixels <= 0.05
