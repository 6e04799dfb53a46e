# SPDX-License-Identifier: GPL-3.0-or-later
"""Wizards: the magic wand beside a parameter opens a preview, and puts what was chosen there into the form."""

import numpy as np
from pyworkflow.wizard import Wizard
from tomo.objects import SetOfAverageSubTomograms

from stadyn import protocols as p
from stadyn.convert.averages import map_path
from stadyn.convert.meshes import read_dipoles
from stadyn.convert.particles import read_particle_input
from stadyn.core.errors import InputError
from stadyn.core.particles import ParticleTable
from stadyn.io.mrc import open_volume, read_volume
from stadyn.protocols.presets import CUSTOM, ROUND_PRESETS
from stadyn.protocols.recentre import TYPED
from stadyn.protocols.rounds import ROUND_FIELDS
from stadyn.viewers.preview_wizard import PreviewWizard
from stadyn.viewers.previews import (
    BoxPreview,
    CentrePreview,
    ExclusionPreview,
    LowpassPreview,
    MaskPreview,
    Slider,
    SpacingPreview,
    TiltPreview,
)
from stadyn.viewers.rounds_table import RoundsTable

PAPER_BOX_ANGST = 345.6
SLABS = 24
"""Slices across the tilt axis whose power is averaged."""
THICKNESS = 3
"""z slices of a tomogram that are averaged on each side of a particle."""


