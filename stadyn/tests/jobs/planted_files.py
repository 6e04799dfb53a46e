# SPDX-License-Identifier: GPL-3.0-or-later
"""Planted particles as the files and settings that a job reads."""

from stadyn.io.mrc import write_volume
from stadyn.io.results import write_result

ROUND = {
    "iterations": 1,
    "cone_range_deg": 6,
    "inplane_range_deg": 6,
    "shift_limit_angst": [10, 10, 10],
    "shift_modus": 3,
    "lowpass_angst": 15,
}


def written(folder, planted, table=None, name="particles", **settings):
    """Settings common to all jobs, after writing `planted` to `folder`."""
    tomograms = []
    for tomogram in planted.source.tomograms.values():
        path = folder / f"{tomogram.id}.mrc"
        if not path.exists():
            write_volume(path, planted.volumes[tomogram.id], tomogram.pixel_size)
        tomograms.append(
            {
                "id": tomogram.id,
                "path": str(path),
                "pixel_size": tomogram.pixel_size,
                "shape": list(tomogram.shape),
                "tilt_min_deg": tomogram.wedge.min_deg,
                "tilt_max_deg": tomogram.wedge.max_deg,
            }
        )
    particles = folder / f"{name}.npz"
    write_result(particles, planted.truth if table is None else table)
    reference = folder / "map.mrc"
    write_volume(reference, planted.reference, 5.0)
    box_angst = len(planted.reference) * 5.0
    common = {
        "tomograms": tomograms,
        "particles": str(particles),
        "box_angst": box_angst,
        "output": str(folder / "out"),
    }
    return {**common, **settings}
