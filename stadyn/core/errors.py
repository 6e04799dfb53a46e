# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception that is meant for the user: a sentence with the value and the remedy, never a traceback."""

import re

# Unicode's categories Cc, and the two separators that str.splitlines breaks at besides.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class InputError(ValueError):
    """Something the user gave cannot be used; the message names it and says what to do.

    Whatever a damaged file puts into the message, it stays one line: control characters become spaces.
    """

    def __init__(self, message=""):
        super().__init__(_CONTROL.sub(" ", str(message)))