class StadynMaskWizard(PreviewWizard):
    """Radius and ends of a mask, on its map."""

    _targets = [
        (p.StadynProtMask, ["radius", "zMin", "zMax"]),
        (p.StadynProtCommonHeight, ["radius"]),
        (p.StadynProtSelectCC, ["maskRadius"]),
    ]

    def preview(self, protocol, name):
        volume, pixel_size = bright_map(protocol)
        half = pixel_size * (volume.shape[0] // 2)
        radius = name if name == "maskRadius" else "radius"
        sliders = [Slider(radius, "Radius (Å)", 0.0, half, getattr(protocol, radius).get(), 1.0)]
        if isinstance(protocol, p.StadynProtMask):
            ends = (("zMin", "Lower end (Å)"), ("zMax", "Upper end (Å)"))
            sliders += [Slider(end, label, -half, half, getattr(protocol, end).get(), 1.0) for end, label in ends]
        return MaskPreview(volume, pixel_size, sliders, radius)


class StadynLowpassWizard(PreviewWizard):
    """A low-pass, on the filtered slices of the map it works on."""

    _targets = [
        (p.StadynProtMask, ["lowpass"]),
        (p.StadynProtSelectCC, ["lowpass"]),
        (p.StadynProtHalfMaps, ["lowpass"]),
        (p.StadynProtPostprocess, ["lowpass"]),
        (p.StadynProtAverageOfAverages, ["viewingLowpass"]),
        (p.StadynProtRecentre, ["viewingLowpass"]),
    ]

    def preview(self, protocol, name):
        return LowpassPreview(*bright_map(protocol), name, getattr(protocol, name).get() or 0.0)


class StadynCentreWizard(PreviewWizard):
    """The point to recentre on, clicked on a slice."""

    _targets = [(p.StadynProtRecentre, ["point"])]

    def preview(self, protocol, name):
        volume, pixel_size = bright_map(protocol)
        words = (protocol.point.get() or "").replace(",", " ").split()
        try:
            point = [float(word) for word in words]
        except ValueError:
            point = []
        return CentrePreview(volume, pixel_size, point if len(point) == 3 else None)

    def show(self, form, *params):
        super().show(form, *params)
        if form.protocol.point.get():
            form.setVar("centre", TYPED)


class StadynBoxWizard(PreviewWizard):
    """The box, about the first particle in its tomogram."""

    _targets = [
        (protocol, ["boxSize"])
        for protocol in (
            p.StadynProtAlign, p.StadynProtAverage, p.StadynProtCommonHeight, p.StadynProtExtract,
            p.StadynProtHalfMaps, p.StadynProtOversample, p.StadynProtSelectCC,
        )
    ]  # fmt: skip

    def preview(self, protocol, name):
        path, pixel_size, position = first_particle(protocol)
        volume = open_volume(path)
        z = int(np.clip(round(position[2]), 0, volume.shape[0] - 1))
        section = np.asarray(volume[max(0, z - THICKNESS) : z + THICKNESS + 1], np.float32).mean(axis=0)
        return BoxPreview(section, position[:2], pixel_size, protocol.boxSize.get())


class StadynSpacingWizard(PreviewWizard):
    """The spacing of the crop points, on the VLPs of the first tomogram."""

    _targets = [(p.StadynProtOversample, ["spacing"])]

    def preview(self, protocol, name):
        meshes = given(protocol, "inputDipoles")
        dipoles = read_dipoles(meshes)
        first = [d for d in dipoles if d.tomogram_id == dipoles[0].tomogram_id]
        return SpacingPreview(first, meshes.getPrecedents().getSamplingRate(), protocol.spacing.get())


class StadynExclusionWizard(PreviewWizard):
    """The exclusion radius, on the distances between the particles."""

    _targets = [(p.StadynProtSelectCC, ["exclusionRadius"]), (p.StadynProtSplitHalves, ["exclusionRadius"])]

    def preview(self, protocol, name):
        pointer = protocol.inputParticles
        sets = [one.get() for one in pointer] if isinstance(protocol, p.StadynProtSplitHalves) else [pointer.get()]
        if not sets or sets[0] is None:
            raise InputError("give the particles first")
        inputs = [read_particle_input(particles) for particles in sets]
        table = ParticleTable.concatenate(i.table for i in inputs).renumbered()
        return ExclusionPreview(table, inputs[0].tomograms[0].pixel_size, protocol.exclusionRadius.get())


class StadynTiltRangeWizard(PreviewWizard):
    """The tilt range, on the power spectrum of the first tomogram of the list."""

    _targets = [(p.StadynProtImportTomograms, ["tiltMin", "tiltMax"])]

    def preview(self, protocol, name):
        volume = open_volume(protocol.listedPaths()[0])
        rows = np.linspace(0, volume.shape[1] - 1, min(SLABS, volume.shape[1])).astype(int)
        section = np.stack([np.asarray(volume[:, y, :], np.float32) for y in rows])
        return TiltPreview(section, protocol.tiltMin.get(), protocol.tiltMax.get())


class StadynRoundsWizard(Wizard):
    """The rounds as a table, with what follows from the numbers."""

    _targets = [(cls, [*ROUND_FIELDS, "preset"]) for cls in (p.StadynProtAlign, p.StadynProtAverageOfAverages)]

    def table(self, protocol):
        """The `RoundsTable` of the form as it stands."""
        if protocol.preset == CUSTOM:
            values = {name: getattr(protocol, name).get() for name in ROUND_FIELDS}
        else:
            values = dict(ROUND_PRESETS[protocol.stage.get()][protocol.preset.get()])
            values["symmetry"] = (protocol.presetSymmetry.get() or "").strip() or values["symmetry"]
        particles = (protocol.inputParticles if hasattr(protocol, "inputParticles") else protocol.inputAverages).get()
        if particles is None:
            return RoundsTable(values, pixel_size=1.0, box_angst=PAPER_BOX_ANGST, particles=0)
        box = protocol.boxSize.get() if hasattr(protocol, "boxSize") else PAPER_BOX_ANGST
        threads = protocol.numberOfThreads.get()
        return RoundsTable(values, float(particles.getSamplingRate()), box, particles.getSize(), threads)

    def show(self, form, *params):
        """Open the table on a form of the host, and fill the lists in."""
        from stadyn.viewers.dialog import RoundsDialog  # needs a display

        dialog = RoundsDialog(form.root, self.table(form.protocol))
        if dialog.resultYes():
            form.setVar("preset", CUSTOM)
            for name, value in dialog.table.values().items():
                form.setVar(name, value)


def given(protocol, name):
    """What a pointer of the form leads to; InputError if it is empty."""
    value = getattr(protocol, name).get()
    if value is None:
        label = protocol.getParam(name).label.get()
        raise InputError(f"give {label.lower()} first")
    return value


def bright_map(protocol):
    """(volume with bright protein, Å per pixel) of the map that a form works on, or of the average of its particles."""
    for name in ("inputMap", "inputAverage", "inputReference", "inputAverages"):
        value = getattr(protocol, name).get() if hasattr(protocol, name) else None
        if value is not None:
            return _bright(value)
    if hasattr(protocol, "inputParticles"):
        given(protocol, "inputParticles")
        for _, output in protocol.inputParticles.getObjValue().iterOutputAttributes():
            if output.getClassName() in ("AverageSubTomogram", "SetOfAverageSubTomograms"):
                return _bright(output)
    raise InputError("give a map, or particles that were averaged")


def _bright(value):
    value = value.getFirstItem() if isinstance(value, SetOfAverageSubTomograms) else value
    path, pixel_size, _ = map_path(value)
    volume = read_volume(path)
    return (volume if is_bright(volume) else -volume), pixel_size


def is_bright(volume):
    """Whether protein is bright: the tails of a map are longer on the side of the protein."""
    return float(np.mean((volume - volume.mean()) ** 3)) > 0


def first_particle(protocol):
    """(path of its tomogram, Å per pixel, (3,) position in px) of the first particle, or of the first VLP's surface."""
    if hasattr(protocol, "inputDipoles"):
        meshes = given(protocol, "inputDipoles")
        dipole = read_dipoles(meshes)[0]
        tomogram = next(t for t in meshes.getPrecedents() if t.getTsId() == dipole.tomogram_id)
        return tomogram.getFileName(), float(tomogram.getSamplingRate()), np.asarray(dipole.north, float)
    particles = read_particle_input(given(protocol, "inputParticles"))
    tomogram = next(t for t in particles.tomograms if t.id == particles.table.tomogram_ids[0])
    if not tomogram.path:
        raise InputError("these subtomograms have no tomograms to show a box in")
    return tomogram.path, tomogram.pixel_size, particles.table.positions[0]
