# SPDX-License-Identifier: GPL-3.0-or-later
"""What the mathematics is: numerics on arrays and domain types, without files, Scipion or a GPU requirement."""
