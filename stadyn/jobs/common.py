# SPDX-License-Identifier: GPL-3.0-or-later
"""What all particle jobs share: settings to tomograms, particles, references and groups; progress; results."""

import ctypes
import functools
import resource
import sys
import time
from dataclasses import fields
from pathlib import Path

import numpy as np

from stadyn.core.arrays import device_array_module
from stadyn.core.errors import InputError
from stadyn.core.optics import Microscope
from stadyn.core.particle_data import TomogramSource
from stadyn.core.particles import EVEN, ODD, ParticleBoxes, ParticleTable
from stadyn.core.resample import fourier_resize, inside, rescale_map, resize_box
from stadyn.core.tomograms import MissingWedge, Tomogram, Weighting
from stadyn.io.aside import claimed
from stadyn.io.mrc import open_volume, read_header, read_volume, write_volume
from stadyn.io.results import read_result
from stadyn.io.settings import check_keys

COMMON_REQUIRED = ("tomograms", "particles", "output", "box_angst")
COMMON_ALLOWED = ("boxes", "seed", "gpu", "threads", "group_by", "mask", "randomize_azimuth", "fmin")
TOMOGRAM_KEYS = ("path", "shape", "tilt_min_deg", "tilt_max_deg")
TOMOGRAM_KEYS += ("defocus_um", "microscope", "tilts_deg", "doses", "weight")
HALF_NAMES = {ODD: "odd", EVEN: "even"}
MIN_REPORT_SECONDS = 2.0
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc


class Progress:
    """One line per update: what is done, how fast, how long it will take; at most one every two seconds."""

    def __init__(self, particles_per_step=1):
        self.per_step = particles_per_step
        self._label, self._last = None, 0.0
        self._started = self._called = time.monotonic()

    def __call__(self, label, done, total):
        """Report `done` of `total` steps of the work called `label`."""
        now = time.monotonic()
        if label != self._label:
            self._label, self._started, self._last = label, self._called, self._called
        self._called = now
        if done < total and now - self._last < MIN_REPORT_SECONDS:
            return
        self._last = now
        speed = done / max(now - self._started, 1e-6)
        left = (total - done) / max(speed, 1e-6)
        print(
            f"{label}  {100 * done / max(total, 1):3.0f} %  {speed * self.per_step:.0f} particles/s"
            f"  left {int(left // 60):02d}:{int(left % 60):02d}",
            flush=True,
        )


class BoxSource:
    """Particles that are subtomogram files: each box is read, and brought to the size and pixel size of the work."""

    def __init__(self, boxes, tomograms):
        self.files, self.tomograms = boxes, tomograms

    def boxes(self, table, rows, box_px):
        """((b, n, n, n) float32 boxes, (b, 3) float centres) of some rows of the table the files belong to."""
        read = []
        for row in rows:
            volume = read_volume(self.files.paths[row], int(self.files.indices[row]))
            pixel_size = self.tomograms[table.tomogram_ids[row]].pixel_size
            if abs(self.files.pixel_size / pixel_size - 1) > 1e-3:
                volume = fourier_resize(volume, 2 * round(volume.shape[0] * self.files.pixel_size / pixel_size / 2))
            read.append(resize_box(volume, box_px, fill=float(volume.mean())))
        return np.stack(read), np.asarray(self.files.centers)[rows]


def tomograms_from_settings(entries):
    """dict id -> Tomogram of the "tomograms" of a settings file."""
    tomograms = {}
    for entry in entries:
        check_keys(entry, TOMOGRAM_KEYS, ("id", "pixel_size"), "a tomogram of the settings")
        path = entry.get("path", "")
        shape = tuple(entry.get("shape") or (read_header(path).shape if path else (0, 0, 0)))
        try:
            wedge = MissingWedge(entry.get("tilt_min_deg", -90.0), entry.get("tilt_max_deg", 90.0))
            tomogram = Tomogram(entry["id"], path, float(entry["pixel_size"]), shape, wedge, _weighting(entry))
        except (TypeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"tomogram {entry['id']} in the settings: {error}; correct it") from error
        tomograms[entry["id"]] = tomogram
    return tomograms


