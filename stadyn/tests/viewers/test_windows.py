# SPDX-License-Identifier: GPL-3.0-or-later
"""Real windows on a virtual screen: every form opens with every parameter, figures save themselves, sliders redraw."""

import importlib
import os
import shutil
import subprocess
import tkinter
from functools import partial

import numpy as np
import pwem
import pytest

from stadyn.core.surfaces import oversample
from stadyn.core.tomograms import Dipole
from stadyn.plots.figures import cc_figure
from stadyn.tests.viewers.test_curves import threshold
from stadyn.viewers.base import FigureView
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
from stadyn.viewers.thresholds import interaction

pytestmark = pytest.mark.skipif(
    shutil.which("Xvfb") is None, reason="windows need a screen: apt-get install xvfb fonts-dejavu-core"
)
PROTOCOLS = {name: cls for name, cls in pwem.Domain.getProtocols().items() if cls.__module__.split(".")[0] == "stadyn"}


@pytest.fixture(scope="module")
def screen():
    """A virtual screen of its own."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1600x1000x24"]
    server = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as answer:
        display = f":{answer.readline().strip()}"
    before = os.environ.get("DISPLAY")
    os.environ["DISPLAY"] = display
    yield
    os.environ.pop("DISPLAY")
    if before is not None:
        os.environ["DISPLAY"] = before
    server.terminate()
    server.wait()


@pytest.fixture(scope="module")
def root(screen):
    """The host's main window."""
    importlib.import_module("pyworkflow.gui.project")  # first: the host's forms import it in a circle
    from pyworkflow.gui import Window

    window = Window("tests")
    yield window
    window.root.destroy()


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_every_form_opens_with_every_parameter(root, project, name):
    from pyworkflow.gui.form import FormWindow

    protocol = project.newProtocol(PROTOCOLS[name])
    form = FormWindow("form", protocol, None, root)
    form.root.update()
    shown = set(form.widgetDict)
    wanted = {key for key, _ in protocol.iterDefinitionAttributes()}
    host = {"runName", "runMode", "hostName", "numberOfThreads", "numberOfMpi", "gpuList", "useGpu"}
    assert wanted - host <= shown
    assert form.root.winfo_reqwidth() <= 1600 and form.root.winfo_reqheight() <= 1000
    form.root.destroy()


def figure_window(root):
    """The window that was opened last."""
    return [w for w in root.root._root().winfo_children() if type(w).__name__ == "FigureWindow"][-1]


def press(widget, text):
    """Press the button that reads so."""
    for child in widget.winfo_children():
        if child.winfo_class() == "Button" and str(child.cget("text")) == text:
            child.invoke()
        press(child, text)


def test_a_figure_opens_and_saves_itself(root, tmp_path):
    figure = cc_figure({"a": threshold(0.2, [0.1, 0.1, 0.3])})
    FigureView(figure, "cc", str(tmp_path / "pictures"), "run: cc").show()
    window = figure_window(root)
    window.update()
    assert window.title() == "run: cc"
    press(window, "Save PNG and SVG")
    assert sorted(os.listdir(tmp_path / "pictures")) == ["cc.png", "cc.svg"]
    assert "cc.svg" in window.message.get()
    window.destroy()


def test_a_threshold_is_dragged_with_the_mouse(root, tmp_path):
    fits = {"a": threshold(0.2, [0.1, 0.1, 0.3, 0.32])}
    figure = cc_figure(fits)
    FigureView(figure, "cc", str(tmp_path), "cc", interaction(None, figure, fits)).show()
    window = figure_window(root)
    window.update()
    (ax,), canvas = figure.axes, window.canvas.get_tk_widget()
    height = canvas.winfo_height()
    places = [ax.transData.transform((x, 0.5)) for x in (0.2, 0.31)]
    for event, (x, y) in zip(("<Button-1>", "<B1-Motion>"), places, strict=True):
        canvas.event_generate(event, x=int(x), y=int(height - y))
    canvas.event_generate("<ButtonRelease-1>", x=int(places[1][0]), y=int(height - places[1][1]))
    window.update()
    cut = next(line for line in ax.lines if line.get_label().startswith("threshold"))
    assert cut.get_xdata()[0] == pytest.approx(0.31, abs=0.005)
    assert "above: 1" in ax.get_legend_handles_labels()[1]
    window.destroy()


def answered(root, answer, make):
    """Open a modal dialog, and let `answer` act on it once it stands."""
    from pyworkflow.gui.dialog import RESULT_YES

    def act():
        dialog = next((w for w in root.root.winfo_children() if type(w).__name__.endswith("Dialog")), None)
        if dialog is None or not dialog.winfo_viewable():  # a busy machine takes its time
            root.root.after(100, act)
            return
        root.root.after(50, lambda: finish(dialog))

    def finish(dialog):
        answer(dialog)
        dialog.update()
        dialog._handleResult(RESULT_YES)

    root.root.after(400, act)
    return make()


