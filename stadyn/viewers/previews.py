# SPDX-License-Identifier: GPL-3.0-or-later
"""What the wizards show while a slider moves, without any window: sliders in, a drawing and the form's values out."""

from dataclasses import dataclass

import numpy as np
from scipy.fft import fft2, fftshift
from scipy.spatial import cKDTree

from stadyn.core.exclusion import exclude_within
from stadyn.core.fourier import bandpass
from stadyn.plots.colors import ORANGE, SKY, VERMILION
from stadyn.plots.maps import plot_slice
from stadyn.plots.particles import plot_particles


@dataclass(frozen=True)
class Slider:
    """One number that is chosen by moving a slider."""

    name: str  # the parameter of the form
    label: str
    low: float
    high: float
    value: float
    step: float = 1.0


class Preview:
    """Base of the previews: `sliders`, a `title`, a `hint`, and how many `panels` are drawn side by side."""

    panels, hint, projection = 2, "", None

    def axes(self, figure):
        """Fresh axes in `figure`."""
        return [figure.add_subplot(1, self.panels, i + 1, projection=self.projection) for i in range(self.panels)]

    def draw(self, axes, values):
        """Draw for `values` {slider's name: float}."""
        raise NotImplementedError

    def clicked(self, panel, x, y, values):
        """New values after a click at (x, y) of a panel."""
        return {}

    def chosen(self, values):
        """{parameter: value} for the form."""
        return {name: round(float(value), 2) for name, value in values.items()}


class MapPreview(Preview):
    """Two slices of a map, protein bright: `volume` [z, y, x], `pixel_size` in Å."""

    def __init__(self, volume, pixel_size, title, sliders):
        self.volume, self.pixel_size, self.title, self.sliders = volume, pixel_size, title, sliders

    def draw_slices(self, axes, volume, point=(0, 0, 0)):
        """xy and xz through `point` (px from the centre)."""
        for ax, plane in zip(axes, ("xy", "xz"), strict=True):
            plot_slice(ax, volume, self.pixel_size, plane, point)


class MaskPreview(MapPreview):
    """How far a mask reaches: a circle, and where sliders for them exist its lower and upper end."""

    hint = "Orange: where the mask ends, before its soft edge."

    def __init__(self, volume, pixel_size, sliders, radius="radius"):
        super().__init__(volume, pixel_size, "Mask on the map", sliders)
        self.radius = radius

    def draw(self, axes, values):
        self.draw_slices(axes, self.volume)
        radius, angle = values[self.radius], np.linspace(0, 2 * np.pi, 181)
        axes[0].plot(radius * np.cos(angle), radius * np.sin(angle), color=ORANGE, linewidth=2)
        if "zMin" in values:
            low, high = values["zMin"], values["zMax"]
            axes[1].plot(radius * np.array([-1, 1, 1, -1, -1]), [low, low, high, high, low], color=ORANGE, linewidth=2)
        else:
            axes[1].plot(radius * np.cos(angle), radius * np.sin(angle), color=ORANGE, linewidth=2)


class LowpassPreview(MapPreview):
    """The map filtered to the resolution that a slider gives."""

    hint = "The map as the low-pass leaves it. What is compared should still show the lattice."

    def __init__(self, volume, pixel_size, name, value):
        nyquist = 2 * pixel_size
        finest = np.ceil(2 * nyquist) / 2  # the slider counts its steps from here
        slider = Slider(name, "Low-pass (Å)", finest, max(60.0, value), max(value, finest), 0.5)
        super().__init__(volume, pixel_size, "Low-pass", [slider])

    def draw(self, axes, values):
        (name,) = values
        self.draw_slices(axes, bandpass(self.volume, self.pixel_size, lowpass_angst=values[name]))
        axes[0].set_title(f"{values[name]:g} Å")


