# SPDX-License-Identifier: GPL-3.0-or-later
"""How `pip` builds and installs the distribution scipion-em-stadyn."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'^__version__ = "(.+)"', (HERE / "stadyn" / "__init__.py").read_text(), re.M)[1]
README = HERE / "README.md"
# The field's own readers: tests ask them what they find in our files. None is needed to run.
READERS = ["dynamo2m", "dynamotable", "emfile", "eulerangles", "imodmodel", "starfile"]

setup(
    name="scipion-em-stadyn",
    version=VERSION,
    description="Subtomogram averaging of virus-like particles, step by step, in Scipion",
    long_description=README.read_text(encoding="utf-8") if README.exists() else "",
    long_description_content_type="text/markdown",
    license="GPL-3.0-or-later",
    keywords="scipion cryo-electron-tomography subtomogram-averaging virus-like-particles",
    classifiers=[
        "Intended Audience :: Science/Research",
        "License :: OSI Approved :: GNU General Public License v3 or later (GPLv3+)",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Bio-Informatics",
    ],
    packages=find_packages(include=["stadyn", "stadyn.*"]),
    package_data={"stadyn": ["protocols.conf", "icon.png", "templates/*"]},
    python_requires=">=3.10",
    # The host pins numpy, scipy, matplotlib and mrcfile; what is asked for here must stay inside its pins.
    install_requires=[
        "scipion-pyworkflow>=3.11.2",
        "scipion-em>=3.11.1",
        "scipion-em-tomo>=3.12",
        "numpy",
        "scipy",
        "mrcfile",
        "scikit-learn",
        "emtable",
        "psutil",
    ],
    extras_require={
        "gpu": ["cupy-cuda12x>=13,<14"],  # CuPy 14 needs a newer NumPy than the host pins
        "test": ["pytest", "hypothesis", *READERS],
        "fuzz": ["atheris"],  # Linux only; without it, hypothesis alone damages the files
        "dev": ["pytest", "hypothesis", "ruff", *READERS],
    },
    entry_points={"pyworkflow.plugin": "stadyn = stadyn"},
)
