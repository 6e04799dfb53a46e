# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception that is meant for the user: a sentence with the value and the remedy, never a traceback."""

import re

# Unicode's categories Cc, and the two separators that str.splitlines breaks at besides.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# No name of a file is longer than 255 characters: what is, was quoted from a damaged file.
_ENDLESS = re.compile(r"([^\s/]{60})[^\s/]{196,}")


class InputError(ValueError):
    """Something the user gave cannot be used; the message names it and says what to do.

    Whatever a damaged file puts into the message, it stays one line that can be read: control characters become spaces,
    endless words are cut.
    """

    def __init__(self, message=""):
        super().__init__(_ENDLESS.sub(r"\1…", _CONTROL.sub(" ", str(message))))
