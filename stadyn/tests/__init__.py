# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests; all are pytest's, but for the workflow that ``scipion tests`` runs."""


def load_tests(loader, _tests, _pattern):
    """What unittest, and with it the host, finds here: it cannot load the others without pytest."""
    return loader.loadTestsFromName("stadyn.tests.test_host_workflow")
