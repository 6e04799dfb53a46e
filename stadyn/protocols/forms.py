# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters that several forms share, worded once; lengths in forms are Å, and every number says its range."""

import re
import textwrap

from pyworkflow.protocol import params
from pyworkflow.protocol.constants import LEVEL_ADVANCED

from .ranges import Within

TOGETHER, PER_TOMOGRAM, PER_HALF = range(3)
GROUPS = ["all together", "each tomogram apart", "each half apart"]
GROUP_KEYS = {TOGETHER: [], PER_TOMOGRAM: ["tomogram"], PER_HALF: ["half"]}
"""Choice of the form -> "group_by" of a job."""
FAST, EXHAUSTIVE = range(2)
ENGINES = ["fast", "exhaustive"]
CONTRASTS = ["bright", "dark"]
HELP_WIDTH = 80
MOST_THREADS = 1024
"""Characters of a line in the host's help window."""

PARTICLE_CLASSES = "SetOfCoordinates3D,SetOfSubTomograms"
MAP_CLASSES = "Volume,AverageSubTomogram,SubTomogram,VolumeMask"

PARTICLES_HELP = (
    "Oriented 3D coordinates, which are cropped from their tomograms on the fly and need no files, or subtomograms "
    "that were extracted by any package. What goes in comes out."
)
BOX_HELP = (
    "Side of the cubic box around each particle, made an even number of pixels (Dynamo: the side length of the data "
    "folder). The paper takes 256 pixels of 1.35 Å, 345.6 Å, up to step 5, and 192 pixels, 259.2 Å, afterwards."
)
WRITTEN_BOX_HELP = (
    "Side of the box that later steps and other packages will cut; written on the coordinates, and drawn by viewers."
)
SYMMETRY_HELP = (
    "Cyclic symmetry about the z axis that is imposed on the average: C1 is none, C6 that of the hexameric lattice "
    "(Dynamo: _sym_). The paper: C1 in step 3, C6 afterwards."
)
TOMOGRAMS_HELP = "Their pixel size and tilt range must be right: everything that follows rests on them."


class ReadableHelp:
    """A protocol whose help button shows its docstring in paragraphs: the host keeps its line breaks and indents."""

    @classmethod
    def getHelpText(cls):
        """The text behind the button, in lines that its window holds: the host makes it as high as there are lines."""
        return "\n\n".join(_in_lines(part) for part in cls.getDoc().split("\n\n"))


def _in_lines(paragraph):
    """A paragraph wrapped, but for what is marked as *bold*, which the host knows only within a line."""
    kept = re.sub(r"\*[^*]+\*", lambda bold: bold[0].replace(" ", "\0"), " ".join(paragraph.split()))
    return textwrap.fill(kept, HELP_WIDTH, break_long_words=False, break_on_hyphens=False).replace("\0", " ")


def add_number(form, name, default, within, label, help, off=None, **kwargs):
    """A number and its range; a whole one where the default is whole.

    Parameters
    ----------
    within : (low, high), ends included
    off : a value outside of it that is taken too, one that stands for "automatic"
    kwargs : further words for the host's parameter
    """
    kind, allowed = params.IntParam if isinstance(default, int) else params.FloatParam, Within(*within, off)
    text = f"{help}\nTakes {allowed.words()}."
    form.addParam(name, kind, default=default, label=label, validators=[allowed], help=text, **kwargs)


def add_input(form, name, classes, label, help, **kwargs):
    """A pointer that must be set, unless `allowsNull`."""
    kwargs.setdefault("important", not kwargs.get("allowsNull"))
    form.addParam(name, params.PointerParam, pointerClass=classes, label=label, help=help, **kwargs)


def add_particles(form, name="inputParticles", label="Particles", help=PARTICLES_HELP, **kwargs):
    """The pointer to particles: coordinates, or subtomograms."""
    add_input(form, name, PARTICLE_CLASSES, label, help, **kwargs)


def add_tomograms(form, help):
    """The pointer to tomograms."""
    add_input(form, "inputTomograms", "SetOfTomograms", "Tomograms", f"{help} {TOMOGRAMS_HELP}")


def add_averages(form, help):
    """The pointer to one average per tomogram."""
    add_input(form, "inputAverages", "SetOfAverageSubTomograms", "Averages of the tomograms", help)


def add_half_maps(form):
    """The pointer to a map that carries its two half-maps."""
    text = "An average that carries its two half-maps, from 'half-maps' or any refinement."
    add_input(form, "inputMap", "Volume,AverageSubTomogram", "Map with half-maps", text)


def add_mask(form, help, label="Mask (optional)", **kwargs):
    """The pointer to a mask that may be left out."""
    add_input(form, "inputMask", "VolumeMask", label, help, allowsNull=True, **kwargs)


def add_contrast(form):
    """Which way round the half-maps are."""
    form.addParam(
        "contrast",
        params.EnumParam,
        choices=CONTRASTS,
        default=0,
        label="Protein is",
        expertLevel=LEVEL_ADVANCED,
        help="Bright in half-maps that are written for other packages, as ours are; dark in Dynamo's averages.",
    )


