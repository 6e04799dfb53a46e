# SPDX-License-Identifier: GPL-3.0-or-later
"""From outputs to the tomograms they lie in: by protocol and name, the only links that the host's scheduler follows."""

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
