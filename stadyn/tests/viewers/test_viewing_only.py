# SPDX-License-Identifier: GPL-3.0-or-later
"""Viewers show what was saved: they know the classes of results, and nothing that works them out."""

import ast
from pathlib import Path

import pytest

import stadyn

FOLDER = Path(stadyn.__file__).parent / "viewers"
PREVIEWS = {"form_input.py", "previews.py", "rounds_table.py"}
"""What the wizards show is worked out while a slider moves; nothing of it is a result."""
FILES = sorted(path for path in FOLDER.glob("*.py") if path.name not in PREVIEWS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_viewers_import_classes_of_results_and_no_arithmetic(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stadyn.core"):
            for name in (alias.name for alias in node.names):
                assert name[0].isupper(), f"{path.name} computes with {node.module}.{name}: save it in the protocol"
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            assert not [name for name in names if name.split(".")[0] in ("scipy", "sklearn")]