def _weighting(entry):
    """The `Weighting` of a tomogram's entry, or None; its keys are the last of `TOMOGRAM_KEYS`."""
    defocus, tilts, doses, path = (entry.get(key) for key in ("defocus_um", "tilts_deg", "doses", "weight"))
    if defocus is None and tilts is None and doses is None and not path:
        return None
    if (tilts is None) != (doses is None) or (tilts is not None and len(tilts) != len(doses)):
        raise InputError(f'tomogram {entry["id"]}: "tilts_deg" and "doses" belong together, one dose for each tilt')
    optics = [f.name for f in fields(Microscope)]
    microscope = Microscope(**check_keys(entry.get("microscope", {}), optics, (), "the microscope's settings"))
    volume = read_volume(path) if path else None
    if volume is not None and len(set(volume.shape)) != 1:
        raise InputError(f"weight volume {path} is {volume.shape[::-1]} voxels: it must be a cube")
    return Weighting(
        None if defocus is None else 1e4 * float(defocus),
        microscope,
        None if tilts is None else tuple(tilts),
        None if doses is None else tuple(doses),
        volume,
    )


def alone_in_its_folder(run_settings):
    """A job's `run_settings` that no other process can run into the same output folder at the same time."""

    @functools.wraps(run_settings)
    def run_alone(settings, **more):
        if not isinstance(settings.get("output"), (str, Path)):
            return run_settings(settings, **more)  # which says what is wrong
        with claimed(settings["output"]):
            return run_settings(settings, **more)

    return run_alone


def keep_freed_memory():
    """Let the C library reuse freed blocks instead of returning them: a fifth of the time went to the kernel otherwise.

    Arrays of a batch come and go in milliseconds, and glibc hands each back to the system at once.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another C library: nothing to set
        return
    mallopt(M_MMAP_THRESHOLD, 32 * 2**20)
    mallopt(M_TRIM_THRESHOLD, 256 * 2**20)


class Work:
    """The inputs of a particle job, checked, and the folder its results go to."""

    def __init__(self, settings):
        keep_freed_memory()
        self.settings = settings
        self.tomograms = tomograms_from_settings(settings["tomograms"])
        self.table = read_result(settings["particles"], ParticleTable)
        if len(self.table) == 0:
            raise InputError(f"particles {settings['particles']}: the table is empty; there is nothing to work on")
        unknown = sorted(set(self.table.tomogram_ids) - set(self.tomograms))
        if unknown:
            raise InputError(
                f"particles of tomogram {unknown[0]!r} are in {settings['particles']}, but the tomograms are"
                f" {', '.join(sorted(self.tomograms))}: add it or drop its particles"
            )
        sizes = {round(self.tomograms[i].pixel_size, 4) for i in set(self.table.tomogram_ids)}
        if len(sizes) > 1:
            raise InputError(f"tomograms of different pixel sizes {sorted(sizes)} Å: process them apart or rescale one")
        self.pixel_size = self.tomograms[self.table.tomogram_ids[0]].pixel_size
        self.box_px = box_pixels(settings["box_angst"], self.pixel_size)
        self.output = Path(settings["output"])
        self.output.mkdir(parents=True, exist_ok=True)
        self.threads = int(settings.get("threads") or 1)
        self.seed = int(settings.get("seed", 1))
        self.fmin = float(settings.get("fmin", 0.01))
        gpus = settings.get("gpu")
        self.xp = device_array_module(gpus[0] if gpus else None)
        self.source = self._source()
        self.progress = Progress()

    def _source(self):
        if self.settings.get("boxes"):
            boxes = read_result(self.settings["boxes"], ParticleBoxes)
            if len(boxes.paths) != len(self.table):
                raise InputError(
                    f"{self.settings['boxes']} lists {len(boxes.paths)} boxes for {len(self.table)} particles:"
                    " write it anew"
                )
            return BoxSource(boxes, self.tomograms)
        volumes = {}
        for tomogram_id in sorted(set(self.table.tomogram_ids)):
            tomogram = self.tomograms[tomogram_id]
            volumes[tomogram_id] = open_volume(tomogram.path)
            rows = self.table.tomogram_ids == tomogram_id
            check_room(tomogram, volumes[tomogram_id].shape, self.table.positions[rows], self.box_px)
        return TomogramSource(volumes, self.tomograms)

    def groups(self):
        """[(name, rows)] by the settings' "group_by", in a fixed order."""
        keys = self.settings.get("group_by") or []
        unknown = sorted(set(keys) - {"tomogram", "half"})
        if unknown:
            raise InputError(f'"group_by" holds {unknown[0]!r}: give "tomogram", "half", both or neither')
        names = np.array(["all"] * len(self.table), dtype=object)
        if "half" in keys and np.any(self.table.half == 0):
            raise InputError("particles are not split into halves: run the even/odd split first")
        if keys:
            columns = []
            if "tomogram" in keys:
                columns.append(self.table.tomogram_ids)
            if "half" in keys:
                columns.append(np.array([HALF_NAMES[h] for h in self.table.half]))
            names = np.array(["_".join(parts) for parts in zip(*columns, strict=True)], dtype=object)
        return [(name, np.flatnonzero(names == name)) for name in sorted(set(names))]

    def map_at_work_size(self, path):
        """A map of the settings as a box of this work: same pixel size, `box_px` voxels a side."""
        header = read_header(path)
        if len(set(header.shape)) != 1:
            raise InputError(f"{path} is {header.shape[::-1]} voxels: a reference or mask must be a cube")
        if header.pixel_size <= 0:
            raise InputError(f"{path} has no pixel size in its header: write it there (IMOD: alterheader -del)")
        volume = read_volume(path)
        if abs(header.pixel_size / self.pixel_size - 1) < 1e-3:
            return resize_box(volume, self.box_px)
        return rescale_map(volume, header.pixel_size, self.pixel_size, self.box_px)

    def mask(self):
        """The mask at work size, clipped to 0..1, or None."""
        path = self.settings.get("mask")
        if not path:
            return None
        mask = np.clip(self.map_at_work_size(path), 0, 1)
        if not mask.any():
            raise InputError(
                f"mask {path} is empty within the box of {self.box_px} px: make it anew or enlarge the box"
            )
        return mask

    def reference(self, group):
        """The starting reference of a group at work size, or None when it is to be averaged."""
        references = self.settings.get("reference") or {}
        path = references.get(group, references.get("*"))
        if references and path is None:
            raise InputError(f"no reference is given for group {group!r}: given are {', '.join(sorted(references))}")
        return None if path is None else self.map_at_work_size(path)

    def write_average(self, group, average, note=""):
        """`average_<group>.mrc` in the output folder, contrast of the data; returns its path."""
        path = self.output / f"average_{group}.mrc"
        if not average.volume.any():
            raise InputError(
                f"the average of the {average.n} particles of group {group} is empty, their boxes are constant: look"
                " at the tomograms where the particles are"
            )
        write_volume(
            path,
            average.volume,
            self.pixel_size,
            label=f"stadyn average of {average.n} particles, data contrast {note}",
        )
        return path


