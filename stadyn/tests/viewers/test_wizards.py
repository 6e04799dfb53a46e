# SPDX-License-Identifier: GPL-3.0-or-later
"""Wizards: what is shown is what the slider says, and what is chosen reaches the form."""

import sys
import types
from functools import partial

import numpy as np
import pwem
import pytest
from matplotlib.figure import Figure
from pyworkflow.viewer import DESKTOP_TKINTER

from stadyn import protocols as p
from stadyn import wizards
from stadyn.core.errors import InputError
from stadyn.core.masks import sphere
from stadyn.core.particles import ParticleTable
from stadyn.core.surfaces import oversample
from stadyn.core.tomograms import Dipole, MissingWedge
from stadyn.core.wedge import wedge_weights
from stadyn.io.mrc import write_volume
from stadyn.protocols.presets import CUSTOM, RECOMMENDED, ROUND_PRESETS, STAGE_FIRST
from stadyn.viewers.form_input import bright_map
from stadyn.viewers.previews import (
    BoxPreview,
    CentrePreview,
    ExclusionPreview,
    LowpassPreview,
    MaskPreview,
    RadiusPreview,
    Slider,
    SpacingPreview,
    TiltPreview,
)
from stadyn.viewers.rounds_table import RoundsTable

PIXEL = 2.0


def drawn(preview, **values):
    """The axes of a preview with some sliders moved."""
    axes = preview.axes(Figure())
    preview.draw(axes, {**{slider.name: slider.value for slider in preview.sliders}, **values})
    return axes


def test_mask_wizard_draws_radius_and_ends_in_angstroms():
    ends = [Slider("radius", "", 0, 50, 10.0), Slider("zMin", "", -50, 50, -4.0), Slider("zMax", "", -50, 50, 8.0)]
    above, side = drawn(MaskPreview(np.random.default_rng(0).random((16, 16, 16)), PIXEL, ends), radius=12.0)
    x, y = above.lines[0].get_data()
    np.testing.assert_allclose(np.hypot(x, y), 12.0)
    assert set(side.lines[0].get_ydata()) == {-4.0, 8.0}


def test_lowpass_wizard_filters_what_it_shows():
    wave = np.indices((32, 32, 32))[2]
    coarse, fine = np.cos(2 * np.pi * wave * 2 / 32), np.cos(2 * np.pi * wave * 8 / 32)  # 32 Å and 8 Å
    preview = LowpassPreview(coarse + fine, PIXEL, "lowpass", 15.0)
    kept = drawn(preview)[0].images[0].get_array()
    np.testing.assert_allclose(kept, coarse[16], atol=0.01)
    assert np.abs(drawn(preview, lowpass=4.0)[0].images[0].get_array() - (coarse + fine)[16]).max() < 0.01
    assert preview.chosen({"lowpass": 12.5}) == {"lowpass": 12.5}


def test_centre_wizard_follows_clicks_and_counts_from_the_first_voxel():
    volume = np.zeros((16, 16, 16))
    volume[8 + 3, 8 - 2, 8 + 1] = 1  # z, y, x
    preview = CentrePreview(volume, PIXEL)
    values = {s.name: s.value for s in preview.sliders}
    assert values == {"x": 16.0, "y": 16.0, "z": 16.0}
    values.update(preview.clicked(0, 1 * PIXEL, -2 * PIXEL, values))
    values.update(preview.clicked(1, 1 * PIXEL, 3 * PIXEL, values))
    assert values == {"x": 18.0, "y": 12.0, "z": 22.0}
    above, side = drawn(preview, **values)
    assert above.images[0].get_array()[6, 9] == 1 and side.images[0].get_array()[11, 9] == 1
    assert preview.chosen(values) == {"point": "18.0, 12.0, 22.0"}


def test_box_wizard_gives_even_pixels_about_the_particle():
    preview = BoxPreview(np.random.default_rng(0).random((80, 100)), (40.0, 30.0), PIXEL, 20.0)
    (ax,) = drawn(preview, boxSize=41.0)
    x, y = ax.lines[0].get_data()
    assert (x.min(), x.max(), y.min(), y.max()) == (30, 50, 20, 40)
    assert preview.chosen({"boxSize": 41.0}) == {"boxSize": 40.0}


