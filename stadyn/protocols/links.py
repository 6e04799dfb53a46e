# SPDX-License-Identifier: GPL-3.0-or-later
"""Links as the host's scheduler needs them: outputs name their tomograms, inputs not made yet are waited for."""

from pyworkflow.object import Pointer
from pyworkflow.protocol import Protocol


class NamesTomograms:
    """A protocol whose outputs say "output X of protocol Y" of the tomograms they lie in.

    A link to the tomograms themselves goes by a number that they have in one run's database only: a run that was
    scheduled before they were there does not find them.
    """

    def _defineOutputs(self, **outputs):
        for output in outputs.values():
            pointer = getattr(output, "_precedentsPointer", None)
            if pointer is None or pointer.hasExtended() or isinstance(pointer.getObjValue(), Protocol):
                continue
            owner, name = _origin(self, outputs, pointer.get())
            if name is not None:
                pointer.copy(Pointer(owner, extended=name))
        super()._defineOutputs(**outputs)


class WaitsForInputs:
    """A protocol that is not valid before all it is linked to is there.

    The host waits for required inputs only: it would run an alignment without the mask that is still being made.
    """

    def validate(self):
        """The host's errors, or else one for each input, required or not, that a protocol has still to make."""
        awaited = [name for name, pointer in self.iterInputAttributes() if pointer.hasValue() and pointer.get() is None]
        labels = dict.fromkeys(self.getParam(name).label.get() for name in awaited if self.evalParamCondition(name))
        return super().validate() or [f"{label} is not there yet: run the protocol that makes it" for label in labels]


def _origin(protocol, outputs, tomograms):
    """(protocol, name) of the output that a set of tomograms is; (None, None) where that cannot be told."""
    if tomograms is None:
        return None, None
    for name, output in outputs.items():
        if output is tomograms:
            return protocol, name
    owner = protocol.mapper.selectById(tomograms.getObjParentId()) if tomograms.hasObjId() else None
    if not isinstance(owner, Protocol):
        return None, None
    owner = protocol if owner.getObjId() == protocol.getObjId() else owner
    names = [name for name, item in owner.iterOutputAttributes() if item.getObjId() == tomograms.getObjId()]
    return (owner, names[0]) if names else (None, None)
