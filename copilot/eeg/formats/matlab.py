"""Read MATLAB's .mat, FieldTrip's among them, and EEGLAB's .set (see ``open_matlab``).

SciPy trusts the types of a MATLAB 5 file's elements, so all of them are checked first (see ``check_elements``). The
format is "MAT-File Format" by The MathWorks: an element is a type, a size in bytes and its content, padded to eight
bytes; small ones have all of this in eight bytes; a matrix contains further elements, a compressed one contains one.
"""

import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from scipy.io import loadmat

from copilot.eeg.formats import arrays
from copilot.eeg.types import DamagedFileError, RecordingError, Source
from copilot.i18n import N_, messages

_HEADER = 128
_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8, 16: 1, 17: 2, 18: 4}
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _OBJECT, _CHARACTERS, _SPARSE, _FUNCTION, _OPAQUE = 1, 2, 3, 4, 5, 16, 17
_DESCRIPTION = 6
"""At most so many elements describe a matrix before its numbers come."""
_LONGEST_DESCRIPTION = 2**20
_DEEPEST = 20
_MOST_ELEMENTS = 10**6


def open_matlab(
    path: Path, files: Sequence[Path], sfreq: float | None, channels: Sequence[str] | None, trial: int | None
) -> Source:
    """Open a file of MATLAB 4 to 7; arguments and errors as of ``arrays.open_variables``."""
    try:
        with path.open("rb") as file:
            is_version_5 = file.read(6) == b"MATLAB"  # before, a file had only plain matrices
        if is_version_5:
            check_elements(path)
        content = loadmat(path, squeeze_me=True, struct_as_record=False, appendmat=False)
        content = {name: value for name, value in content.items() if not name.startswith("__")}
        structs = [value for value in content.values() if hasattr(value, "_fieldnames")]
        fieldtrip = [struct for struct in structs if {"trial", "label"} <= set(struct._fieldnames)]
        if len(fieldtrip) == 1 or len(content) == len(structs) == 1:  # one struct contains everything
            content = _get_fields((fieldtrip or structs)[0])
        if "trial" in content and "fsample" not in content and "time" in content:  # FieldTrip's older files
            times = np.concatenate([np.ravel(each) for each in np.atleast_1d(content["time"])][:1])
            content["fsample"] = float(np.round(1 / np.median(np.diff(times.astype(float))), 6))
    except MemoryError:
        raise
    except Exception as error:
        raise RecordingError(arrays.ARRAY_DAMAGED) from error
    if {"data", "srate", "chanlocs", "nbchan"} <= set(content) or hasattr(content.get("EEG"), "srate"):
        return _open_eeglab(content, files, trial)
    return arrays.open_variables(content, "MATLAB", files, sfreq, channels, trial)


def _open_eeglab(content: Mapping[str, Any], files: Sequence[Path], trial: int | None) -> Source:
    """Open an EEGLAB dataset: fields as in its documentation (EEG.data, .srate, .chanlocs(i).labels)."""
    if "srate" not in content:
        content = _get_fields(content["EEG"])
    labels = arrays.parse_labels([item for item in np.atleast_1d(content["chanlocs"]) if hasattr(item, "labels")])
    shape = [int(content[name]) for name in ("nbchan", "pnts")] + [max(1, int(content.get("trials", 1)))]
    if len(labels) != shape[0]:
        raise RecordingError(N_("The EEGLAB file does not name its channels; add channel locations in EEGLAB."))
    data = content["data"]
    if isinstance(data, str):
        data = _read_fdt(data, files, shape)
    elif np.squeeze(data).shape != tuple(length for length in shape if length > 1):
        raise RecordingError(arrays.describe_shape(np.shape(data), shape[0]))
    data = np.asarray(data).reshape(shape, order="F")
    rate = float(content["srate"])
    if trial is not None:
        data, notes = arrays.choose_trial([data[:, :, number] for number in range(shape[2])], rate, trial)
        return arrays.make_source("EEGLAB", data, rate, labels, *notes)
    notes = (N_(messages.NOTE_EPOCHS, count=shape[2]),) if shape[2] > 1 else ()
    return arrays.make_source("EEGLAB", data.reshape(shape[0], -1, order="F"), rate, labels, *notes)