def add_box(form, default=345.6, label="Box size (Å)", help=BOX_HELP, **kwargs):
    """The side of the box in Å."""
    add_number(form, "boxSize", default, (10, 5000), label, help, **kwargs)


def add_exclusion_radius(form):
    """How near two particles may be."""
    text = (
        "Of particles closer than this only the one with the higher CC stays: a particle that is there twice counts "
        "twice, and in two halves it would make them agree (Dynamo: _dpktbl.exclusionPerVolume_). Less than the "
        "spacing of the lattice, more than the error of a position. 0: off."
    )
    add_number(form, "exclusionRadius", 45.0, (0, 1000), "Exclusion radius (Å)", text)


def add_symmetry(form, default="C6", label="Symmetry", help=SYMMETRY_HELP, **kwargs):
    """One cyclic symmetry."""
    form.addParam("symmetry", params.StringParam, default=default, label=label, help=help, **kwargs)


def add_seed(form, **kwargs):
    """The seed of all random numbers of a protocol."""
    text = "Start of the random numbers: the same seed gives the same result."
    add_number(form, "seed", 1, (0, 2**31 - 1), "Seed", text, expertLevel=LEVEL_ADVANCED, **kwargs)


def add_groups(form, help, default=TOGETHER):
    """Which particles work together."""
    form.addParam("groups", params.EnumParam, choices=GROUPS, default=default, label="Grouping", help=help)


def add_engine(form):
    """How an alignment searches."""
    form.addParam(
        "engine",
        params.EnumParam,
        choices=ENGINES,
        default=FAST,
        label="Engine",
        expertLevel=LEVEL_ADVANCED,
        help="*fast*: a coarse search as one matrix product, then Gauss-Newton refinement of the pose; it needs no "
        "samplings.\n*exhaustive*: every angle of the rounds with a full cross-correlation map, as Dynamo does; slower "
        "by two orders of magnitude. Its samplings and levels then show among the custom settings.",
    )


def add_viewing_lowpass(form, default=30.0):
    """The filter of the copy that is made to look at."""
    text = (
        "A copy of the average with inverted contrast, protein bright, is low-passed to this resolution for Chimera; 0 "
        "leaves it unfiltered. The pipeline itself goes on with the average as it is. The paper looks at such copies "
        "(_INVERTED.em_) to mark centres."
    )
    label = "Low-pass of the viewing copy (Å)"
    add_number(form, "viewingLowpass", default, (0, 1000), label, text, expertLevel=LEVEL_ADVANCED)


def add_random_azimuth(form, default, about):
    """Whether each crop point is turned at random about its axis."""
    form.addParam("randomAzimuth", params.BooleanParam, default=default, label="Random azimuth?", help=about)


def add_randomize_azimuth(form, default=True):
    """Whether the rotation about each particle's axis is made random first."""
    form.addParam(
        "randomizeAzimuth",
        params.BooleanParam,
        default=default,
        label="Randomise the azimuth?",
        help="Turn each particle by a random angle about its own axis before anything else, so that the missing wedges "
        "do not all point the same way in the reference. The paper does so in steps 3 and 4 (Dynamo: "
        "_dynamo_table_randomize_azimuth_).",
    )


def add_pixel_shift(form, help):
    """Whether pixels count from where the other package counts them."""
    form.addParam(
        "pixelShift",
        params.BooleanParam,
        default=True,
        label="Count pixels as the package does?",
        expertLevel=LEVEL_ADVANCED,
        help="Dynamo, AV3, STOPGAP and emClarity count pixels from 1, PEET's models from half a pixel, Scipion from 0. "
        + help,
    )


def add_fmin(form):
    """The floor of the Fourier compensation."""
    text = (
        "Each Fourier coefficient of the average is divided by the number of particles that were sampled there, but by "
        "no less than this fraction of the largest such number (Dynamo: _fmin_, counted in particles)."
    )
    add_number(form, "fmin", 0.01, (0, 1), "Fourier compensation floor", text, expertLevel=LEVEL_ADVANCED)


def add_machine(form, gpu=True, threads=2):
    """Where it runs: the host's own parameters of GPUs, off by default, for most machines have none, and of threads."""
    if gpu:
        text = "Run on GPUs with CuPy: pip install 'scipion-em-stadyn[gpu]'."
        form.addHidden(params.USE_GPU, params.BooleanParam, default=False, label="Use GPU?", help=text)
        text = "Numbers of the GPUs to use, such as 0 or 0,1."
        form.addHidden(params.GPU_LIST, params.StringParam, default="0", label="GPU ids", help=text)
    form.addParallelSection(threads=threads, mpi=0)
    if threads:
        form.getParam("numberOfThreads").validators.append(Within(1, MOST_THREADS))


def add_averaging(form, box=None, symmetry=True):
    """The end of a form whose run averages particles: symmetry, box, seed, floor, and the machine."""
    if symmetry:
        add_symmetry(form)
    if box is not None:
        add_box(form, default=box)
    add_seed(form)
    add_fmin(form)
    add_machine(form)
