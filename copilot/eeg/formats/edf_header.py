"""Check the header of an EDF(+) or BDF file against the file, before any of it is used (see ``read_header``).

The specification is at edfplus.info (Kemp et al. 1992, Kemp & Olivan 2003); BDF differs in its samples of 24 bits.
Only what is needed to read signals is taken: the patient, the recording and the date are skipped. ``write_plain_copy``
gives the signals a header with nothing else in it, so that no reader can interpret it differently from this check.
"""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from copilot.eeg.types import RecordingError
from copilot.i18n import N_, messages

HEADER_RANGE = N_("the range of a signal is not a number")
FILE_CUT = N_(
    "The file is cut short: its header promises {promised:.0f} s, and {there:.0f} s are there; get the original again."
)


MAX_SIGNALS = 1024
_SIGNAL_BYTES = 256


@dataclass(frozen=True)
class EdfHeader:
    """What a header states about the signals.

    Attributes:
        kind: ``EDF``, ``EDF+``, ``BDF`` or ``BDF+``.
        labels: one per signal, without control characters.
        units: of each signal's physical limits.
        limits: physical minimum and maximum, digital minimum and maximum of each signal.
        samples: in one record, one number per signal.
        record_s: seconds of one record.
        records: how many there are to read.
        record_bytes: the size of one record.
        notes: for the reader, plain sentences.
    """

    kind: str
    labels: tuple[str, ...]
    units: tuple[str, ...]
    limits: tuple[tuple[float, float, float, float], ...]
    samples: tuple[int, ...]
    record_s: float
    records: int
    record_bytes: int
    notes: tuple[str, ...]

    def check_range(self, rows: Sequence[int]) -> None:
        """Refuse signals whose scale cannot be known, because their limits are one number.

        Raises:
            RecordingError: one of the signals at ``rows`` has no range.
        """
        if any(low == high or zero == full for low, high, zero, full in (self.limits[row] for row in rows)):
            raise make_damaged_error(
                N_("the least and the largest value of a signal are the same, so that its scale is not known")
            )


def read_header(path: Path, kind: str) -> EdfHeader:
    """Read and check a header; ``kind`` is ``EDF`` or ``BDF``.

    Raises:
        RecordingError: the header is damaged, or promises more than the file contains.
    """
    with path.open("rb") as file:
        fixed = file.read(256)
        count = _parse_integer(fixed[252:256], N_("number of signals"), 1, MAX_SIGNALS)
        columns = file.read(_SIGNAL_BYTES * count)
    if len(columns) < _SIGNAL_BYTES * count:
        raise RecordingError(N_("The file is cut short inside its header; get the original again."))
    labels = tuple(_parse_label(text) for text in _cut_column(columns, count, 0, 16))
    samples = tuple(_parse_integer(text, N_("samples"), 1, 10**7) for text in _cut_column(columns, count, 216, 8))
    limits = _parse_limits(columns, count)
    record_s = _parse_duration(fixed[244:252])
    header_bytes = (count + 1) * _SIGNAL_BYTES
    _parse_integer(fixed[184:192], N_("size of the header"), header_bytes, header_bytes)
    plus = fixed[192:197].upper()
    record_bytes = (3 if kind == "BDF" else 2) * sum(samples)
    records, notes = _count_records(path, fixed, record_bytes, header_bytes, record_s)
    if plus in (b"EDF+D", b"BDF+D"):
        notes = (N_("The file has gaps in time, which were closed."), *notes)
    return EdfHeader(
        kind=f"{kind}+" if plus[3:4] == b"+" else kind,
        labels=labels,
        units=tuple(text.decode("latin-1") for text in _cut_column(columns, count, 96, 8)),
        limits=limits,
        samples=samples,
        record_s=record_s,
        records=records,
        record_bytes=record_bytes,
        notes=notes,
    )


