# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception that is meant for the user: a sentence with the value and the remedy, never a traceback."""


class InputError(ValueError):
    """Something the user gave cannot be used; the message names it and says what to do."""
