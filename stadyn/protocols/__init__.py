# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocols, one file each. The host discovers what is imported here."""
