# SPDX-License-Identifier: GPL-3.0-or-later
"""How valid files are damaged: bytes, lines, cells, headers and entries, exchanged for what readers least expect."""

import io
import json
import re
import struct
import zipfile

NUMBER = re.compile(rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
TOKEN = re.compile(rb"[^\s,;\t\"'<>=|~]+")
CELLS = [
    b"nan", b"NaN", b"-nan", b"inf", b"-inf", b"1e308", b"-1e308", b"1e400", b"1e-320", b"-0", b"0", b"-1", b"1.5",
    b"2147483648", b"9007199254740993", b"99999999999999999999", b"1" * 400, b"9" * 5000, b"0x10", b"1_000", b"007",
    b"1,5", b"1.5+0i", b"True", b"null", b"None", b"", b" ", b"-", b".", b"e", b"%", b"%s", b"%(HOME)s", b"~", b"|",
    b"''", b'""', b"'", b'"', b"\\", b"[", b"]", b"{", b"}", b"<", b">", b"&", b"&#0;", b"#", b"_", b"data_", b"loop_",
    b"..", b"../../..", b"/", b"/dev/null", b"\t", b"\n", b"\r", b"\r\n\r\n", b"A" * 10000,
    "\u0663".encode(), "½".encode(), "²".encode(), "\u2028".encode(), "\x85".encode(), "\ufeff".encode(), "é".encode(),
    "\U0001f9a0".encode(), "\u202e".encode(), b"\x1c", b"\x0b", b"\xff", b"\xed\xa0\x80", b"\0",
]  # fmt: skip
"""What a number or a word of a text is exchanged for."""
NESTED = [b"[" * 20000, b'{"a":' * 20000, b"<a>" * 20000, b"[" * 400 + b"]" * 400]
WHOLE = [0, 1, -1, 2, 3, 6, 12, 16, 20, 127, 255, 256, 401, 1024, 65535, 10**6, 10**9, 2**31 - 1, -(2**31)]
REAL = [0.0, -1.0, 1e-45, 1e38, float("nan"), float("inf"), float("-inf"), 3.4e38]
VALUES = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**400, 1.5, -0.0, 1e308, float("nan"), float("inf"), "", "a", "nan",
    "1e999", "\ud800", "\n", "..", "stadyn.core.errors:InputError", [], {}, [[]], [None], [1, 2, 3], {"a": {}},
    "x" * 9999,
]  # fmt: skip
"""What an entry of JSON is exchanged for."""
LARGEST = 300_000
"""Bytes; damage that makes files larger is cut there."""


def damaged(random, content, most=4):
    """`content` after 1 to `most` damages that fit its kind.

    Parameters
    ----------
    random : random.Random, or what has its randrange and choice; decides everything
    content : bytes
    """
    for _ in range(random.randrange(1, most + 1)):
        try:
            content = random.choice(_kinds(content))(random, content)[:LARGEST]
        except (RecursionError, MemoryError, ValueError):  # too deep or too large to be damaged further
            return content
    return content


def _kinds(content):
    if content[:4] == b"PK\3\4":
        return [in_archive, in_archive, in_archive, flipped, spliced, cut]
    if b"\0" in content[:2000]:
        return [number_exchanged, number_exchanged, flipped, spliced, cut, repeated]
    kinds = [lines_moved, column_changed, inserted, flipped, spliced, cut, *[cell_exchanged] * 3]
    return [*kinds, *[entry_exchanged] * 5] if content.lstrip()[:1] in (b"{", b"[") else kinds