def test_box_wizard_draws_the_particles_radius_and_gives_both():
    preview = BoxPreview(np.zeros((80, 100)), (40.0, 30.0), PIXEL, 20.0, ("maskRadius", 6.0))
    (ax,) = drawn(preview, boxSize=40.0, maskRadius=8.0)
    x, y = ax.lines[1].get_data()
    np.testing.assert_allclose(np.hypot(x - 40, y - 30), 8.0 / PIXEL)
    assert preview.chosen({"boxSize": 41.0, "maskRadius": 8.0}) == {"boxSize": 40.0, "maskRadius": 8.0}


def test_radius_wizard_draws_circles_about_where_one_clicks():
    radii = {"smallestRadius": ("Smallest", 10.0), "largestRadius": ("Largest", 30.0)}
    preview = RadiusPreview(np.zeros((80, 100)), (0.0, 0.0), PIXEL, radii)
    values = {"smallestRadius": 12.0, "largestRadius": 40.0}
    assert preview.clicked(0, 55.0, 20.0, values) == {}
    (ax,) = drawn(preview, **values)
    for line, radius in zip(ax.lines, (12.0, 40.0), strict=True):
        x, y = line.get_data()
        np.testing.assert_allclose(np.hypot(x - 55, y - 20), radius / PIXEL)
    assert preview.chosen(values) == values


def test_spacing_wizard_counts_the_points():
    preview = SpacingPreview(partial(oversample, [Dipole("t", 1, (60, 60, 60), (60, 60, 85))]), PIXEL, 50.0)
    many, few = (len(drawn(preview, spacing=s)[0].collections[0]._offsets3d[0]) for s in (20.0, 40.0))
    assert many == pytest.approx(4 * np.pi * 25**2 / 10**2, rel=0.1)
    assert many == pytest.approx(4 * few, rel=0.2)


def test_exclusion_wizard_counts_who_stays():
    positions = np.array([(0, 0, 0), (1, 0, 0), (50, 0, 0), (90, 0, 0)], float)
    table = ParticleTable(positions, np.tile(np.eye(3), (4, 1, 1)), np.full(4, "t"))
    preview = ExclusionPreview(table, PIXEL, 10.0)
    assert sorted(preview.distances) == [2.0, 2.0, 80.0, 80.0]
    assert drawn(preview)[0].get_title() == "3 of 4 particles stay"
    assert drawn(preview, exclusionRadius=1.0)[0].get_title() == "4 of 4 particles stay"


def test_tilt_wizard_draws_the_edges_of_the_wedge_that_was_measured():
    """A tomogram that holds only the planes from -30 to 50 degrees, by the definition that the engine itself uses."""
    n, rng = 32, np.random.default_rng(0)
    whole, half = np.fft.fftfreq(n, 1 / n), np.fft.rfftfreq(n, 1 / n)
    frequencies = np.stack(np.meshgrid(whole, whole, half, indexing="ij")[::-1], axis=-1)
    weights = wedge_weights(MissingWedge(-30.0, 50.0), frequencies)
    volume = np.fft.irfftn(np.fft.rfftn(rng.standard_normal((n, n, n))) * weights, s=(n, n, n))
    preview = TiltPreview(np.swapaxes(volume, 0, 1), -30.0, 50.0)
    (ax,) = drawn(preview)
    inside, outside = [], []
    for line, turned in zip(ax.lines, (1, -1), strict=True):
        kx, kz = line.get_data()
        angle = np.degrees(np.arctan2(kz[1], kx[1]))
        for step, found in ((8.0, inside), (-8.0, outside)):
            at = np.radians(angle + turned * step)
            rows = [(round(16 + r * np.sin(at)), round(16 + r * np.cos(at))) for r in range(6, 14)]
            found.append(np.mean([preview.spectrum[row] for row in rows]))
    assert min(inside) > max(outside) + 2


VALUES = ROUND_PRESETS[STAGE_FIRST][RECOMMENDED]