class CentrePreview(MapPreview):
    """Where the new centre lies; a click on a slice moves it. Lengths count from the first voxel, as in Chimera."""

    hint = (
        "Click on either slice; the yellow cross is the new centre. The tip of the hexamer is a good mark.\n"
        "The sliders count from the map's first voxel, as Chimera does."
    )

    def __init__(self, volume, pixel_size, point=None):
        middle = [pixel_size * (n // 2) for n in volume.shape[::-1]]
        start = middle if point is None else point
        sliders = [
            Slider(axis, f"{axis} (Å)", 0.0, round(pixel_size * (n - 1), 2), value, round(pixel_size, 2))
            for axis, n, value in zip("xyz", volume.shape[::-1], start, strict=True)
        ]
        super().__init__(volume, pixel_size, "New centre", sliders)
        self.middle = np.array(middle)

    def draw(self, axes, values):
        offset = np.array([values[axis] for axis in "xyz"]) - self.middle
        x, y, z = offset
        self.draw_slices(axes, self.volume, np.rint(offset / self.pixel_size).astype(int))
        for ax, up in zip(axes, (y, z), strict=True):
            ax.plot(x, up, "+", color="yellow", markersize=16, markeredgewidth=2)

    def clicked(self, panel, x, y, values):
        return {"x": x + self.middle[0], ("y", "z")[panel]: y + self.middle[1 + panel]}

    def chosen(self, values):
        return {"point": ", ".join(f"{values[axis]:.1f}" for axis in "xyz")}


class SectionPreview(Preview):
    """A slice of a tomogram, `section` [y, x], about `position` (x, y) in px."""

    panels = 1

    def __init__(self, section, position, pixel_size, title, sliders):
        self.section, self.position, self.pixel_size = section, position, pixel_size
        self.title, self.sliders = title, sliders

    def draw_section(self, ax, center, reach_px):
        """The slice as far as `reach_px` from `center` (px)."""
        low, high = np.percentile(self.section, (1, 99))
        ax.imshow(self.section, cmap="gray", origin="lower", vmin=low, vmax=high)
        x, y = center
        ax.set(xlim=(x - reach_px, x + reach_px), ylim=(y - reach_px, y + reach_px), xlabel="x (px)", ylabel="y (px)")

    def circle(self, ax, center, radius_angst, **style):
        """A circle about `center` (px)."""
        angle, radius = np.linspace(0, 2 * np.pi, 181), radius_angst / self.pixel_size
        ax.plot(center[0] + radius * np.cos(angle), center[1] + radius * np.sin(angle), linewidth=2, **style)


class BoxPreview(SectionPreview):
    """A box about one particle, on a slice of its tomogram; `radius` (parameter, Å) of its mask, if any."""

    hint = "Orange: the box. It should hold several unit cells up to step 5, one and its neighbours from step 6 on."

    def __init__(self, section, position, pixel_size, value, radius=None):
        high = max(round(pixel_size * min(section.shape) / 2), value)
        sliders = [Slider("boxSize", "Box size (Å)", round(16 * pixel_size), high, value, 2 * pixel_size)]
        if radius is not None:
            sliders.append(Slider(radius[0], "Particle radius (Å)", 0.0, high / 2, radius[1]))
            self.hint += " Blue: the radius within which particles are compared."
        super().__init__(section, position, pixel_size, "Box about a particle", sliders)

    def draw(self, axes, values):
        (ax,) = axes
        side, (x, y) = self.pixels(values), self.position
        self.draw_section(ax, self.position, 1.5 * side)
        corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]) * side / 2
        ax.plot(x + corners[:, 0], y + corners[:, 1], color=ORANGE, linewidth=2)
        for slider in self.sliders[1:]:
            self.circle(ax, self.position, values[slider.name], color=SKY)
        ax.set_title(f"{side} px, {side * self.pixel_size:.1f} Å")

    def pixels(self, values):
        """The even number of pixels that a side will have."""
        return 2 * round(values["boxSize"] / self.pixel_size / 2)

    def chosen(self, values):
        side = {"boxSize": round(self.pixels(values) * self.pixel_size, 2)}
        return {**super().chosen(values), **side}


class RadiusPreview(SectionPreview):
    """Radii of VLPs or tubes as circles about a point that a click moves; `radii` {parameter: (label, Å)}."""

    hint = "Click on the middle of a VLP, or of a tube, then draw each circle to its protein layer."

    def __init__(self, section, position, pixel_size, radii):
        high = round(pixel_size * max(section.shape) / 2)
        sliders = [Slider(n, label, 0.0, max(high, value), value) for n, (label, value) in radii.items()]
        super().__init__(section, tuple(position), pixel_size, "Radius", sliders)

    def draw(self, axes, values):
        (ax,) = axes
        self.draw_section(ax, np.array(self.section.shape[::-1]) / 2, max(self.section.shape) / 2)
        for slider, color in zip(self.sliders, (SKY, ORANGE, VERMILION), strict=False):
            self.circle(ax, self.position, values[slider.name], color=color, label=slider.label)
        ax.legend(fontsize=8, loc="upper right")

    def clicked(self, panel, x, y, values):
        self.position = (x, y)
        return {}


