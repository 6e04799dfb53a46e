# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host's launcher finds in this package: its tests."""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
DISCOVER = """
import sys, unittest
sys.modules["pytest"] = None  # a user's Scipion has none
suite = unittest.defaultTestLoader.discover("stadyn/tests", pattern="test*.py", top_level_dir=".")
while not all(isinstance(test, unittest.TestCase) for test in suite):
    suite = [test for part in suite for test in part]
print(*[test.id() for test in suite])
"""


def test_the_host_finds_the_workflow_and_nothing_it_cannot_load():
    found = subprocess.run([sys.executable, "-c", DISCOVER], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    name = "stadyn.tests.test_host_workflow.TestStadynWorkflow.test_points_on_the_shells_settle_on_the_lattice"
    assert found.stdout.split() == [name]
