# SPDX-License-Identifier: GPL-3.0-or-later
"""Scipion objects to domain types and back."""
