# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m stadyn sheet FOLDER --out sheet.html``: the results of a project on one page that needs no other file.

The page goes with a deposition or a mail: numbers, pictures, parameters, versions and citations, no script and no link
to anything that must be loaded.
"""

import base64
import io
import re
from datetime import datetime
from html import escape
from importlib import metadata

from . import __version__, bibtex
from .core.errors import InputError
from .io.aside import written_aside
from .io.mrc import read_header
from .records import read_records

DPI = 80
HEADLINES = {
    "resolution_angst": ("Resolution at FSC 0.143", "{:.2f} Å"),
    "resolution_05_angst": ("Resolution at FSC 0.5", "{:.2f} Å"),
    "directional_anisotropy": ("Worst direction over best", "{:.2f}"),
    "median_angst": ("Local resolution, median", "{:.2f} Å"),
    "b_factor": ("B-factor applied", "{:.0f} Å²"),
    "lowpass_angst": ("Low-pass of the final map", "{:.2f} Å"),
    "spacing_angst": ("Lattice spacing", "{:.1f} Å"),
    "final_particles": ("Particles in the final map", "{:d}"),
}
UNITS = {"_angst3": " Å³", "_angst": " Å", "_deg": "°"}
"""Ends of a figure's name, and the unit that they stand for."""
ALWAYS_CITED = ("Scaramuzza2021", "CastanoDiez2012")
CITED = {
    "StadynProtImportDipoles": ("CastanoDiez2017",),
    "StadynProtAlign": ("Foerster2005", "Roseman2003"),
    "StadynProtHalfMaps": ("Scheres2012",),
    "StadynProtPostprocess": ("Rosenthal2003", "Chen2013"),
    "StadynProtLocalResolution": ("Cardone2013",),
}
RESULTS = ("StadynProtPostprocess", "StadynProtLocalResolution", "StadynProtHalfMaps")
PACKAGES = ("numpy", "scipy", "scikit-learn", "mrcfile", "matplotlib", "scipion-pyworkflow", "scipion-em",
            "scipion-em-tomo", "cupy")  # fmt: skip
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; max-width: 72em; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.6em; margin-bottom: 0; } h2 { font-size: 1.2em; border-bottom: 1px solid #bbb; margin-top: 2em; }
h3 { font-size: 1em; margin-bottom: 0.3em; } p.about { color: #666; margin-top: 0.2em; }
table { border-collapse: collapse; } th, td { text-align: left; vertical-align: top; padding: 0.2em 1.2em 0.2em 0; }
tr + tr td, tr + tr th { border-top: 1px solid #e4e4e4; } th { font-weight: 600; }
table.headline td { font-size: 1.25em; font-weight: 600; } td.number { text-align: right; }
div.pictures { display: flex; flex-wrap: wrap; gap: 1em; align-items: end; } td.time { white-space: nowrap; }
figure { margin: 0; max-width: 100%; break-inside: avoid; } figure img { max-width: 100%; border: 1px solid #e4e4e4; }
figcaption { color: #444; } .warning { color: #a33a00; } details { margin: 0.4em 0; } summary { cursor: pointer; }
"""


def add_arguments(parser):
    """Declare the command line."""
    parser.add_argument("folder", help="folder of a project of the host, of an export, or of a job's results")
    parser.add_argument("--out", default="sheet.html", help="the page (default: %(default)s)")


def run(args):
    """Write the page; returns the exit code."""
    print(f"results sheet in {write_sheet(args.folder, args.out)}")
    return 0


def write_sheet(source, path):
    """Write the results sheet of `source` to `path`; returns the path.

    Parameters
    ----------
    source : folder of a project, of an export, or of a job's results; only read
    path : of the page (.html)

    Raises
    ------
    InputError
        For a folder of another kind.
    """
    title, records = read_records(source)
    finished = [record for record in records if record.status == "finished"]
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="about">stadyn {escape(__version__)}, written {datetime.now():%Y-%m-%d %H:%M}</p>',
        _headlines(finished),
        _section("Steps", _steps(records)),
        _section("Pictures", "".join(_figure(*one) for one in _pictures(finished)), "pictures"),
        _section("Parameters", "".join(_parameters(record) for record in records if record.parameters)),
        _section("Versions", _table([(name, version) for name, version in _versions()])),
        _section("Citations", _citations(records)),
    ]
    page = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}: results</title><style>{STYLE}</style></head>\n<body>{''.join(parts)}</body></html>\n"
    )
    with written_aside(path) as aside, open(aside, "w", encoding="utf-8") as handle:
        handle.write(page)
    return path


def _section(title, content, css=""):
    return f'<h2>{title}</h2>\n<div class="{css}">{content}</div>\n' if content else ""


def _table(rows, css=""):
    lines = ["<tr><th>" + escape(str(first)) + "</th>" + "".join(map(_cell, rest)) + "</tr>" for first, *rest in rows]
    return f'<table class="{css}">' + "\n".join(lines) + "</table>"


def _cell(value):
    return f'<td class="number">{value}</td>' if isinstance(value, int) else f"<td>{escape(str(value))}</td>"


def _headlines(records):
    """The numbers that are asked for first; of several protocols that state one, the last speaks."""
    numbers = {}
    for record in records:
        numbers.update(record.numbers)
    if "resolution_angst" not in numbers and "resolution_0143_angst" in numbers:  # of a job alone
        numbers["resolution_angst"] = numbers["resolution_0143_angst"]
    rows = [
        (title, form.format(numbers[key]))
        for key, (title, form) in HEADLINES.items()
        if isinstance(numbers.get(key), (int, float))
    ]
    return _table(rows, "headline") if rows else ""


def _steps(records):
    """One row a protocol: label, what it counted, time."""
    rows = []
    for record in records:
        if not (record.class_name or record.numbers):
            continue
        seconds = "" if record.seconds is None else f"{record.seconds:.0f} s"
        status = "" if record.status == "finished" else f" ({record.status})"
        warnings = [f'<div class="warning">{escape(str(text))}</div>' for text in record.numbers.get("warnings") or []]
        numbers = {key: value for key, value in record.numbers.items() if key != "warnings" and value not in ({}, [])}
        single = [_said(key, value) for key, value in numbers.items() if not _is_nested(value)]
        nested = [line for key, value in numbers.items() if _is_nested(value) for line in _lines(key, value)]
        said = "".join(f"<div>{escape(line)}</div>" for line in ["; ".join(single), *nested])
        cells = (escape(record.label + status), said + "".join(warnings), seconds)
        rows.append('<tr><th>{}</th><td>{}</td><td class="time">{}</td></tr>'.format(*cells))
    return f"<table>{''.join(rows)}</table>"


def _is_nested(value):
    """Does a figure hold one group of figures per tomogram or half?"""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(isinstance(item, dict) for item in items)


def _lines(key, groups):
    """One line a group: its name, then what is said of it."""
    named = groups.items() if isinstance(groups, dict) else enumerate(groups, 1)
    for name, group in named:
        said = ", ".join(_said(*one) for one in group.items()) if isinstance(group, dict) else _plain(group)
        yield f"{key.replace('_', ' ')}, {name}: {said}"


def _said(key, value):
    unit = next((unit for unit in UNITS if key.endswith(unit)), "")
    return f"{key.removesuffix(unit).replace('_', ' ')} {_plain(value)}{UNITS.get(unit, '')}"


def _plain(value):
    """A value of a summary as a reader takes it in: four digits, no exponents, groups in brackets."""
    if isinstance(value, dict):
        return "(" + ", ".join(f"{k}: {_plain(v)}" for k, v in value.items()) + ")"
    if isinstance(value, (list, tuple)):
        return ", ".join(_plain(item) for item in value)
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def _pictures(records):
    """[(caption, PNG bytes)] of all runs, drawn from their results; of an export, those that lie there."""
    try:
        from .plots.sheet import average_figures, lattice_figures, run_figures
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "matplotlib":
            raise
        raise InputError("a results sheet needs matplotlib for its pictures: install it") from error
    pictures = []
    for record in sorted(records, key=lambda record: _place(record.class_name)):
        if record.folder is None:
            continue
        figures = run_figures(record.folder)
        if record.class_name == "StadynProtCommonHeight":
            figures += average_figures(record.folder)
        if record.class_name == "StadynProtHalfMaps":
            whole = next(iter(sorted(record.folder.glob("*_class001.mrc"))), None)
            particles = record.folder / "particles.npz"
            if whole and particles.exists():
                figures += lattice_figures(particles, read_header(whole).pixel_size)
        pictures += [(f"{record.label}: {caption}", _png(figure)) for caption, figure in figures]
        if not record.class_name:
            pictures += [(path.stem.replace("_", " "), path.read_bytes()) for path in _saved(record.folder, figures)]
    return pictures


def _place(class_name):
    """Results come before the way to them."""
    return RESULTS.index(class_name) if class_name in RESULTS else len(RESULTS)


def _saved(folder, figures):
    """Pictures that lie in an export; a folder whose results were drawn already has the same ones."""
    return [] if len(figures) > 1 else sorted(folder.glob("*.png"))


def _png(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()


def _figure(caption, png):
    encoded = base64.b64encode(png).decode("ascii")
    text = escape(caption)
    return f'<figure><img alt="{text}" src="data:image/png;base64,{encoded}"><figcaption>{text}</figcaption></figure>\n'


def _parameters(record):
    rows = [(name, _plain(value)) for name, value in record.parameters.items() if value != ""]
    return f"<details><summary>{escape(record.label)} ({escape(record.class_name)})</summary>{_table(rows)}</details>\n"


def _versions():
    """(name, version) of what wrote this page."""
    found = [("stadyn", __version__)]
    for name in PACKAGES:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return found


def _citations(records):
    keys = list(ALWAYS_CITED)
    for record in records:
        keys += [key for key in CITED.get(record.class_name, ()) if key not in keys]
    items = "".join(f"<li>{_reference(key)}</li>" for key in keys)
    return f"<ol>{items}</ol>"


def _reference(key):
    """One entry of the bibliography in a line of HTML."""
    entry = re.search(rf"@article{{{key},(.*?)\n}}", bibtex.__doc__, re.DOTALL).group(1)
    fields = dict(re.findall(r"(\w+) = {((?:[^{}]|{[^{}]*})*)}", entry))
    text = {name: escape(_unescaped(value)) for name, value in fields.items()}
    return (
        f"{text['author'].replace(' and ', '; ')} ({text['year']}). {text['title']}. "
        f"<i>{text['journal']}</i> {text['volume']}, {text['pages']}. doi:{text['doi']}"
    )


def _unescaped(text):
    """BibTeX's accents and dashes as characters."""
    accents = {"~n": "ñ", "'i": "í", '"o': "ö", '"u': "ü", '"a': "ä"}
    text = re.sub(r"{\\(['\"~]\w)}", lambda match: accents.get(match.group(1), match.group(1)), text)
    return text.replace("--", "–").replace("{", "").replace("}", "")