def test_rounds_table_gives_back_what_it_was_given():
    table = RoundsTable(VALUES, 5.4, 345.6, 100)
    assert table.count == 2
    assert table.values()["iterations"].split() == VALUES["iterations"].split()
    assert table.values()["shiftLimit"] == VALUES["shiftLimit"]
    assert table.values()["refine"] == VALUES["refine"]


def test_rounds_table_works_out_what_numbers_mean():
    search = {"coneRange": "0", "inplaneRange": "360", "inplaneSampling": "10", "shiftLimit": "5.4", "symmetry": "C6"}
    values = {**VALUES, **search, "iterations": "3", "lowpass": "30", "binning": "1"}
    table = RoundsTable(values, 5.4, 345.6, 100, exhaustive=True)
    table.resize(1)
    line, box, total = table.derived().splitlines()
    assert total.startswith("all rounds: about 1 minute within a factor of two (100 particles, 1 threads)")
    # Three maps of 64^3 voxels of 4 bytes; 12 Fourier px are 2/3 of 2/3 pi 11.52^3 coefficients, and a coarse grid.
    assert "3 MB of disk" in total and "MB of memory" in total
    # A sixth of a turn in steps of 10 degrees; the centre and its six neighbours a pixel away.
    assert "6 orientations x 7 shifts, 300 particle alignments, 12,600 evaluations" in line
    assert "box 64 px of 5.40 Å" in box and "low-pass 12 Fourier px" in box


def test_rounds_table_of_the_fast_engine_counts_its_own_steps_and_hides_what_it_does_not_use():
    search = {"coneRange": "20", "inplaneRange": "360", "shiftLimit": "27", "symmetry": "C6", "inplaneSampling": "1"}
    table = RoundsTable({**VALUES, **search, "iterations": "1"}, 5.4, 345.6, 100)
    table.resize(1)
    assert not {"coneSampling", "inplaneSampling", "refine", "refineFactor"} & set(table.labels)
    # The axis and a ring of six 10 degrees about it, six turns each; steps of 64 / 16 = 4 px within 5 px.
    assert "42 orientations x 7 shifts" in table.derived()
    assert table.values()["inplaneSampling"] == "1"
    narrow = {"coneRange": "4", "inplaneRange": "4", "shiftLimit": "5"}
    assert "poses refined only" in RoundsTable({**VALUES, **narrow}, 5.4, 345.6, 100).derived()


def test_rounds_table_grows_by_copies_of_the_last_and_names_nonsense():
    table = RoundsTable(VALUES, 5.4, 345.6, 100)
    table.resize(3)
    assert table.values()["shiftLimit"].split() == [*VALUES["shiftLimit"].split(), VALUES["shiftLimit"].split()[-1]]
    table.cells["lowpass"][1] = "fine"
    with pytest.raises(InputError, match="Low-pass"):
        table.derived()


@pytest.mark.parametrize(
    ("protocol", "names"),
    [
        (p.StadynProtMask, {"radius", "zMin", "zMax", "lowpass"}),
        (p.StadynProtAlign, {"boxSize", "iterations", "shiftLimit", "preset"}),
        (p.StadynProtOversample, {"boxSize", "spacing"}),
        (p.StadynProtOversampleTubes, {"boxSize", "spacing", "radius"}),
        (p.StadynProtRefitSurfaces, {"boxSize", "spacing"}),
        (p.StadynProtFindShells, {"smallestRadius", "largestRadius", "membraneDistance"}),
        (p.StadynProtSubboxing, {"exclusionRadius"}),
        (p.StadynProtSplitHalves, {"exclusionRadius"}),
        (p.StadynProtAverageOfAverages, {"iterations", "viewingLowpass"}),
        (p.StadynProtHalfMaps, {"lowpass", "boxSize"}),
        (p.StadynProtPostprocess, {"lowpass"}),
        (p.StadynProtSelectCC, {"boxSize", "maskRadius", "lowpass", "exclusionRadius"}),
        (p.StadynProtImportTomograms, {"tiltMin", "tiltMax"}),
        (p.StadynProtRecentre, {"point"}),
    ],
)
def test_host_offers_the_wizards_beside_their_parameters(protocol, names):
    found = pwem.Domain.findWizards(protocol(), DESKTOP_TKINTER)
    assert names <= found.keys()
    assert all(name in dict(protocol().getDefinition().iterParams()) for name in names)


