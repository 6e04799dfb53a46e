# SPDX-License-Identifier: GPL-3.0-or-later
"""The dipole picker: a window on slices of tomograms, in a process of its own, without Scipion."""
