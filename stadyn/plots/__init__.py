# SPDX-License-Identifier: GPL-3.0-or-later
"""A result and a matplotlib axis in, the axis out."""
