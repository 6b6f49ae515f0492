"""Check the elements of a MATLAB 5 file before SciPy reads it, which trusts their types (see ``check_elements``).

The format is "MAT-File Format" by The MathWorks: an element is a type, a size in bytes and its content, padded to eight
bytes; small ones hold all of this in eight bytes; a matrix holds further elements, a compressed one holds one.
"""

import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

_HEADER = 128
_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8, 16: 1, 17: 2, 18: 4}
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _OBJECT, _CHARACTERS, _SPARSE, _FUNCTION, _OPAQUE = 1, 2, 3, 4, 5, 16, 17
_DESCRIPTION = 6
"""So many elements at most say what a matrix is before its numbers come."""
_LONGEST_DESCRIPTION = 2**20
_DEEPEST = 20
_MOST_ELEMENTS = 10**6


class ElementError(ValueError):
    """An element is of no type that exists, or longer than what it is in."""


class _Bytes:
    """What is left to read of a file, or of what is packed in it."""

    def __init__(self, file: BinaryIO, left: int, packed: bool = False) -> None:
        self.file, self.left = file, left
        self.unpacker = zlib.decompressobj() if packed else None

    def take(self, count: int) -> bytes:
        """Return so many bytes, fewer at the end."""
        if self.unpacker is None:
            content = self.file.read(min(count, self.left))
            self.left -= len(content)
            return content
        parts = []
        while count > 0 and not self.unpacker.eof:
            packed = self.unpacker.unconsumed_tail
            if not packed:
                packed = self.file.read(min(2**16, self.left))
                self.left -= len(packed)
                if not packed:
                    break
            parts.append(self.unpacker.decompress(packed, min(count, 2**20)))
            count -= len(parts[-1])
        return b"".join(parts)

    def skip(self, count: int) -> None:
        """Pass over so many bytes; fewer are an error."""
        if self.unpacker is None and count <= self.left:
            self.file.seek(count, 1)
            self.left -= count
            return
        while count > 0:
            there = len(self.take(min(count, 2**20)))
            if not there:
                raise ElementError("cut short")
            count -= there


def check_elements(path: Path) -> None:
    """Go through all elements once.

    Raises:
        ElementError: one of them is not as the format has it.
    """
    with path.open("rb") as file:
        head = file.read(_HEADER)
        order = {b"IM": "<", b"MI": ">"}.get(head[126:128])
        if order is None:
            raise ElementError("byte order")
        walk = _Walk(order)
        content = _Bytes(file, path.stat().st_size - _HEADER)
        while len(head := content.take(8)) == 8:
            walk.element(content, head)


class _Shape:
    """What the first elements of a matrix say about the rest."""

    def __init__(self) -> None:
        self.kind, self.count, self.field_bytes, self.fields = 0, 1, 0, 0

    def describe(self, place: int, kind: int, value: bytes, order: str) -> None:
        """Take in one of the first elements; ``place`` counts them from 0."""
        if place == 0 and kind == 6 and len(value) == 8:
            self.kind = struct.unpack(f"{order}II", value)[0] & 0xFF
        elif place == 1 and self.kind != _OPAQUE and len(value) >= 8 and len(value) % 4 == 0:
            sizes = struct.unpack(f"{order}{len(value) // 4}i", value)
            if min(sizes) < 0 or len(sizes) > 32:
                raise ElementError("dimensions")
            self.count = math.prod(sizes)
        elif self.kind in (_STRUCT, _OBJECT) and place == self._fields_at() and len(value) == 4:
            self.field_bytes = struct.unpack(f"{order}i", value)[0]
        elif self.kind in (_STRUCT, _OBJECT) and place == self._fields_at() + 1 and self.field_bytes > 0:
            self.fields = len(value) // self.field_bytes

    def check(self, place: int, kind: int, length: int) -> None:
        """Refuse an element that readers would trust although it cannot be what it has to be there."""
        if place == 0 and (kind, length) != (6, 8):
            raise ElementError("no flags")
        if self.kind == _OPAQUE:
            return
        if place == 1 and (kind not in (5, 6) or length < 8 or length % 4):
            raise ElementError("no dimensions")
        if place == 2 and kind not in (1, 2, 16):
            raise ElementError("no name")
        if self.kind in (_STRUCT, _OBJECT) and place == self._fields_at() and (kind != 5 or self.field_bytes <= 0):
            raise ElementError("no fields")
        if self.kind == _CHARACTERS and place == 3 and self.count > (length or 2**20):
            raise ElementError("too few characters")

    def least(self) -> int:
        """How many elements there have to be at least: numbers and characters have one behind the name."""
        return {_CELL: 3, _STRUCT: 5, _OBJECT: 6, _SPARSE: 5}.get(self.kind, 4 if self.kind < _FUNCTION else 2)

    def matrices(self) -> int:
        """How many matrices have to be within this one; a handle or an object of a program holds what it likes."""
        if self.kind == _CELL:
            return self.count
        return self.count * self.fields if self.kind in (_STRUCT, _OBJECT) else 1 if self.kind >= _FUNCTION else 0

    def _fields_at(self) -> int:
        return 4 if self.kind == _OBJECT else 3


