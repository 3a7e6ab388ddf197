"""Ways to damage a folder of input files: each mutation changes one file in place, at random but reproducibly."""

import io
import json
import os
import re
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

Mutation = Callable[[Path, Random], None]

INTEGERS = (
    0,
    1,
    -1,
    127,
    255,
    2**15,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**53 + 1,
    2**63 - 1,
    2**63,
    2**64,
    10**30,
    -(2**63),
)
VALUES: tuple[Any, ...] = (
    *INTEGERS,
    0.0,
    -0.5,
    0.5,
    1.0,
    1e-320,
    1e308,
    float("nan"),
    float("inf"),
    True,
    False,
    None,
    "",
    " ",
    "a",
    "α\u202e",
    "x" * 5000,
    "two\nlines\x1b[31m",
    [],
    [[]],
    {},
    {"a": {"a": {}}},
    [None],
    ["a", 1],
)
TOML_VALUES = (
    *map(str, INTEGERS),
    *("0.0", "-0.0", "0.5", "1.5", "1e400", "nan", "inf", "-inf", "true", "false", '""', '" "', "'a'", '"""a\nb"""'),
    *("[]", "[[]]", "[1]", "[0.1, 0.2]", "[1, 1]", '["mse"]', '[["mse"]]', "[true]", "{}", "{ a = 1 }"),
    *("{ from = 0, to = 1, points = 3 }", "{ from = 1, to = 0, points = 2 }", "{ from = 0, to = 1, points = 100000 }"),
    *("{ from = nan, to = 1, points = 3 }", "{ from = 1, to = 9, points = 3, scale = 'log' }", "1979-05-27"),
    *("9" * 5000, "[" * 1000 + "]" * 1000, "0x" + "f" * 40, "1_0", '"\\u0000"', '"' + "y" * 3000 + '"', "07:32:00"),
)


def files_of(folder: Path) -> list[Path]:
    """All files of a folder, in order."""
    return sorted(file for file in folder.rglob("*") if file.is_file())


def of_bytes(change: Callable[[bytearray, Random], bytearray]) -> Mutation:
    """Mutation that changes the bytes of one file."""

    def mutation(folder: Path, random: Random) -> None:
        file = random.choice(files_of(folder))
        file.write_bytes(change(bytearray(file.read_bytes()), random))

    return mutation


def _place(content: bytearray, random: Random) -> int:
    return random.randrange(len(content) + 1)


def flip_bit(content: bytearray, random: Random) -> bytearray:
    """Flip one bit."""
    if content:
        content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    return content


def replace_byte(content: bytearray, random: Random) -> bytearray:
    """Replace one byte by any other."""
    if content:
        content[random.randrange(len(content))] = random.randrange(256)
    return content


def cut(content: bytearray, random: Random) -> bytearray:
    """Drop the end, as an interrupted copy does."""
    return content[: _place(content, random)]


def remove_block(content: bytearray, random: Random) -> bytearray:
    """Remove a few bytes."""
    start = _place(content, random)
    del content[start : start + random.choice((1, 2, 8, 64, 512))]
    return content


def insert(content: bytearray, random: Random) -> bytearray:
    """Insert bytes: random ones, zeros, or what parsers stumble over."""
    block = random.choice(
        (random.randbytes(8), bytes(64), b"\xff\xfe", b"\xef\xbb\xbf", b"[" * 2000, b"9" * 5000, b"\r\n")
    )
    start = _place(content, random)
    content[start:start] = block
    return content


def double_block(content: bytearray, random: Random) -> bytearray:
    """Write a block twice."""
    start = _place(content, random)
    block = content[start : start + random.choice((1, 16, 256, 4096))]
    content[start:start] = block
    return content


def lie_integer(content: bytearray, random: Random) -> bytearray:
    """Overwrite four or eight bytes by an extreme integer."""
    size, code = random.choice(((4, "I"), (8, "Q"), (2, "H")))
    if len(content) >= size:
        start = random.randrange(len(content) - size + 1)
        content[start : start + size] = struct.pack(f"<{code}", random.choice(INTEGERS) % 256**size)
    return content


BYTES = tuple(map(of_bytes, (flip_bit, replace_byte, cut, remove_block, insert, double_block, lie_integer)))


def change_toml(folder: Path, random: Random) -> None:
    """Replace, drop, double or rename one line of a TOML file."""
    file = random.choice([one for one in files_of(folder) if one.suffix == ".toml"])
    lines = file.read_text("utf-8").split("\n")
    number = random.choice([n for n, line in enumerate(lines) if line.strip()])
    name, equals, _ = lines[number].partition("=")
    if equals and random.random() < 0.8:
        lines[number] = f"{name}= {random.choice(TOML_VALUES)}"
    elif random.random() < 0.3:
        lines.insert(random.randrange(len(lines)), lines.pop(number))
    else:
        lines[number : number + 1] = random.choice(([], lines[number : number + 1] * 2, [f"{name.strip('[] ')}2 = 1"]))
    file.write_text("\n".join(lines), "utf-8")


def change_json(folder: Path, random: Random) -> None:
    """Replace, drop, add or double one value of a JSON file, or of one line of a JSON Lines file."""
    file = random.choice([one for one in files_of(folder) if one.suffix in (".json", ".jsonl")])
    lines = file.read_text("utf-8").split("\n") if file.suffix == ".jsonl" else [file.read_text("utf-8")]
    number = random.choice([n for n, line in enumerate(lines) if line.strip()])
    holder = [json.loads(lines[number])]
    _change_value(holder, random)
    lines[number] = json.dumps(holder[0] if holder else None, ensure_ascii=random.random() < 0.5)
    file.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))


