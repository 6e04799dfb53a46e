# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows on saved results: load a result file, call a plot."""

from .outputs import StadynMapOutputViewer, StadynParticlesOutputViewer
from .viewers import (
    StadynAlignViewer,
    StadynAverageOfAveragesViewer,
    StadynAverageViewer,
    StadynCommonHeightViewer,
    StadynHalfMapsViewer,
    StadynLatitudeFilterViewer,
    StadynLatticeQualityViewer,
    StadynLocalResolutionViewer,
    StadynMaskViewer,
    StadynParticlesViewer,
    StadynPostprocessViewer,
    StadynRecentreViewer,
    StadynSelectCCViewer,
    StadynSimulateViewer,
    StadynSplitHalvesViewer,
    StadynTomogramsViewer,
)