class SpacingPreview(Preview):
    """Crop points in one tomogram: `points` makes the ParticleTable of a spacing in px."""

    panels, projection = 1, "3d"
    hint = "About 0.9 times the spacing lies between neighbouring points. Closer ones reach more of a patchy lattice."

    def __init__(self, points, pixel_size, value):
        self.points, self.pixel_size, self.title = points, pixel_size, "Spacing of the points"
        self.sliders = [Slider("spacing", "Spacing (Å)", max(20.0, 4 * pixel_size), 400.0, value, 2.0)]

    def draw(self, axes, values):
        table = self.points(values["spacing"] / self.pixel_size)
        plot_particles(axes[0], table, color_by="surface")
        axes[0].set_title(f"{table.tomogram_ids[0]}: {len(table)} points")


class ExclusionPreview(Preview):
    """Distances between nearest particles, and how many a radius would drop."""

    panels = 1
    hint = "Duplicates lie left of the gap, neighbours of the lattice right of it: put the radius into the gap."

    def __init__(self, table, pixel_size, value):
        self.table, self.pixel_size, self.title = table, pixel_size, "Exclusion radius"
        self.distances = nearest_distances(table) * pixel_size
        high = float(np.ceil(max(np.percentile(self.distances, 99), 1.5 * value, 10.0)))
        self.sliders = [Slider("exclusionRadius", "Exclusion radius (Å)", 0.0, high, value, 0.5)]

    def draw(self, axes, values):
        (ax,) = axes
        radius = values["exclusionRadius"]
        kept = int(np.sum(exclude_within(self.table, radius / self.pixel_size)))
        ax.hist(self.distances, bins=80, range=(0, self.sliders[0].high), color=SKY)
        ax.axvline(radius, color=ORANGE, linewidth=2.5)
        ax.set(xlabel="distance to the nearest particle (Å)", ylabel="particles")
        ax.set_title(f"{kept} of {len(self.table)} particles stay")


def nearest_distances(table):
    """(m,) px from each particle to the nearest other one of its tomogram; those alone are left out."""
    found = [np.empty(0)]
    for name in np.unique(table.tomogram_ids):
        positions = table.positions[table.tomogram_ids == name]
        if len(positions) > 1:
            found.append(cKDTree(positions).query(positions, k=2)[0][:, 1])
    return np.concatenate(found)


class TiltPreview(Preview):
    """The power spectrum of a tomogram across its tilt axis, with the edges of the missing wedge.

    A tilt image at angle a about y samples the plane of the y axis and (cos a, 0, sin a); so the measured fan
    lies between the lines of the lowest and the highest tilt.
    """

    panels = 1
    hint = "Bright is what was measured. Turn both lines to the edges of the fan; the dark wedges about kz stay empty."

    def __init__(self, section, tilt_min, tilt_max):
        self.spectrum = wedge_spectrum(section)
        self.title = "Tilt range in the power spectrum"
        self.sliders = [
            Slider("tiltMin", "Lowest tilt (degrees)", -90.0, 0.0, tilt_min, 0.5),
            Slider("tiltMax", "Highest tilt (degrees)", 0.0, 90.0, tilt_max, 0.5),
        ]

    def draw(self, axes, values):
        (ax,) = axes
        low, high = np.percentile(self.spectrum, (2, 99.5))
        ax.imshow(self.spectrum, cmap="gray", origin="lower", extent=(-0.5, 0.5, -0.5, 0.5), vmin=low, vmax=high)
        for name, style in (("tiltMin", "--"), ("tiltMax", "-")):
            angle = np.radians(values[name])
            across = 0.5 * np.array([[-1, 1], [-1, 1]]) * [[np.cos(angle)], [np.sin(angle)]]
            ax.plot(*across, style, color=VERMILION, linewidth=1.5, label=f"{values[name]:g} degrees")
        ax.set(xlabel="kx (1/px)", ylabel="kz (1/px)")
        ax.legend(fontsize=8, loc="upper right")


def wedge_spectrum(section):
    """log of the power of slabs across the tilt axis: (slices, z, x) -> (n, n), averaged, with kz up and kx right."""
    n = max(section.shape[1:])
    window = np.outer(np.hanning(section.shape[1]), np.hanning(section.shape[2]))
    power = np.zeros((n, n))
    for plane in section:
        power += np.abs(fftshift(fft2((plane - plane.mean()) * window, s=(n, n)))) ** 2
    return np.log(power + 1e-12 * power.max())
