"""Ways to damage a file. Each takes dice and the content, and gives the damaged content and what was done to it."""

import io
import json
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence

Mutation = Callable[[random.Random, bytes], tuple[bytes, str]]

MB = 2**20
NUMBERS = (
    *(b"0", b"-1", b"1", b"2", b"007", b"255", b"65536", b"999999", b"99999999", b"2147483647", b"-9999999"),
    *(b"1.5", b"128.0", b"1e9", b"1e308", b"1e-30", b"nan", b"inf", b"-inf", b"", b"abc", b"0x10", b"1_0", b"1,5"),
)
INTEGERS = (0, 1, 2, 7, 255, 1000, 2**15, 2**16 - 1, 10**6, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1)
WORDS = (
    *(b"", b"EEG Fp1-Ref", b"T3", b"EDF+D", b"EDF Annotations", b"BDF Annotations", b"Status", b"mV", b"nV", b"\xb5V"),
    *(b"\xff" * 80, b"\0" * 80, b"../../etc/passwd", b"%s%n", b"<script>", b"\x1b[31m", "测试".encode(), b"a\nb"),
)


def flip_bits(dice, content):
    """Anywhere, or in the first bytes, where headers are."""
    damaged, count = bytearray(content), dice.choice((1, 1, 2, 8, 64))
    top = min(len(damaged), dice.choice((64, 1024, len(damaged))))
    for _ in range(count):
        damaged[dice.randrange(top)] ^= 1 << dice.randrange(8)
    return bytes(damaged), f"flip {count} bits"


