# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of jobs and other JSON files: nothing in them is silently ignored."""

import difflib
import json
import math
import os
from collections.abc import Mapping
from numbers import Integral, Real
from pathlib import Path

import numpy as np

from stadyn.core.errors import InputError

from .aside import read_text, written_aside

NUMBER, WHOLE, TEXT, LIST, OBJECT = "a number", "a whole number", "text", "a list in []", "an object in {}"
KINDS = {
    NUMBER: "box_angst fmin lowpass_angst margin exclusion_radius_angst membrane_angst pixel_size tilt_min_deg"
    " tilt_max_deg",
    WHOLE: "seed threads processes chunks rebuilds binning most",
    TEXT: "output submit particles boxes mask engine score reference_filter symmetry id path model",
    LIST: "tomograms rounds group_by gpu radius_angst tilts_deg doses shape",
    OBJECT: "reference thresholds microscope",
}
"""What the settings of jobs hold, by their keys; null is none of it, and left to the job."""
LONGEST = 80
"""Characters of a value that an error quotes."""
CLASSES = {NUMBER: Real, WHOLE: Integral, TEXT: (str, os.PathLike), LIST: (list, tuple, np.ndarray), OBJECT: Mapping}


def read_settings(path, allowed=None, required=()):
    """The dict in a JSON file.

    Parameters
    ----------
    allowed : iterable of str, keys that may occur besides `required`; None allows all
    required : iterable of str, keys that must occur

    Raises InputError for a missing file, malformed JSON (with its line), a key given twice, or keys
    that are unknown or missing.
    """
    text = read_text(path, "settings")

    def unique(pairs):
        seen = dict(pairs)
        if len(seen) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise InputError(f'settings {path} give {_short(_quoted(twice))} twice in one place: keep one')
        return seen

    def no_number(word):
        raise InputError(f"settings {path} hold {word}, which is not a number in JSON: use null or a number")

    try:
        settings = json.loads(text, object_pairs_hook=unique, parse_constant=no_number)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"settings {path} are not JSON at {place} ({error.msg}): correct them") from error
    except (RecursionError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"settings {path} cannot be read ({str(error)[:100]}): correct them") from error
    if not isinstance(settings, dict):
        raise InputError(f'settings {path} hold a {type(settings).__name__}, not an object: write {{"key": value}}')
    return check_keys(settings, allowed, required, f"settings {path}")


def check_keys(mapping, allowed=None, required=(), where="settings"):
    """`mapping` itself, or an InputError that names a key of `where` which is unknown, missing or of another kind."""
    if not isinstance(mapping, Mapping):
        raise InputError(f'{where} hold {_short(repr(mapping))}, not {OBJECT}: write {{"key": value}}')
    missing = [key for key in required if key not in mapping]
    if missing:
        raise InputError(f'{where} lack "{missing[0]}": add it')
    if allowed is not None:
        known = [*required, *allowed]
        for key in mapping:
            if key not in known:
                close = difflib.get_close_matches(key, known, 1)
                remedy = f'did you mean "{close[0]}"?' if close else f"known are {', '.join(sorted(set(known)))}"
                raise InputError(f'{where} hold an unknown key {_short(_quoted(key))}: {remedy}')
        _check_kinds(mapping, where)
    return mapping


def _check_kinds(mapping, where):
    """InputError for a value of one of the `KINDS` that is of another."""
    for kind, names in KINDS.items():
        for key in names.split():
            value = mapping.get(key)
            if value is not None and (not isinstance(value, CLASSES[kind]) or isinstance(value, bool)):
                raise InputError(f'"{key}" in {where} is {_short(repr(value))}: give {kind}')


def _quoted(key):
    return f'"{key}"' if str(key).isprintable() else repr(key)


def _short(text):
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def write_json(path, obj):
    """Write `obj` as indented JSON, whole or not at all.

    NumPy numbers and arrays become numbers and lists, paths become text, and NaN and
    infinities, which JSON does not know, become null.
    """
    text = json.dumps(_plain(obj), indent=2, ensure_ascii=False, allow_nan=False)
    with written_aside(path) as aside:
        aside.write_text(text + "\n", encoding="utf-8")


def _plain(value):
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value