def check_room(tomogram, shape, positions, box_px):
    """InputError for a box that is larger than a tomogram of `shape` (z, y, x), or positions (n, 3) outside of it."""
    if max(shape) < box_px:
        raise InputError(
            f"a box of {box_px} px is larger than tomogram {tomogram.path} ({tuple(shape)[::-1]} px): choose a smaller"
            " box"
        )
    outside = ~inside(shape, positions)
    if outside.any():
        raise InputError(
            f"{int(outside.sum())} particles lie outside tomogram {tomogram.path}, the first at"
            f" {np.round(positions[outside][0], 1).tolist()} px:"
            " check pixel size, binning and axis order of the coordinates"
        )


def box_pixels(box_angst, pixel_size):
    """The even number of voxels nearest to a box in Å."""
    box = 2 * round(float(box_angst) / float(pixel_size) / 2)
    if box < 16:
        raise InputError(
            f"a box of {box_angst} Å is {box} px at {pixel_size} Å/px: give at least {16 * pixel_size:.0f} Å"
        )
    return box


def peak_memory(xp):
    """The most memory this process, and its device if it has one, held at once, as a sentence."""
    text = f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB"
    if xp is not np:
        text += f", on the device {xp.get_default_memory_pool().total_bytes() / 2**20:.0f} MiB"
    return text


def warn(text):
    """A line on standard error that does not end the run."""
    print(f"warning: {text}", file=sys.stderr, flush=True)