class Form:
    """A form of the host without a window."""

    root = None

    def __init__(self, protocol, name):
        self.protocol, self.wizParamName, self.said = protocol, name, []

    def setVar(self, name, value):
        getattr(self.protocol, name).set(value)

    def showInfo(self, text):
        self.said.append(text)


@pytest.fixture
def accepted(monkeypatch):
    """Dialogs that are answered with OK after the sliders were moved to `values`."""
    values = {}

    class Dialog:
        def __init__(self, parent, content):
            self.table = content
            self.values = {**{s.name: s.value for s in getattr(content, "sliders", [])}, **values}

        def resultYes(self):
            return True

    module = types.ModuleType("stadyn.viewers.dialog")
    module.PreviewDialog = module.RoundsDialog = Dialog
    monkeypatch.setitem(sys.modules, "stadyn.viewers.dialog", module)
    return values


@pytest.fixture
def mask_form(make_run, tmp_path, accepted):
    """A form of a mask whose map is a bright ball."""
    from stadyn.convert.averages import volume_from_file

    run = make_run(p.StadynProtMask)
    write_volume(tmp_path / "map.mrc", sphere(24, 5, 2), PIXEL)
    run.inputMap.set(volume_from_file(str(tmp_path / "map.mrc"), PIXEL))
    return run


def test_what_is_chosen_reaches_the_form(mask_form, accepted):
    accepted.update(radius=17.0, zMax=9.0)
    wizards.StadynMaskWizard().show(Form(mask_form, "radius"))
    assert (mask_form.radius.get(), mask_form.zMax.get()) == (17.0, 9.0)


def test_dark_maps_are_shown_bright(tmp_path, make_run):
    from stadyn.convert.averages import volume_from_file

    run = make_run(p.StadynProtMask)
    write_volume(tmp_path / "dark.mrc", -sphere(24, 5, 2), PIXEL)
    run.inputMap.set(volume_from_file(str(tmp_path / "dark.mrc"), PIXEL))
    volume, pixel_size = bright_map(run)
    assert volume[12, 12, 12] == 1 and pixel_size == PIXEL


def test_rounds_reach_the_form_as_custom(make_run, accepted):
    run = make_run(p.StadynProtAlign)
    wizards.StadynRoundsWizard().show(Form(run, "iterations"))
    assert run.preset == CUSTOM
    assert run.shiftLimit.get() == ROUND_PRESETS[run.stage.get()][RECOMMENDED]["shiftLimit"]


@pytest.mark.parametrize(
    ("wizard", "protocol", "name"),
    [
        (wizards.StadynMaskWizard, p.StadynProtMask, "radius"),
        (wizards.StadynLowpassWizard, p.StadynProtSelectCC, "lowpass"),
        (wizards.StadynBoxWizard, p.StadynProtAlign, "boxSize"),
        (wizards.StadynSpacingWizard, p.StadynProtOversample, "spacing"),
        (wizards.StadynSpacingWizard, p.StadynProtRefitSurfaces, "spacing"),
        (wizards.StadynSpacingWizard, p.StadynProtOversampleTubes, "spacing"),
        (wizards.StadynRadiusWizard, p.StadynProtFindShells, "largestRadius"),
        (wizards.StadynRadiusWizard, p.StadynProtOversampleTubes, "radius"),
        (wizards.StadynExclusionWizard, p.StadynProtSelectCC, "exclusionRadius"),
        (wizards.StadynExclusionWizard, p.StadynProtSubboxing, "exclusionRadius"),
        (wizards.StadynTiltRangeWizard, p.StadynProtImportTomograms, "tiltMin"),
        (wizards.StadynCentreWizard, p.StadynProtRecentre, "point"),
    ],
)
def test_an_empty_form_is_told_what_is_missing(wizard, protocol, name, accepted):
    form = Form(protocol(), name)
    wizard().show(form)
    assert form.said and form.said[0].startswith("Nothing to show yet")
