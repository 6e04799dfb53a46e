# SPDX-License-Identifier: GPL-3.0-or-later
"""
@article{Scaramuzza2021,
  title = {Step-by-step guide to efficient subtomogram averaging of virus-like particles with Dynamo},
  author = {Scaramuzza, Stefano and Casta{\\~n}o-D{\\'i}ez, Daniel},
  journal = {PLoS Biology}, volume = {19}, number = {8}, pages = {e3001318}, year = {2021},
  doi = {10.1371/journal.pbio.3001318}, url = {https://doi.org/10.1371/journal.pbio.3001318}
}
@article{CastanoDiez2012,
  title = {Dynamo: A flexible, user-friendly development tool for subtomogram averaging of cryo-EM data in high-performance computing environments},
  author = {Casta{\\~n}o-D{\\'i}ez, Daniel and Kudryashev, Mikhail and Arheit, Marcel and Stahlberg, Henning},
  journal = {Journal of Structural Biology}, volume = {178}, number = {2}, pages = {139--151}, year = {2012},
  doi = {10.1016/j.jsb.2011.12.017}, url = {https://doi.org/10.1016/j.jsb.2011.12.017}
}
@article{CastanoDiez2017,
  title = {Dynamo Catalogue: Geometrical tools and data management for particle picking in subtomogram averaging of cryo-electron tomograms},
  author = {Casta{\\~n}o-D{\\'i}ez, Daniel and Kudryashev, Mikhail and Stahlberg, Henning},
  journal = {Journal of Structural Biology}, volume = {197}, number = {2}, pages = {135--144}, year = {2017},
  doi = {10.1016/j.jsb.2016.06.005}, url = {https://doi.org/10.1016/j.jsb.2016.06.005}
}
@article{Nelson1979,
  title = {Dislocation-mediated melting in two dimensions},
  author = {Nelson, David R. and Halperin, B. I.},
  journal = {Physical Review B}, volume = {19}, number = {5}, pages = {2457--2484}, year = {1979},
  doi = {10.1103/PhysRevB.19.2457}, url = {https://doi.org/10.1103/PhysRevB.19.2457}
}
@article{Briggs2009,
  title = {Structure and assembly of immature HIV},
  author = {Briggs, J. A. G. and Riches, J. D. and Glass, B. and Bartonova, V. and Zanetti, G. and Kr{\\"a}usslich, H.-G.},
  journal = {Proceedings of the National Academy of Sciences}, volume = {106}, number = {27}, pages = {11090--11095}, year = {2009},
  doi = {10.1073/pnas.0903535106}, url = {https://doi.org/10.1073/pnas.0903535106}
}
@article{Foerster2005,
  title = {Retrovirus envelope protein complex structure in situ studied by cryo-electron tomography},
  author = {F{\\"o}rster, Friedrich and Medalia, Ohad and Zauberman, Nathan and Baumeister, Wolfgang and Fass, Deborah},
  journal = {Proceedings of the National Academy of Sciences}, volume = {102}, number = {13}, pages = {4729--4734}, year = {2005},
  doi = {10.1073/pnas.0409178102}, url = {https://doi.org/10.1073/pnas.0409178102}
}
@article{Roseman2003,
  title = {Particle finding in electron micrographs using a fast local correlation algorithm},
  author = {Roseman, Alan M.},
  journal = {Ultramicroscopy}, volume = {94}, number = {3-4}, pages = {225--236}, year = {2003},
  doi = {10.1016/S0304-3991(02)00333-9}, url = {https://doi.org/10.1016/S0304-3991(02)00333-9}
}
@article{Rosenthal2003,
  title = {Optimal determination of particle orientation, absolute hand, and contrast loss in single-particle electron cryomicroscopy},
  author = {Rosenthal, Peter B. and Henderson, Richard},
  journal = {Journal of Molecular Biology}, volume = {333}, number = {4}, pages = {721--745}, year = {2003},
  doi = {10.1016/j.jmb.2003.07.013}, url = {https://doi.org/10.1016/j.jmb.2003.07.013}
}
@article{Scheres2012,
  title = {Prevention of overfitting in cryo-EM structure determination},
  author = {Scheres, Sjors H. W. and Chen, Shaoxia},
  journal = {Nature Methods}, volume = {9}, number = {9}, pages = {853--854}, year = {2012},
  doi = {10.1038/nmeth.2115}, url = {https://doi.org/10.1038/nmeth.2115}
}
@article{Chen2013,
  title = {High-resolution noise substitution to measure overfitting and validate resolution in 3D structure determination by single particle electron cryomicroscopy},
  author = {Chen, Shaoxia and McMullan, Greg and Faruqi, Abdul R. and Murshudov, Garib N. and Short, Judith M. and Scheres, Sjors H. W. and Henderson, Richard},
  journal = {Ultramicroscopy}, volume = {135}, pages = {24--35}, year = {2013},
  doi = {10.1016/j.ultramic.2013.06.004}, url = {https://doi.org/10.1016/j.ultramic.2013.06.004}
}
@article{Cardone2013,
  title = {One number does not fit all: Mapping local variations in resolution in cryo-EM reconstructions},
  author = {Cardone, Giovanni and Heymann, J. Bernard and Steven, Alasdair C.},
  journal = {Journal of Structural Biology}, volume = {184}, number = {2}, pages = {226--236}, year = {2013},
  doi = {10.1016/j.jsb.2013.08.002}, url = {https://doi.org/10.1016/j.jsb.2013.08.002}
}
@article{Schur2016,
  title = {An atomic model of HIV-1 capsid-SP1 reveals structures regulating assembly and maturation},
  author = {Schur, Florian K. M. and Obr, Martin and Hagen, Wim J. H. and Wan, William and Jakobi, Arjen J. and Kirkpatrick, Joanna M. and Sachse, Carsten and Kr{\\"a}usslich, Hans-Georg and Briggs, John A. G.},
  journal = {Science}, volume = {353}, number = {6298}, pages = {506--508}, year = {2016},
  doi = {10.1126/science.aaf9620}, url = {https://doi.org/10.1126/science.aaf9620}
}
"""  # noqa: E501 (BibTeX; the host reads it from this docstring)