def _change_value(holder: list[Any], random: Random) -> None:
    places: list[tuple[Any, Any]] = []

    def walk(container: Any) -> None:
        for key, value in container.items() if isinstance(container, dict) else enumerate(container):
            places.append((container, key))
            if isinstance(value, dict | list):
                walk(value)

    walk(holder)
    container, key = random.choice(places)
    action = random.randrange(6)
    if action < 4 or container is holder:
        container[key] = random.choice(VALUES)
    elif action == 4:
        del container[key]
    elif isinstance(container, dict):
        container[f"{key}2"] = container.pop(key)
    else:
        container.append(container[key])


def change_csv(folder: Path, random: Random) -> None:
    """Change one cell, or the separator of all, of a CSV table."""
    file = random.choice([one for one in files_of(folder) if one.suffix == ".csv"])
    rows = [line.split(",") for line in file.read_text("utf-8").split("\n")]
    separator = ","
    if random.random() < 0.1:
        separator = random.choice((";", "\t", "|", " "))
    else:
        row = random.choice([row for row in rows if row != [""]])
        cells = (
            "",
            "nan",
            "-inf",
            "1e400",
            "1e300",
            "1_0",
            "１",
            "٣",
            '"',
            "'1'",
            "yes",
            "1,5",
            "0x10",
            "1e",
            "  2 ",
            "\x00",
        )
        row[random.randrange(len(row))] = random.choice((*cells, "z" * 4000, '"two\nlines"', "1" * 5000))
    file.write_text("\n".join(separator.join(row) for row in rows), "utf-8", "surrogatepass")


def change_npz_header(folder: Path, random: Random) -> None:
    """Write a lie into the header of one array of an .npz archive."""

    def lie(name: str, content: bytes) -> bytes:
        shape = random.choice(((10**9, 10**3), (2**62,), (2**70, 2), (-1, 3), (0,), (20000, 20000), (True,), (1.5,)))
        kind = random.choice(
            ("<f8", "|O", "<U1000000", "<f2", "<c16", "|b1", ">i8", "nonsense", "<M8[s]", [("a", "<f8")])
        )
        header: Any = {"descr": "<f8", "fortran_order": False, "shape": (3, 3)}
        header |= random.choice(({"shape": shape}, {"descr": kind}, {"fortran_order": True}, {"extra": 1}))
        text = random.choice((repr(header), repr(header)[:-3], "[" * 500, "{" * 90, repr(list(header)), "1" * 5000))
        encoded = text.encode("latin-1").ljust(117) + b"\n"
        version = random.choice((b"\x01\x00", b"\x01\x00", b"\x02\x00", b"\x09\x00"))
        return b"\x93NUMPY" + version + struct.pack("<H", len(encoded)) + encoded + content[128:]

    _rewrite_member(folder, random, lie)


def change_npz_array(folder: Path, random: Random) -> None:
    """Put another array, a pickle, or what is no array at all into an .npz archive."""

    def other(name: str, content: bytes) -> bytes:
        array = np.load(io.BytesIO(content))
        changed = random.choice(
            (
                array * np.nan,
                np.atleast_1d(array)[..., :1],
                -array,
                array.astype("<c16"),
                array[None],
                array * 1e200,
                np.array([{}]),
                array.T,
            )
        )
        buffer = io.BytesIO()
        np.save(buffer, changed, allow_pickle=True)
        return random.choice((buffer.getvalue(), buffer.getvalue(), b"", b"text"))

    _rewrite_member(folder, random, other)


def _rewrite_member(folder: Path, random: Random, change: Callable[[str, bytes], bytes]) -> None:
    file = random.choice([one for one in files_of(folder) if one.suffix == ".npz"])
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    chosen = random.choice(list(members))
    members[chosen] = change(chosen, members[chosen])
    method = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    renamed = random.random() < 0.1
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            odd = random.choice(("../../x.npy", "/etc/x.npy", "private", "a\nb.npy", "x" * 2000 + ".npy", ".npy"))
            archive.writestr(odd if renamed and name == chosen else name, content)


def lie_zip(folder: Path, random: Random) -> None:
    """Overwrite a field of a zip archive's central directory: method, flags, sizes, name length or offset."""
    file = random.choice([one for one in files_of(folder) if one.suffix == ".npz"])
    content = bytearray(file.read_bytes())
    starts = [found.start() for found in re.finditer(b"PK\x01\x02", content) if found.start() < len(content) - 46]
    if not starts:
        return
    offset, size = random.choice(((6, 2), (8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (42, 4)))
    start = random.choice(starts) + offset
    content[start : start + size] = (random.choice((0, 1, 8, 14, 20, 21, 95, 97, 99, *INTEGERS)) % 256**size).to_bytes(
        size, "little"
    )
    file.write_bytes(content)


def replace_file(folder: Path, random: Random) -> None:
    """Put a folder, a link, an empty file or nothing in the place of a file."""
    files = files_of(folder)
    file = random.choice(files)
    file.unlink()
    random.choice(
        (
            lambda: None,
            file.touch,
            file.mkdir,
            lambda: file.symlink_to("/dev/zero"),
            lambda: file.symlink_to(random.choice(files)),
            lambda: file.symlink_to(file.name),
            lambda: os.mkfifo(file),
        )
    )()


def swap_folder(folder: Path, random: Random) -> None:
    """Remove a folder, or put a file in its place."""
    inner = sorted(one for one in folder.rglob("*") if one.is_dir() and one.parent != folder)
    if inner:
        chosen = random.choice(inner)
        shutil.rmtree(chosen)
        if random.random() < 0.5:
            chosen.write_bytes(b"file")
