# SPDX-License-Identifier: GPL-3.0-or-later
"""Which values a form takes: a number outside its range is answered with the value and the range."""

from functools import partial

from pyworkflow.protocol import params

from stadyn.core.symmetry import symmetry_order

CHOICE = "is {value}: choose a number from 0 to {last} ({choices})"


class Within(params.Validator):
    """A number from `low` to `high`, ends included, or `off`, the one other value that stands for "automatic".

    The host writes the label before what a validator says.
    """

    def __init__(self, low, high, off=None):
        self.low, self.high, self.off = low, high, off

    def __call__(self, value):
        if value is None or self.low <= value <= self.high or (self.off is not None and value == self.off):
            return []  # the host's own validator says that a field is empty
        return [f"is {value:g}: give {self.words()}."]

    def words(self):
        """The range as one says it."""
        words = f"a value from {self.low:g} to {self.high:g}"
        return words if self.off is None else f"{words}, or {self.off:g}"


def wrong_choices(protocol):
    """Sentences about choices that do not exist: the window offers none of them, but a saved workflow may hold one."""
    sentences = []
    for name, param in protocol.getDefinition().iterParams():
        if isinstance(param, params.EnumParam):
            value, last = getattr(protocol, name).get(), len(param.choices) - 1
            if value is not None and not 0 <= value <= last:
                said = CHOICE.format(value=value, last=last, choices=", ".join(param.choices))
                sentences.append(f"*{param.label.get()}* {said}")
    return sentences


def wrong_gpus(protocol):
    """A sentence, in a list, about numbers of GPUs that the host cannot read: the field is text, and on no form."""
    try:
        protocol.getGpuList()
    except ValueError:
        return [f"*GPU ids* {protocol.gpuList.get()!r} are no numbers: give some, such as 0 or 0,1"]
    return []


def has_wrong_numbers(protocol):
    """Does a number that the form shows break its own validators? The host names it; other checks rely on it."""
    return any(
        param.validate(getattr(protocol, name).get())
        for name, param in protocol.getDefinition().iterParams()
        if isinstance(param, (params.IntParam, params.FloatParam)) and protocol.evalParamCondition(name)
    )


def symmetry_check(symmetry):
    """A check, for `_checks`, that `symmetry` is one that is known."""
    return partial(symmetry_order, symmetry)
