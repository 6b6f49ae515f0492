"""Check the list of tags in a FIF file before a reader follows it (see ``check_tags``, ``write_without_next``).

A tag is kind, type, size and next, four big-endian integers, and then its content; ``next`` is the place of the tag
that follows: 0 means right behind this one, -1 that there is none. A reader of a list that leads back never ends.
"""

import shutil
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from copilot.eeg.types import DamagedFileError

_HEAD = struct.Struct(">iIii")
_DIRECTORY_POINTER, _DIRECTORY = 101, 102
_REFERENCE_ROLE = 115
_FIRST_SAMPLE = 208
_PREVIOUS_FILE, _NEXT_FILE = 1, 2


class TagError(DamagedFileError):
    """The tags of a file lead out of it, or back."""


@dataclass(frozen=True)
class Part:
    """One file of a recording.

    Attributes:
        has_previous: whether it states that a part comes before it.
        next_roles: where it states that a part comes after it, bytes from the start.
        first_sample: the number of its first sample.
    """

    has_previous: bool
    next_roles: tuple[int, ...]
    first_sample: int


def check_tags(path: Path) -> Part:
    """Follow the tags from the start: each place once, each content inside the file.

    Raises:
        TagError: they lead elsewhere, or content is cut short.
    """
    has_previous, next_roles, first = False, [], 0
    size = path.stat().st_size
    with path.open("rb") as file:
        for kind, at, length in _read_tags(file, size):
            if kind in (_REFERENCE_ROLE, _FIRST_SAMPLE, _DIRECTORY_POINTER) and length == 4:
                file.seek(at)
                value = int.from_bytes(file.read(4), "big", signed=True)
                if kind == _REFERENCE_ROLE:
                    has_previous |= value == _PREVIOUS_FILE
                    next_roles += [at] if value == _NEXT_FILE else []
                elif kind == _FIRST_SAMPLE:
                    first = value
                elif value > 0:
                    _check_directory(file, value, size)
    return Part(has_previous, tuple(next_roles), first)


def write_without_next(path: Path, part: Part, copy: Path) -> Path:
    """Copy a file without the name of the part after it: readers would open whatever name is written there.

    Args:
        path: the file.
        part: what its tags state.
        copy: where to write the copy, which is returned.
    """
    shutil.copyfile(path, copy)  # the original may be linked here, and must not be written to
    with copy.open("r+b") as file:
        for at in part.next_roles:
            file.seek(at)
            file.write(_PREVIOUS_FILE.to_bytes(4, "big"))
    return copy


def _read_tags(file: BinaryIO, size: int) -> Iterator[tuple[int, int, int]]:
    """Yield (kind, place and length of the content) of each tag.

    Raises:
        TagError: the tags lead back or out of the file, or content is cut short.
    """
    at, seen = 0, set()
    while at + _HEAD.size <= size:
        if at in seen:
            raise TagError("the list leads back")
        seen.add(at)
        file.seek(at)
        kind, _, length, following = _HEAD.unpack(file.read(_HEAD.size))
        content = at + _HEAD.size
        if length < 0 or content + length > size:
            raise TagError("content is cut short")
        yield kind, content, length
        if following == -1:
            return
        if following < -1 or following >= size:
            raise TagError("the list leads out of the file")
        at = following or content + length


def _check_directory(file: BinaryIO, at: int, size: int) -> None:
    """Check the list of all tags at the end of a file, from which readers go to each: kind, type, size and place.

    Raises:
        TagError: it is cut short or leads out of the file.
    """
    file.seek(at)
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return  # readers then follow the tags themselves
    kind, _, length, _ = _HEAD.unpack(head)
    if kind != _DIRECTORY or length < 0 or at + _HEAD.size + length > size:
        raise TagError("the directory is cut short")
    entries = file.read(length // _HEAD.size * _HEAD.size)
    for _, _, length, place in _HEAD.iter_unpack(entries):
        if place >= 0 and (length < 0 or place + _HEAD.size + length > size):
            raise TagError("the directory leads out of the file")
