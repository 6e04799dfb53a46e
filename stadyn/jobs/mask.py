# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m stadyn mask MAP --out MASK``: a soft mask grown from a map's density, or a geometric one in its box."""

from stadyn.core.errors import InputError
from stadyn.core.masks import CONTRASTS, check_mask, curved_slab, cylinder, filtered_mask, sphere
from stadyn.io.mrc import write_volume

from .half_maps import read_cube

SHAPES = {
    "filtered": (),
    "sphere": ("radius",),
    "cylinder": ("radius", "z_min", "z_max"),
    "curved-slab": ("surface_radius", "radius", "z_min", "z_max"),
}
"""Each shape with the lengths (Å) it must be given."""


def add_arguments(parser):
    parser.add_argument("map", help="map whose density, or only whose box and pixel size, the mask takes")
    parser.add_argument("--out", required=True, help="the mask, an MRC file")
    parser.add_argument("--shape", choices=SHAPES, default="filtered", help="default: %(default)s")
    parser.add_argument("--contrast", choices=("bright", "dark"), default="bright", help="of protein in the map")
    parser.add_argument("--lowpass", type=float, default=15.0, metavar="A", help="filter before binarising")
    parser.add_argument("--threshold", type=float, help="density of the first binarisation (default: Otsu's)")
    parser.add_argument("--cell-radius", type=float, default=37.0, metavar="A", help="density this near must be inside")
    parser.add_argument("--extend-px", type=float, default=2.0, help="pixels between density and edge")
    parser.add_argument("--soft-px", type=float, default=5.0, help="width of the edge in pixels")
    parser.add_argument("--radius", type=float, metavar="A", help="largest distance from the centre or the z axis")
    parser.add_argument("--z-min", type=float, metavar="A", help="lower face, from the box centre, outward positive")
    parser.add_argument("--z-max", type=float, metavar="A", help="upper face")
    parser.add_argument("--surface-radius", type=float, metavar="A", help="radius of the sphere that the slab follows")


def run(args):
    options = {name: value for name, value in vars(args).items() if name not in ("map", "out", "command")}
    for message in run_mask(args.map, args.out, **options):
        print(f"warning: {message}")
    print(f"mask in {args.out}")
    return 0


def run_mask(path, out, shape="filtered", contrast="bright", lowpass=15.0, threshold=None, cell_radius=37.0,
             extend_px=2.0, soft_px=5.0, radius=None, z_min=None, z_max=None, surface_radius=None):  # fmt: skip
    """Write a mask for the map at `path`; returns what is wrong with it, as sentences. Lengths are in Å.

    Raises InputError for an unusable map, or a length that the shape needs and lacks.
    """
    sizes = {"lowpass": lowpass, "cell-radius": cell_radius, "extend-px": extend_px, "soft-px": soft_px}
    for name, value in sizes.items():
        if value < 0:
            raise InputError(f"--{name} {value:g}: give 0 or more")
    volume, pixel_size = read_cube(path)
    lengths = {"radius": radius, "z_min": z_min, "z_max": z_max, "surface_radius": surface_radius}
    missing = [name for name in SHAPES[shape] if lengths[name] is None]
    if missing:
        raise InputError(f"a {shape} needs {', '.join('--' + name.replace('_', '-') for name in missing)}: add it in Å")
    px = {name: None if value is None else value / pixel_size for name, value in lengths.items()}
    box = volume.shape[0]
    if shape == "filtered":
        mask = filtered_mask(
            volume, pixel_size, contrast, lowpass, cell_radius, threshold, extend_px, soft_px, px["radius"]
        )
    elif shape == "sphere":
        mask = sphere(box, px["radius"], soft_px)
    elif shape == "cylinder":
        mask = cylinder(box, px["radius"], px["z_min"], px["z_max"], soft_px)
    else:
        mask = curved_slab(box, px["surface_radius"], px["radius"], px["z_min"], px["z_max"], soft_px)
    write_volume(out, mask, pixel_size, f"stadyn {shape} mask")
    return check_mask(mask, CONTRASTS[contrast] * volume if shape == "filtered" else None)
