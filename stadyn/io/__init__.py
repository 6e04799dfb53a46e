# SPDX-License-Identifier: GPL-3.0-or-later
"""Files to domain types and back; nothing here computes."""