def write_plain_copy(path: Path, header: EdfHeader, copy: Path) -> list[str]:
    """Write a copy of the signals whose header has only what reading them needs; ``path`` is removed.

    Units are called microvolts, whatever they are; and there are as many records as ``header`` counts.

    Args:
        path: the file.
        header: its header, as read.
        copy: where to write the copy.

    Returns:
        The labels in the copy, one per signal.
    """
    bdf = header.kind.startswith("BDF")
    count = len(header.labels)
    names = [f"c{row}" for row in range(count)]
    limits = [row if row[0] != row[1] and row[2] != row[3] else (-1.0, 1.0, -100.0, 100.0) for row in header.limits]
    columns: list[tuple[Sequence[str], int]] = [(names, 16), ([""] * count, 80), (["uV"] * count, 8)]
    columns += [([_format_in_eight(row[place]) for row in limits], 8) for place in range(4)]
    columns += [([""] * count, 80), ([str(n) for n in header.samples], 8), ([""] * count, 32)]
    fixed = [("X X X X", 80), ("Startdate X X X X", 80), ("01.01.85", 8), ("00.00.00", 8)]
    fixed += [(str(256 * (count + 1)), 8), ("24BIT" if bdf else "", 44), (str(header.records), 8)]
    fixed += [(_format_in_eight(header.record_s), 8), (str(count), 4)]
    start = b"\xffBIOSEMI" if bdf else b"0       "
    start += b"".join(text.encode().ljust(size) for text, size in fixed)
    start += b"".join(text.encode().ljust(size) for column, size in columns for text in column)
    shutil.copyfile(path, copy)  # the original may be linked here, and must not be written to
    path.unlink()
    with copy.open("r+b") as file:
        file.write(start)
        file.truncate(len(start) + header.records * header.record_bytes)
    return names


def make_damaged_error(reason: str) -> RecordingError:
    """Return the error for a damaged header, with the reason."""
    return RecordingError(N_("The header of the file is damaged ({reason}); get the original again.", reason=reason))


def _cut_column(columns: bytes, count: int, start: int, width: int) -> list[bytes]:
    """Return one field of every signal; ``start`` is where it would be if there were one signal."""
    at = start * count
    return [columns[at + i * width : at + (i + 1) * width] for i in range(count)]


def _parse_integer(text: bytes, what: str, low: int, high: int) -> int:
    try:
        number = int(text.split(b"\0")[0])
    except ValueError:
        raise make_damaged_error(N_("the {what} is not a number", what=what)) from None
    if not low <= number <= high:
        raise make_damaged_error(N_("the {what} is {number}", what=what, number=number))
    return number


def _parse_label(field: bytes) -> str:
    """Return a label without what writers in C leave behind: NUL and whatever follows it, and control characters."""
    first = next((piece for piece in field.split(b"\0") if piece.strip()), b"")
    return re.sub(r"[\x00-\x1f\x7f]+", " ", first.decode("latin-1")).strip()


def _parse_float(field: bytes) -> float:
    return float(field.split(b"\0")[0].replace(b",", b"."))


def _format_in_eight(number: float) -> str:
    """Format a number in the eight characters that the format has for it, as exactly as they allow."""
    texts = (f"{number:.{digits}g}".replace("e-0", "e-").replace("e+0", "e") for digits in range(17, 0, -1))
    return next(text for text in (re.sub(r"^(-?)0\.", r"\1.", text) for text in texts) if len(text) <= 8)


def _parse_duration(text: bytes) -> float:
    try:
        seconds = _parse_float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86400:
        raise make_damaged_error(N_("the duration of a record is not a time"))
    return seconds


def _parse_limits(columns: bytes, count: int) -> tuple[tuple[float, float, float, float], ...]:
    """Return the physical and digital limits of each signal, which must be numbers that span a range."""
    fields = [_cut_column(columns, count, start, 8) for start in (104, 112, 120, 128)]
    try:
        low, high, zero, full = ([_parse_float(text) for text in field] for field in fields)
    except ValueError:
        raise make_damaged_error(HEADER_RANGE) from None
    rows = tuple(zip(low, high, zero, full, strict=True))
    if not all(0 <= abs(row[i + 1] - row[i]) < 1e15 for row in rows for i in (0, 2)):
        raise make_damaged_error(HEADER_RANGE)
    return rows


def _count_records(
    path: Path, fixed: bytes, record_bytes: int, header_bytes: int, record_s: float
) -> tuple[int, tuple[str, ...]]:
    """Return how many records to read, and notes for the reader.

    These are the records that the header promises; a recorder that was not stopped promises none.

    Args:
        path: the file.
        fixed: the first 256 bytes of the header.
        record_bytes: the size of one record.
        header_bytes: the size of the header.
        record_s: seconds of one record.

    Raises:
        RecordingError: the file is shorter than promised.
    """
    promised = _parse_integer(fixed[236:244], N_("number of records"), -1, 10**9)
    there = (path.stat().st_size - header_bytes) // record_bytes
    if promised in (-1, 0):
        return there, (N_("The recorder did not close the file, so its length was taken from what is there."),)
    if there < promised:
        raise RecordingError(N_(FILE_CUT, promised=promised * record_s, there=there * record_s))
    if there > promised:
        rest = N_(messages.NOTE_FILE_LONGER, read=promised * record_s, more=(there - promised) * record_s)
        return promised, (rest,)
    return promised, ()
