# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters that several forms share, worded once; lengths in forms are Å."""

from pyworkflow.protocol import params
from pyworkflow.protocol.constants import LEVEL_ADVANCED

TOGETHER, PER_TOMOGRAM, PER_HALF = range(3)
GROUPS = ["all together", "each tomogram apart", "each half apart"]
GROUP_KEYS = {TOGETHER: [], PER_TOMOGRAM: ["tomogram"], PER_HALF: ["half"]}
"""Choice of the form -> "group_by" of a job."""

PARTICLE_CLASSES = "SetOfCoordinates3D,SetOfSubTomograms"
MAP_CLASSES = "Volume,AverageSubTomogram,SubTomogram,VolumeMask"

PARTICLES_HELP = (
    "Oriented 3D coordinates, which are cropped from their tomograms on the fly and need no files, or subtomograms "
    "that were extracted by any package. What goes in comes out."
)
BOX_HELP = (
    "Side of the cubic box around each particle, made an even number of pixels. The paper takes 256 pixels of 1.35 Å, "
    "345.6 Å, up to step 5, and 192 pixels, 259.2 Å, afterwards."
)
SYMMETRY_HELP = (
    "Cyclic symmetry about the z axis that is imposed on the average: C1 is none, C6 that of the hexameric lattice."
)


def add_particles(form, name="inputParticles", label="Particles", help=PARTICLES_HELP, **kwargs):
    """The pointer to particles: coordinates, or subtomograms."""
    form.addParam(
        name, params.PointerParam, pointerClass=PARTICLE_CLASSES, important=True, label=label, help=help, **kwargs
    )


def add_box(form, default=345.6, label="Box size (Å)", help=BOX_HELP, **kwargs):
    """The side of the box in Å."""
    form.addParam(
        "boxSize", params.FloatParam, default=default, label=label, validators=[params.Positive], help=help, **kwargs
    )


def add_symmetry(form, default="C6", label="Symmetry", help=SYMMETRY_HELP, **kwargs):
    """One cyclic symmetry."""
    form.addParam("symmetry", params.StringParam, default=default, label=label, help=help, **kwargs)


def add_seed(form, **kwargs):
    """The seed of all random numbers of a protocol."""
    form.addParam(
        "seed",
        params.IntParam,
        default=1,
        label="Seed",
        expertLevel=LEVEL_ADVANCED,
        help="Start of the random numbers: the same seed gives the same result.",
        **kwargs,
    )


def add_groups(form, help, default=TOGETHER):
    """Which particles work together."""
    form.addParam("groups", params.EnumParam, choices=GROUPS, default=default, label="Grouping", help=help)


def add_viewing_lowpass(form, default=30.0):
    """The filter of the copy that is made to look at."""
    form.addParam(
        "viewingLowpass",
        params.FloatParam,
        default=default,
        label="Low-pass of the viewing copy (Å)",
        expertLevel=LEVEL_ADVANCED,
        help="A copy of the average with inverted contrast, protein bright, is low-passed to this resolution for "
        "Chimera; 0 leaves it unfiltered. The pipeline itself goes on with the average as it is.",
    )


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


def add_fmin(form):
    """The floor of the Fourier compensation."""
    form.addParam(
        "fmin",
        params.FloatParam,
        default=0.01,
        label="Fourier compensation floor",
        expertLevel=LEVEL_ADVANCED,
        help="Each Fourier coefficient of the average is divided by the number of particles that were sampled there, "
        "but by no less than this fraction of the largest such number (Dynamo: _fmin_, counted in particles).",
    )


def add_gpu(form):
    """The host's own two parameters of GPUs; off by default, for most machines have none."""
    form.addHidden(
        params.USE_GPU,
        params.BooleanParam,
        default=False,
        label="Use GPU?",
        help="Run on GPUs with CuPy: pip install 'scipion-em-stadyn[gpu]'.",
    )
    form.addHidden(
        params.GPU_LIST,
        params.StringParam,
        default="0",
        label="GPU ids",
        help="Numbers of the GPUs to use, such as 0 or 0,1.",
    )


def add_parallel(form, threads=2):
    """The section of threads; every protocol here is one process of several threads."""
    form.addParallelSection(threads=threads, mpi=0)