def truncate(dice, content):
    kept = dice.choice((dice.randrange(len(content)), len(content) - 1, len(content) // 2, dice.randrange(600)))
    return content[:kept], f"keep {min(kept, len(content))} bytes"


def append(dice, content):
    count = dice.choice((1, 7, 512, 65536))
    return content + dice.choice((bytes(count), dice.randbytes(count))), f"append {count} bytes"


def change_block(dice, content):
    """Repeat, remove, move or overwrite up to 8 KB."""
    start = dice.randrange(len(content))
    end, place = min(len(content), start + dice.randrange(1, 8192)), dice.randrange(len(content))
    block, rest = content[start:end], content[:start] + content[end:]
    changed = {
        "repeat": content[:place] + block + content[place:],
        "remove": rest,
        "move": rest[:place] + block + rest[place:],
        "zero": content[:start] + bytes(len(block)) + content[end:],
        "noise": content[:start] + dice.randbytes(len(block)) + content[end:],
    }
    what = dice.choice(tuple(changed))
    return changed[what], f"{what} {len(block)} bytes at {start}"


def set_integer(dice, content):
    """Overwrite 2, 4 or 8 bytes, mostly of the header, with an extreme number in either byte order."""
    width, top = dice.choice((2, 4, 4, 8)), min(len(content), dice.choice((64, 512, 2048, 8192)))
    at = dice.randrange(max(1, top - width)) // 2 * 2
    number = dice.choice((*INTEGERS, len(content), len(content) + 1)) % 2 ** (8 * width)
    return _with(
        content, at, number.to_bytes(width, dice.choice(("little", "big")))
    ), f"{width} bytes at {at} = {number}"


GENERIC = (flip_bits, truncate, append, change_block, set_integer)


def _with(content: bytes, at: int, new: bytes) -> bytes:
    return content[:at] + new + content[at + len(new) :]


def edf_field(dice, content):
    """A field of an EDF or BDF header: a number becomes an extreme one, a text a strange one."""
    try:
        signals = min(1024, max(1, int(content[252:256])))
    except ValueError:
        signals = 1
    widths = {"label": 16, "transducer": 80, "unit": 8, "physical minimum": 8, "physical maximum": 8}
    widths |= {"digital minimum": 8, "digital maximum": 8, "prefilter": 80, "samples": 8, "reserved of a signal": 32}
    places = {"version": (0, 8), "patient": (8, 80), "date": (168, 8), "time": (176, 8), "header bytes": (184, 8)}
    places |= {"reserved": (192, 44), "records": (236, 8), "duration": (244, 8), "signals": (252, 4)}
    start = 256
    for name, width in widths.items():
        places[name] = (start + width * dice.randrange(signals), width)
        start += width * signals
    name = dice.choice(tuple(places))
    at, width = places[name]
    words = width > 8 or name in ("unit", "date", "time", "version")
    new = dice.choice(WORDS if words and dice.random() < 0.8 else NUMBERS)[:width]
    return _with(content, at, new.ljust(width)), f"{name} = {new!r}"


KEYS = (
    *(b"DataFile=../../../../etc/passwd", b"DataFile=/dev/zero", b"NumberOfChannels=999999999", b"SamplingInterval=0"),
    *(b"SamplingInterval=nan", b"BinaryFormat=IEEE_FLOAT_64", b"DataFormat=ASCII", b"DataOrientation=VECTORIZED"),
    *(
        b"Codepage=UTF-16",
        b"[Channel Infos]",
        b"Ch1=,,,",
        b"Ch1=Fp1,,1e300,V",
        b"DataPoints=1",
        b"SegmentDataPoints=1e9",
    ),
    *(b"%Sample Rate = 0 Hz", b"DataType=FREQUENCYDOMAIN", b"<x>" * 2000, b"<epoch></epoch>"),
)


def text_line(dice, content):
    """A line of a header or a table written as text."""
    lines = content.split(b"\n")
    at = dice.randrange(dice.choice((min(len(lines), 40), len(lines))))
    line = lines[at]
    what = dice.choice(
        ("number", "number", "number", "key", "repeat", "remove", "long", "separator", "odd", "encoding")
    )
    if what == "number" and (numbers := list(re.finditer(rb"\d+(\.\d+)?", line))):
        number = dice.choice(numbers)
        lines[at] = line[: number.start()] + dice.choice(NUMBERS) + line[number.end() :]
    elif what == "key":
        lines[at] = dice.choice(KEYS)
    elif what == "repeat":
        lines[at:at] = [line] * min(dice.choice((1, 5, 3000)), 1 + 16 * MB // (1 + len(line)))
    elif what == "remove":
        del lines[at : at + dice.choice((1, 1, 5, 500))]
    elif what == "long":
        lines[at] = line + b",1" * dice.choice((3, 1000, 100_000))
    elif what == "separator":
        lines[at] = line.replace(b",", dice.choice((b";", b"\t", b"|", b",,", b"")))
    elif what == "odd":
        lines[at] = dice.choice(
            (b'"' + line, line[:3] + b"\0" + line[3:], b"nan,inf,-inf,1e400,,null,=1+1", b"", line[: MB // 4] * 50)
        )
    elif what == "encoding":
        return content.decode("latin-1").encode(
            dice.choice(("utf-16", "utf-16-le", "utf-8-sig", "utf-32"))
        ), "other encoding"
    return b"\n".join(lines), f"line {at}: {what}"


def npy_header(dice, content):
    """The Python literal in front of a NumPy array."""
    at = content.find(b"\x93NUMPY")
    if at < 0 or at + 10 > len(content):
        return flip_bits(dice, content)
    (length,) = struct.unpack_from("<H", content, at + 8)
    old = content[at + 10 : at + 10 + length]
    shapes = (
        b"(8, -1)",
        b"(99999999, 99999999)",
        b"()",
        b"(8,)",
        b"(0, 0)",
        b"(1536, 8)",
        b"(8, 1536, 1)",
        b"(1e3, 2)",
    )
    kinds = (b"'|O'", b"'<f8'", b"'<c16'", b"'<U1000000'", b"'|V4'", b"'<M8[s]'", b"'|b1'", b"'>f4'", b"'<f2'")
    new = dice.choice(
        (
            re.sub(rb"\(.*\)", dice.choice(shapes), old),
            re.sub(rb"'<f\d'", dice.choice(kinds), old),
            old.replace(b"False", b"True"),
            dice.choice((b"{", b"(" * 5000, b"a" * 60000, b"{}" * 50, b"__import__('os').abort()")),
        )
    )
    head = content[: at + 8] + struct.pack("<H", dice.choice((len(new), len(new), len(new), 7, 65535)))
    return head + new + content[at + 10 + length :], f"NumPy header {new[:60]!r}"


def mat_tag(dice, content):
    """Type or length of a MATLAB 5 element, or the numbers in it, also inside a compressed one."""
    if len(content) > 144 and struct.unpack_from("<I", content, 128)[0] == 15:
        (length,) = struct.unpack_from("<I", content, 132)
        try:
            plain, what = mat_tag(dice, content[:128] + zlib.decompress(content[136 : 136 + length]))
        except zlib.error:
            return flip_bits(dice, content)
        packed = zlib.compress(plain[128:])
        return content[:128] + struct.pack("<II", 15, len(packed)) + packed + content[136 + length :], f"{what}, packed"
    tags = _mat_tags(content, 128, len(content)) or [128]
    at, what = dice.choice(tags), dice.choice(("type", "length", "flags", "shape"))
    new = {
        "type": struct.pack("<I", dice.choice((0, 1, 5, 6, 7, 9, 12, 13, 14, 15, 16, 17, 18, 255, 2**31))),
        "length": struct.pack("<I", dice.choice((0, 1, 7, 16, 2**24, 2**31 - 1, 2**32 - 1, len(content)))),
        "flags": struct.pack("<I", dice.randrange(2**16)),
        "shape": struct.pack(
            "<ii", dice.choice((0, -1, 8, 10**6, 2**31 - 1)), dice.choice((0, -1, 1, 10**6, 2**31 - 1))
        ),
    }[what]
    place = at + {"type": 0, "length": 4}.get(what, 8)
    return _with(content, place, new), f"{what} of the element at {at}"


def _mat_tags(content: bytes, at: int, end: int) -> list[int]:
    """Where elements begin; a matrix (type 14) has elements in it."""
    tags: list[int] = []
    while at + 8 <= end and len(tags) < 400:
        kind, length = struct.unpack_from("<II", content, at)
        tags.append(at)
        if kind >> 16:  # the short form: all in 8 bytes
            at += 8
            continue
        if kind == 14:
            tags += _mat_tags(content, at + 8, min(end, at + 8 + length))
        at += 8 + length + -length % 8
    return tags


def fif_tag(dice, content):
    """Kind, type, length, pointer to the next, or first number of a FIF tag."""
    tags, at = [], 0
    while 0 <= at <= len(content) - 16 and len(tags) < 5000:
        tags.append(at)
        _, _, length, following = struct.unpack_from(">iiii", content, at)
        if length < 0:
            break
        at = at + 16 + length if following == 0 else following
    at, what = dice.choice(tags or [0]), dice.choice(("kind", "type", "length", "next", "number"))
    new = {
        "kind": (100, 101, 104, 105, 200, 201, 203, 204, 300, 301, 302, 0, -1, 2**31 - 1),
        "type": (0, 3, 4, 5, 10, 20, 30, 31, 0x40000003, -1, 35),
        "length": (0, 4, -1, 7, 2**31 - 1, 10**9, len(content)),
        "next": (-1, 0, 1, -2, 2**31 - 1, at, at + 16, dice.choice(tags or [0])),
        "number": (0, 1, -1, 7, 8, 10**6, 2**31 - 1),
    }[what]
    place = at + ("kind", "type", "length", "next", "number").index(what) * 4
    return _with(content, place, struct.pack(">i", dice.choice(new))), f"{what} of the tag at {at}"


NAMES = (
    *("../../x.edf", "/etc/cron.d/x", "a/../../b.edf", "C:\\x.edf", "..\\x.edf", "a" * 240 + ".edf", ".hidden.edf"),
    *("\u202efde.edf", "a/b/c/d/e.edf", "~/x.edf", "x.edf/", "x.mff/../../../y.bin", "-rf.edf", "..", ".", "x\ny.edf"),
    *("a.mff", "a.mff/" * 30 + "x", "x\0y.edf", "con.edf"),
)


def zip_archive(dice, content):
    """Names that lead elsewhere, links, bombs, an archive in an archive, many files, a damaged directory."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(member.file_size for member in archive.infolist()) > 16 * MB:
                return flip_bits(dice, content)  # a bomb already
            members = [(member.filename, archive.read(member)) for member in archive.infolist()]
    except Exception:
        return flip_bits(dice, content)
    what = dice.choice(
        ("names", "link", "bomb", "nested", "many", "twice", "directory", "directory", "sizes", "method")
    )
    added = {
        "names": [(dice.choice(NAMES), data) for _, data in members],
        "bomb": [("bomb.edf", bytes(dice.choice((10, 60, 190, 300)) * MB)), *members[:1]],
        "nested": [(dice.choice(("in.zip", "in.edf", "in.npz", "in.json")), content), *members[:1]],
        "many": [*((f"{i}.txt", b"x") for i in range(dice.choice((999, 1500)))), *members],
        "twice": members * 2,
    }.get(what, members)
    buffer = io.BytesIO()
    with zipfile.ZipFile(
        buffer, "w", dice.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_LZMA))
    ) as archive:
        if what == "link":
            link = zipfile.ZipInfo("a.edf")
            link.external_attr = 0o120777 << 16
            archive.writestr(link, "/etc/passwd")
        for name, data in added:
            archive.writestr(name, data)
    packed = buffer.getvalue()
    central = packed.find(b"PK\x01\x02")
    if what == "directory":
        packed = _with(packed, central + dice.randrange(4, 46), dice.randbytes(2))
    elif what == "sizes":
        sizes = struct.pack("<II", *(dice.choice((0, 1, 10, 190 * MB, 2**32 - 1)) for _ in range(2)))
        packed = _with(packed, central + 20, sizes)
    elif what == "method":
        packed = _with(packed, central + 8, struct.pack("<HH", dice.choice((0, 1)), dice.choice((1, 6, 9, 14, 93, 99))))
    return packed, f"zip: {what}"


TEXTS = (
    *(
        b"{",
        b"[]",
        b"null",
        b"{}",
        b"\xff\xfe{}",
        b"[" * 100_000,
        b'{"sfreq": NaN}',
        b'{"sfreq": 1e999, "channels": []}',
    ),
    *(
        b'{"sfreq": [[[128]]], "channels": {"labels": ["Fp1"]}}',
        b'{"sfreq": true, "channels": [1, 2, 3, 4, 5, 6, 7, 8]}',
    ),
    *(b'{"SamplingFrequency": -128, "channels": ["Fp1"]}', b'{"sfreq": ' + b"9" * 5000 + b"}", b'{"sfreq": "128"}'),
    *(b'{"sfreq": 128, "channels": ' + b"[" * 900 + b"]" * 900 + b"}", b'{"sfreq": 128, "channels": null}', b'"x"'),
)


def json_text(dice, content):
    new = dice.choice(TEXTS)
    return new, f"JSON {new[:60]!r}"


ODD = (
    *(
        None,
        "",
        "x",
        "\0\x1b[2J",
        "\ud800",
        0,
        -1,
        1,
        9999,
        10**400,
        1e308,
        float("nan"),
        True,
        [],
        {},
        [[]],
        "A" * 5000,
    ),
    *("2026-99-99T99:99:99Z", "9999-12-31T23:59:59Z", "signed", "draft", "zh", "suggested", "written", "accepted"),
    *("\u202e", "<b>", "name", "age", "150", "a\nb\nc", "=1+1"),
)


def json_value(dice, content):
    """One value of a JSON document replaced, removed, repeated or exchanged for another of its values."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return flip_bits(dice, content)
    places = list(_places(document))
    if not places:
        return flip_bits(dice, content)
    (parent, key), (other, other_key) = dice.choice(places), dice.choice(places)
    what = dice.choice(("set", "set", "remove", "repeat", "exchange", "longer"))
    if what == "set":
        parent[key] = dice.choice(ODD)
    elif what == "remove":
        del parent[key]
    elif what == "repeat" and isinstance(parent, list):
        parent.insert(key, parent[key])
    elif what == "exchange":
        parent[key] = json.loads(json.dumps(other[other_key]))
    elif what == "longer" and isinstance(parent[key], str):
        parent[key] += dice.choice((" ", "\n", "'", "<", "\0", "0", "Z"))
    return json.dumps(document).encode(), f"JSON: {what} {key}"


def _places(node):
    for key in list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        yield node, key
        yield from _places(node[key])


_GGUF_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


def gguf_field(dice, content):
    """A length, a count, a type, a number or a text in the header of a model file."""
    try:
        places = _gguf_places(content)
    except (struct.error, KeyError):
        return flip_bits(dice, content)
    name = dice.choice(tuple(places))
    at, width = dice.choice(places[name])
    if name == "text":
        return _with(content, at, dice.choice((b"\xff" * width, bytes(width), dice.randbytes(width)))), f"text at {at}"
    number = dice.choice((*INTEGERS, *range(45))) % 2 ** (8 * width)
    return _with(content, at, number.to_bytes(width, "little")), f"{name} at {at} = {number}"


def _gguf_places(content: bytes) -> dict[str, list[tuple[int, int]]]:
    """(place, bytes) of what a GGUF header says, by kind; of a long list of texts only the first."""
    places: dict[str, list[tuple[int, int]]] = {"version": [(4, 4)], "tensors": [(8, 8)], "keys": [(16, 8)]}
    at = 24

    def take(name: str, width: int) -> int:
        nonlocal at
        if at + width > len(content):  # a count that an earlier mutation made large
            raise struct.error
        places.setdefault(name, []).append((at, width))
        at += width
        return int.from_bytes(content[at - width : at], "little")

    def take_text() -> None:
        length = take("length", 8)
        take("text", min(length, len(content) - at))

    tensors, keys = struct.unpack_from("<QQ", content, 8)
    for _ in range(keys):
        take_text()
        kind = take("type", 4)
        if kind == 8:
            take_text()
        elif kind == 9:
            element, count = take("element", 4), take("count", 8)
            if element == 8:
                for _ in range(count):
                    take_text()
            else:
                at += count * _GGUF_SIZES[element]
        else:
            take("number", _GGUF_SIZES[kind])
    for _ in range(tensors):
        take_text()
        for _ in range(take("dimensions", 4)):
            take("dimension", 8)
        take("tensor type", 4)
        take("offset", 8)
    return places


#: What is done to a file, by the end of its name; for the others, and one time in three, it is one of ``GENERIC``.
BY_SUFFIX: dict[str, Sequence[Mutation]] = {
    ".edf": (edf_field,),
    ".bdf": (edf_field,),
    ".set": (mat_tag,),
    ".mat": (mat_tag,),
    ".fif": (fif_tag,),
    ".vhdr": (text_line,),
    ".vmrk": (text_line,),
    ".csv": (text_line,),
    ".tsv": (text_line,),
    ".txt": (text_line,),
    ".xml": (text_line,),
    ".npy": (npy_header,),
    ".npz": (npy_header, zip_archive),
    ".zip": (zip_archive,),
    ".json": (json_text, json_value),
    ".gguf": (gguf_field,),
    ".record": (json_value,),
}


def damage(dice: random.Random, name: str, content: bytes) -> tuple[bytes, str]:
    """One to three mutations of a file; ``name`` says which know its format."""
    known = BY_SUFFIX.get("." + name.rpartition(".")[2], ())
    told = []
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        if not content or len(content) > 16 * MB:
            break
        mutation = dice.choice(known) if known and dice.random() < 2 / 3 else dice.choice(GENERIC)
        try:
            content, what = mutation(dice, content)
        except (struct.error, IndexError, ValueError, zipfile.LargeZipFile, UnicodeError):
            continue  # an earlier mutation left nothing that this one knows
        told.append(what)
    return content, ", ".join(told)
