# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocols, one file each. The host discovers what is imported here."""

from .align import StadynProtAlign
from .average import StadynProtAverage
from .average_of_averages import StadynProtAverageOfAverages
from .check_geometry import StadynProtCheckGeometry
from .common_height import StadynProtCommonHeight
from .expand_lattice import StadynProtExpandLattice
from .export_particles import StadynProtExportParticles
from .extract import StadynProtExtract
from .find_shells import StadynProtFindShells
from .half_maps import StadynProtHalfMaps
from .import_dipoles import StadynProtImportDipoles
from .import_particles import StadynProtImportParticles
from .import_tomograms import StadynProtImportTomograms
from .latitude_filter import StadynProtLatitudeFilter
from .lattice_quality import StadynProtLatticeQuality
from .local_resolution import StadynProtLocalResolution
from .mask import StadynProtMask
from .oversample import StadynProtOversample
from .oversample_tubes import StadynProtOversampleTubes
from .pick_dipoles import StadynProtPickDipoles
from .postprocess import StadynProtPostprocess
from .recentre import StadynProtRecentre
from .refit_surfaces import StadynProtRefitSurfaces
from .select_cc import StadynProtSelectCC
from .simulate import StadynProtSimulate
from .split_halves import StadynProtSplitHalves
from .subboxing import StadynProtSubboxing