def _get_fields(struct: Any) -> dict[str, Any]:
    return {name: getattr(struct, name) for name in struct._fieldnames}


def _read_fdt(named: str, files: Sequence[Path], shape: Sequence[int]) -> npt.NDArray[Any]:
    """Read the numbers beside the header from the .fdt that it names, else from the only one given with it.

    Args:
        named: the file's name in the header.
        files: what was given with it.
        shape: channels, samples per trial, trials.

    Returns:
        Shape ``shape``, or (channels, samples) of all trials.
    """
    name = PureWindowsPath(named.replace("/", "\\")).name
    others = [file for file in files if file.suffix.lower() in (".fdt", ".dat")]
    file = next((file for file in others if file.name == name), others[0] if len(others) == 1 else None)
    if file is None:
        raise RecordingError(N_("The .fdt file that belongs to the .set is missing; give both files together."))
    if file.stat().st_size != 4 * int(np.prod(shape, dtype=object)):  # 32-bit floats
        raise RecordingError(N_("The .fdt file is not as long as its .set says: get both files again."))
    numbers = np.fromfile(file, dtype="<f4")
    by_time = not name.lower().endswith(".dat")  # EEGLAB writes these with all times of one channel together
    if arrays.contradicts_order(numbers, shape[0], multiplexed=by_time):
        raise RecordingError(messages.NUMBERS_OUT_OF_ORDER)
    return numbers.reshape(shape, order="F") if by_time else numbers.reshape(shape[0], -1)


class ElementError(DamagedFileError):
    """An element is of no type that exists, or longer than what it is in."""


class _ByteSource:
    """The unread bytes of a file, or of what is packed in it."""

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
        """Skip so many bytes.

        Raises:
            ElementError: there are fewer.
        """
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
    """Check all elements once.

    Raises:
        ElementError: one of them does not follow the format.
    """
    with path.open("rb") as file:
        head = file.read(_HEADER)
        order = {b"IM": "<", b"MI": ">"}.get(head[126:128])
        if order is None:
            raise ElementError("byte order")
        checker = _ElementChecker(order)
        content = _ByteSource(file, path.stat().st_size - _HEADER)
        while len(head := content.take(8)) == 8:
            checker.check_element(content, head)


class _Shape:
    """What the first elements of a matrix state about the rest."""

    def __init__(self) -> None:
        self.kind, self.count, self.field_bytes, self.fields = 0, 1, 0, 0

    def describe(self, place: int, kind: int, value: bytes, order: str) -> None:
        """Read one of the first elements of the matrix.

        Args:
            place: of the element, counted from 0.
            kind: number of its type.
            value: its content.
            order: of its bytes, ``<`` or ``>``.

        Raises:
            ElementError: it states impossible dimensions.
        """
        if place == 0 and kind == 6 and len(value) == 8:
            self.kind = struct.unpack(f"{order}II", value)[0] & 0xFF
        elif place == 1 and self.kind != _OPAQUE and len(value) >= 8 and len(value) % 4 == 0:
            sizes = struct.unpack(f"{order}{len(value) // 4}i", value)
            if min(sizes) < 0 or len(sizes) > 32:
                raise ElementError("dimensions")
            self.count = math.prod(sizes)
        elif self.kind in (_STRUCT, _OBJECT) and place == self._find_fields_place() and len(value) == 4:
            self.field_bytes = struct.unpack(f"{order}i", value)[0]
        elif self.kind in (_STRUCT, _OBJECT) and place == self._find_fields_place() + 1 and self.field_bytes > 0:
            self.fields = len(value) // self.field_bytes

    def check(self, place: int, kind: int, length: int) -> None:
        """Refuse an element that readers would trust although it cannot be what it has to be there.

        Args:
            place: of the element, counted from 0.
            kind: number of its type.
            length: bytes of its content.

        Raises:
            ElementError: it is no such element.
        """
        if place == 0 and (kind, length) != (6, 8):
            raise ElementError("no flags")
        if self.kind == _OPAQUE:
            return
        if place == 1 and (kind not in (5, 6) or length < 8 or length % 4):
            raise ElementError("no dimensions")
        if place == 2 and kind not in (1, 2, 16):
            raise ElementError("no name")
        if (
            self.kind in (_STRUCT, _OBJECT)
            and place == self._find_fields_place()
            and (kind != 5 or self.field_bytes <= 0)
        ):
            raise ElementError("no fields")
        if self.kind == _CHARACTERS and place == 3 and self.count > (length or 2**20):
            raise ElementError("too few characters")

    def count_least_elements(self) -> int:
        """Return how many elements there have to be at least: numbers and characters have one behind the name."""
        return {_CELL: 3, _STRUCT: 5, _OBJECT: 6, _SPARSE: 5}.get(self.kind, 4 if self.kind < _FUNCTION else 2)

    def count_matrices(self) -> int:
        """Return how many matrices have to be within this one; a handle or an object of a program may contain any."""
        if self.kind == _CELL:
            return self.count
        return self.count * self.fields if self.kind in (_STRUCT, _OBJECT) else 1 if self.kind >= _FUNCTION else 0

    def _find_fields_place(self) -> int:
        return 4 if self.kind == _OBJECT else 3