class _Walk:
    """The way through a file's elements, which counts them."""

    def __init__(self, order: str) -> None:
        self.order, self.elements = order, 0

    def element(self, content: _Bytes, head: bytes) -> None:
        """One element of the file itself: a matrix, or a compressed one."""
        kind, size = self._tag(head)
        if kind == _COMPRESSED:
            if size > content.left:
                raise ElementError("cut short")
            before = content.left
            packed = _Bytes(content.file, size, packed=True)
            kind, inner = self._tag(packed.take(8))
            if kind != _MATRIX:
                raise ElementError("no matrix is packed")
            self.matrix(packed, inner, 1)
            content.file.seek(packed.left, 1)
            content.left = before - size
        elif kind == _MATRIX:
            self.matrix(content, size, 1)
        else:
            raise ElementError("no matrix")

    def matrix(self, content: _Bytes, size: int, depth: int) -> None:
        """The elements within a matrix of ``size`` bytes: flags, dimensions, name, and what its class has; or none."""
        if depth > _DEEPEST:
            raise ElementError("too deep")
        left, place, within = size, 0, 0
        shape = _Shape()
        while left > 0:
            self.elements += 1
            if self.elements > _MOST_ELEMENTS or left < 8:
                raise ElementError("too many, or cut short")
            head = content.take(8)
            kind, length, small = self._inner(head)
            left -= 8
            padded = 0 if small else length if kind == _MATRIX else length + -length % 8
            if padded > left + 7:
                raise ElementError("longer than what it is in")
            padded = min(padded, left)  # the last one may lack its padding
            left -= padded
            if kind == _MATRIX:
                within += 1
                self.matrix(content, length, depth + 1)
            elif place < _DESCRIPTION and length <= _LONGEST_DESCRIPTION:
                value = head[4 : 4 + length] if small else content.take(padded)[:length]
                shape.describe(place, kind, value, self.order)
            else:
                content.skip(padded)
            if place < _DESCRIPTION or shape.kind == _CHARACTERS:
                shape.check(place, kind, length)
            place += 1
        if size and (place < shape.least() or within != shape.matrices()):
            raise ElementError("too few or too many elements")

    def _tag(self, head: bytes) -> tuple[int, int]:
        if len(head) < 8:
            raise ElementError("cut short")
        kind, size = struct.unpack(f"{self.order}II", head)
        return kind, size

    def _inner(self, head: bytes) -> tuple[int, int, bool]:
        """(type, bytes of content, whether the content is in the tag itself) of an element within a matrix."""
        kind, length = self._tag(head)
        small = kind >> 16
        if small:
            kind, length = kind & 0xFFFF, small
        if (kind != _MATRIX or small) and (kind not in _WIDTHS or length % _WIDTHS[kind] or (small and length > 4)):
            raise ElementError("no such type")
        return kind, length, bool(small)