def _place(random, content, step=1):
    return random.randrange(0, len(content) // step + 1) * step


def flipped(random, content):
    """Some bytes changed."""
    found = bytearray(content or b"\0")
    for _ in range(random.randrange(1, 9)):
        found[random.randrange(0, len(found))] ^= 1 << random.randrange(0, 8)
    return bytes(found)


def spliced(random, content):
    """A stretch of bytes put elsewhere, over what was there or before it."""
    start, to = _place(random, content), _place(random, content)
    piece = content[start : start + random.randrange(1, 64)]
    return content[:to] + piece + content[to + random.choice([0, len(piece)]) :]


def cut(random, content):
    """The end, or a stretch, lost."""
    start = _place(random, content)
    return content[:start] + (content[start + random.randrange(1, 200) :] if random.randrange(0, 2) else b"")


def repeated(random, content):
    """A stretch of bytes many times over."""
    start = _place(random, content)
    piece = content[start : start + random.randrange(1, 200)]
    return content[:start] + piece * random.choice([2, 10, 500]) + content[start:]


def number_exchanged(random, content):
    """A binary number, at a multiple of four bytes and mostly near the start, exchanged in either byte order."""
    reach = content[: random.choice([64, 256, 1100, len(content)])]
    place, order = _place(random, reach, random.choice([4, 4, 4, 2, 1])), random.choice("<>")
    if random.randrange(0, 4):
        value = struct.pack(f"{order}i", random.choice(WHOLE))
    else:
        value = struct.pack(f"{order}f", random.choice(REAL))
    return content[:place] + value + content[place + 4 :]


def cell_exchanged(random, content):
    """A number or a word of a text exchanged."""
    found = list(random.choice([NUMBER, TOKEN]).finditer(content))
    if not found:
        return inserted(random, content)
    match = random.choice(found)
    other = random.choice(found)[0] if random.randrange(0, 5) == 0 else random.choice(CELLS)
    return content[: match.start()] + other + content[match.end() :]


def inserted(random, content):
    """Something put between two bytes of a text."""
    place = _place(random, content)
    return content[:place] + random.choice(NESTED if random.randrange(0, 8) == 0 else CELLS) + content[place:]


def lines_moved(random, content):
    """Lines doubled, lost, exchanged, emptied, joined, or many times over."""
    lines = content.split(b"\n")
    first, second = random.randrange(0, len(lines)), random.randrange(0, len(lines))
    how = random.randrange(0, 7)
    if how == 0:
        lines.insert(second, lines[first])
    elif how == 1:
        del lines[first]
    elif how == 2:
        lines[first], lines[second] = lines[second], lines[first]
    elif how == 3:
        lines[first] = b""
    elif how == 4:
        lines[first : first + 2] = [b" ".join(lines[first : first + 2])]
    elif how == 5:
        copies = min(random.choice([3, 100, 2000]), LARGEST // (1 + len(lines[first])))
        lines[first : first + 1] = [lines[first]] * copies
    else:
        return content.replace(b"\n", random.choice([b"\r\n", b"\r", b"\n\n", " \u2028".encode()]))
    return b"\n".join(lines)


def column_changed(random, content):
    """A column of all lines lost, doubled or exchanged, or all separators."""
    if random.randrange(0, 4) == 0:
        return re.sub(rb"[,\t; ]", random.choice([b",", b";", b"\t", b" ", b""]), content)
    split = random.choice([b",", b"\t", b" "])
    column, how, cell = random.randrange(0, 40), random.randrange(0, 3), random.choice(CELLS)
    lines = [line.split(split) for line in content.split(b"\n")]
    for cells in lines:
        if column < len(cells):
            cells[column : column + 1] = ([], [cells[column]] * 2, [cell])[how]
    return b"\n".join(split.join(cells) for cells in lines)


def entry_exchanged(random, content):
    """An entry of a JSON document exchanged, lost, renamed or doubled; text that is none is damaged as text."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return cell_exchanged(random, content)
    found = [(document, key) for key in _keys(document)]
    for container, key in found:  # grows while it is read
        if len(found) < 400:
            found += [(container[key], inner) for inner in _keys(container[key])]
    if not found:
        return json.dumps(random.choice(VALUES)).encode("utf-8", "surrogatepass")
    container, key = random.choice(found)
    how = random.randrange(0, 6)
    if how == 0:
        del container[key]
    elif how == 1 and isinstance(container, dict):
        container[random.choice(["", "a", "class", "value", "object.id", "\n"])] = container.pop(key)
    elif how == 2:
        container[key] = [container[key]] * min(random.choice([0, 1, 2, 3, 1000]), LARGEST // len(content))
    elif how == 3:
        other, from_key = random.choice(found)
        container[key] = json.loads(json.dumps(other.get(from_key) if isinstance(other, dict) else other))
    else:
        container[key] = random.choice(VALUES)
    return json.dumps(document).encode("utf-8", "surrogatepass")


def in_archive(random, content):
    """A member of a zip damaged, lost, doubled or renamed, its checksum right again."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [(name, archive.read(name)) for name in archive.namelist()]
    except (zipfile.BadZipFile, ValueError, OSError, RuntimeError, NotImplementedError, EOFError):
        return flipped(random, content)
    if not members:
        return content
    i = random.randrange(0, len(members))
    name, data = members[i]
    how = random.randrange(0, 10)
    if how == 0:
        del members[i]
    elif how == 1:
        members[i] = (random.choice(["", "a.npy", "manifest.npy", "../x.npy", name + "x"]), data)
    elif how == 2:
        members[i] = (name, members[random.randrange(0, len(members))][1])
    elif how < 6:
        members[i] = (name, random.choice([_header_changed, number_exchanged, cut])(random, data))
    else:
        members[i] = (name, _manifest_changed(random, data))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name or "a")
            archive.writestr(info, data)
    return packed.getvalue()


def _header_changed(random, data):
    """An .npy file whose header tells another type or shape."""
    shapes = ["()", "(0,)", "(1,)", "(3, 3)", "(1000000000,)", "(100000, 100000)", "(-1,)", "(2,), 'a': 1"]
    kind = random.choice(["<f8", "<f4", "<i8", ">i2", "|b1", "<U3", "|S7", "|O", "<c16", "<M8[s]", "|V8", "<U100000"])
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {random.choice(shapes)}, }}".ljust(117) + "\n"
    return data[:8] + struct.pack("<H", len(header)) + header.encode() + data[128:]


def _manifest_changed(random, data):
    """The JSON text in an .npy file of one str, damaged as JSON; other members as numbers."""
    try:
        start = 10 + struct.unpack("<H", data[8:10])[0]
        text = data[start:].decode("utf-32-le")
    except (struct.error, UnicodeDecodeError):
        return number_exchanged(random, data)
    if not text.startswith("{"):
        return number_exchanged(random, data)
    changed = entry_exchanged(random, text.encode()).decode("utf-8", "replace")
    header = f"{{'descr': '<U{max(len(changed), 1)}', 'fortran_order': False, 'shape': (), }}".ljust(117) + "\n"
    return data[:8] + struct.pack("<H", len(header)) + header.encode() + changed.encode("utf-32-le", "replace")


def _keys(value):
    if isinstance(value, dict):
        return list(value)
    return list(range(len(value))) if isinstance(value, list) else []