class _ElementChecker:
    """Reads the elements of a file, and counts them."""

    def __init__(self, order: str) -> None:
        self.order, self.elements = order, 0

    def check_element(self, content: _ByteSource, head: bytes) -> None:
        """Check one element of the file itself: a matrix, or a compressed one."""
        kind, size = self._read_tag(head)
        if kind == _COMPRESSED:
            if size > content.left:
                raise ElementError("cut short")
            before = content.left
            packed = _ByteSource(content.file, size, packed=True)
            kind, inner = self._read_tag(packed.take(8))
            if kind != _MATRIX:
                raise ElementError("no matrix is packed")
            self.check_matrix(packed, inner, 1)
            content.file.seek(packed.left, 1)
            content.left = before - size
        elif kind == _MATRIX:
            self.check_matrix(content, size, 1)
        else:
            raise ElementError("no matrix")

    def check_matrix(self, content: _ByteSource, size: int, depth: int) -> None:
        """Check the elements within a matrix: flags, dimensions, name, and what its class has; or none.

        Args:
            content: where its elements begin.
            size: bytes of all its elements.
            depth: how many matrices it is in, and itself.

        Raises:
            ElementError: an element does not follow the format.
        """
        if depth > _DEEPEST:
            raise ElementError("too deep")
        left, place, within = size, 0, 0
        shape = _Shape()
        while left > 0:
            self.elements += 1
            if self.elements > _MOST_ELEMENTS or left < 8:
                raise ElementError("too many, or cut short")
            head = content.take(8)
            kind, length, small = self._read_inner_tag(head)
            left -= 8
            padded = 0 if small else length if kind == _MATRIX else length + -length % 8
            if padded > left + 7:
                raise ElementError("longer than what it is in")
            padded = min(padded, left)  # the last one may lack its padding
            left -= padded
            if kind == _MATRIX:
                within += 1
                self.check_matrix(content, length, depth + 1)
            elif place < _DESCRIPTION and length <= _LONGEST_DESCRIPTION:
                value = head[4 : 4 + length] if small else content.take(padded)[:length]
                shape.describe(place, kind, value, self.order)
            else:
                content.skip(padded)
            if place < _DESCRIPTION or shape.kind == _CHARACTERS:
                shape.check(place, kind, length)
            place += 1
        if size and (place < shape.count_least_elements() or within != shape.count_matrices()):
            raise ElementError("too few or too many elements")

    def _read_tag(self, head: bytes) -> tuple[int, int]:
        if len(head) < 8:
            raise ElementError("cut short")
        kind, size = struct.unpack(f"{self.order}II", head)
        return kind, size

    def _read_inner_tag(self, head: bytes) -> tuple[int, int, bool]:
        """Return (type, bytes of content, whether the content is in the tag itself) of an element within a matrix."""
        kind, length = self._read_tag(head)
        small = kind >> 16
        if small:
            kind, length = kind & 0xFFFF, small
        if (kind != _MATRIX or small) and (kind not in _WIDTHS or length % _WIDTHS[kind] or (small and length > 4)):
            raise ElementError("no such type")
        return kind, length, bool(small)