def test_a_slider_redraws_its_preview(root):
    from stadyn.viewers.dialog import PreviewDialog

    preview = MaskPreview(np.random.default_rng(0).random((16, 16, 16)), 2.0, [Slider("radius", "R", 0, 16, 5.0)])
    drawn = []

    def move(dialog):
        dialog.scales["radius"].set(9)
        dialog.update()
        dialog.after(150, lambda: drawn.append(dialog.figure.axes[0].lines[0].get_xdata().max()))
        dialog.after(200, lambda: done.set(True))
        done = tkinter.BooleanVar(dialog)
        dialog.wait_variable(done)

    dialog = answered(root, move, lambda: PreviewDialog(root.root, preview))
    assert dialog.resultYes() and dialog.values == {"radius": 9.0}
    assert drawn == [pytest.approx(9.0)]


MAP, SECTION = np.random.default_rng(0).random((2, 16, 16, 16)), np.random.default_rng(1).random((60, 60))
DIPOLE = Dipole("t", 1, (60, 60, 60), (60, 60, 85))


@pytest.mark.parametrize(
    ("make", "panel", "clicked"),
    [
        (lambda: MaskPreview(MAP[0], 2.0, [Slider("radius", "R", 0, 16, 5.0)]), 0, {}),
        (lambda: LowpassPreview(MAP[0], 2.0, "lowpass", 15.0), 0, {}),
        (lambda: CentrePreview(MAP[0], 2.0), 1, {"x": 16.0, "y": 16.0, "z": 16.0}),
        (lambda: BoxPreview(SECTION, (30.0, 30.0), 2.0, 40.0, ("maskRadius", 10.0)), 0, {}),
        (lambda: RadiusPreview(SECTION, (5.0, 5.0), 2.0, {"radius": ("Radius (Å)", 10.0)}), 0, {}),
        (lambda: SpacingPreview(partial(oversample, [DIPOLE]), 2.0, 30.0), 0, {}),
        (lambda: ExclusionPreview(oversample([DIPOLE], 12.0), 2.0, 10.0), 0, {}),
        (lambda: TiltPreview(MAP[0], -60.0, 60.0), 0, {}),
    ],
    ids=["mask", "lowpass", "centre", "box", "radius", "spacing", "exclusion", "tilt"],
)
def test_every_preview_opens_is_clicked_and_closed(root, make, panel, clicked):
    """A click in the middle of a panel; where clicks count, its place is taken."""
    from stadyn.viewers.dialog import PreviewDialog

    preview, seen = make(), []

    def click(dialog):
        dialog.update()
        canvas, box = dialog.canvas.get_tk_widget(), dialog.figure.axes[panel].get_window_extent()
        x, y = int((box.x0 + box.x1) / 2), int(canvas.winfo_height() - (box.y0 + box.y1) / 2)
        canvas.event_generate("<Button-1>", x=x, y=y)
        dialog.update()
        seen.append((dialog.winfo_reqwidth(), dialog.winfo_reqheight(), len(dialog.scales)))

    dialog = answered(root, click, lambda: PreviewDialog(root.root, preview))
    ((width, height, scales),) = seen
    assert width <= 1600 and height <= 1000 and scales == len(preview.sliders)
    assert dialog.resultYes() and set(dialog.values) == {slider.name for slider in preview.sliders}
    for name, value in clicked.items():
        assert dialog.values[name] == pytest.approx(value, abs=2.0)
    if isinstance(preview, RadiusPreview):
        assert preview.position == pytest.approx((30.0, 30.0), abs=1.0)


def test_samplings_appear_in_the_form_when_the_engine_uses_them(root, project):
    from pyworkflow.gui.form import FormWindow

    from stadyn.protocols import StadynProtAlign
    from stadyn.protocols.forms import EXHAUSTIVE
    from stadyn.protocols.presets import CUSTOM

    form = FormWindow("form", project.newProtocol(StadynProtAlign), None, root)
    form.setVar("preset", CUSTOM)
    form.root.update()
    there = [bool(form.widgetDict[name].label.grid_info()) for name in ("coneRange", "coneSampling", "inplaneSampling")]
    form.setVar("engine", EXHAUSTIVE)
    form.root.update()
    then = [bool(form.widgetDict[name].label.grid_info()) for name in ("coneRange", "coneSampling", "inplaneSampling")]
    form.root.destroy()
    assert (there, then) == ([True, False, False], [True, True, True])


def test_rounds_are_added_and_edited_in_their_table(root):
    from stadyn.protocols.presets import RECOMMENDED, ROUND_PRESETS, STAGE_LAST
    from stadyn.viewers.dialog import RoundsDialog

    table = RoundsTable(ROUND_PRESETS[STAGE_LAST][RECOMMENDED], 5.4, 259.2, 50)

    def edit(dialog):
        press(dialog, "Add a round")
        entry = dialog.entries["lowpass", 1]
        entry.delete(0, "end")
        entry.insert(0, "11")

    dialog = answered(root, edit, lambda: RoundsDialog(root.root, table))
    assert dialog.resultYes()
    assert table.values()["lowpass"].split()[1] == "11" and len(table.rounds()) == 2
