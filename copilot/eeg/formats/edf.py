"""Read EDF, EDF+, BDF and BDF+ (see ``open_edf``): the header is checked against the file before any of it is used.

The specification is at edfplus.info (Kemp et al. 1992, Kemp & Olivan 2003); BDF differs in its samples of 24 bits.
Only what is needed to read signals and sleep stages is taken: the patient, the recording and the date are skipped. MNE
reads a copy whose header has nothing else in it, so that it cannot interpret it differently from this check.
"""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path

import mne

from copilot.eeg import electrodes, units
from copilot.eeg.formats.mne_formats import load_channels
from copilot.eeg.formats.sleep_stages import parse_edf_annotations, read_edf_annotations, select_stages
from copilot.eeg.types import Loaded, RecordingError, SleepStage, Source
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


def open_edf(path: Path, kind: str) -> Source:
    """Open a recording of kind ``EDF`` or ``BDF``.

    Raises:
        RecordingError: the header is damaged, promises more than the file contains, or names no signal.
    """
    header = _read_header(path, kind)
    if all(map(_is_annotation, header.labels)):
        raise RecordingError(
            N_("This file contains only sleep stages or other annotations; give it together with its recording.")
        )
    notes = list(header.notes)
    wanted = electrodes.find_electrodes(header.labels).rows
    if wanted and not header.record_s:
        raise _make_damaged_error(N_("its records last no time"))
    if any(low == high or zero == full for low, high, zero, full in (header.limits[row] for row in wanted)):
        raise _make_damaged_error(
            N_("the least and the largest value of a signal are the same, so that its scale is not known")
        )
    rates = sorted({header.samples[row] / header.record_s for row in wanted})
    if len(rates) > 1:
        notes.append(N_("Channels have different sampling rates; all were brought to {rate:g} Hz.", rate=rates[-1]))
    factors, unit_notes = units.find_factors([header.units[row] for row in wanted])
    if wanted:
        notes += unit_notes
    load, stages = partial(_load_edf, path, header), _read_stages(path, header)
    return Source(header.kind, header.labels, load, unit_stated=factors is not None, notes=tuple(notes), stages=stages)


def read_hypnogram(path: Path, kind: str) -> tuple[SleepStage, ...] | None:
    """Return the sleep stages of a file of kind ``EDF`` or ``BDF`` that contains annotations only; None if it does not.

    Raises:
        RecordingError: the header is damaged, or promises more than the file contains.
    """
    header = _read_header(path, kind)
    return _read_stages(path, header) if all(map(_is_annotation, header.labels)) else None


def _is_annotation(label: str) -> bool:
    return label in ("EDF Annotations", "BDF Annotations")


def _read_stages(path: Path, header: EdfHeader) -> tuple[SleepStage, ...]:
    """Return the sleep stages in the annotations of a file."""
    width, starts = (3 if header.kind.startswith("BDF") else 2), [0, *accumulate(header.samples)]
    found: list[tuple[float, float, str]] = []
    for label, start, samples in zip(header.labels, starts, header.samples, strict=False):
        if _is_annotation(label):
            place = (start * width, samples * width)
            content = read_edf_annotations(path, (len(header.labels) + 1) * _SIGNAL_BYTES, header.record_bytes, *place)
            found += parse_edf_annotations(content)
    return select_stages(found)


def _load_edf(path: Path, header: EdfHeader, rows: Sequence[int], seconds: float) -> Loaded:
    """Open only the electrodes: the rest may be faster, and annotations contain free text.

    The reader gets unambiguous labels; those of the file may contain NUL or occur twice.

    Args:
        path: the file.
        header: its header, as read.
        rows: places of the channels.
        seconds: the longest stretch that is read, from the start.
    """
    copy = path.with_name(f"plain{path.suffix}")
    names = _write_plain_copy(path, header, copy)
    read = mne.io.read_raw_bdf if header.kind.startswith("BDF") else mne.io.read_raw_edf
    wanted = [names[row] for row in rows]
    raw = read(copy, include=wanted, verbose="ERROR")
    places = [raw.ch_names.index(name) for name in wanted]
    return load_channels(raw, places, seconds, [header.units[row] for row in rows])


def _read_header(path: Path, kind: str) -> EdfHeader:
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

    # Physical and digital limits, which must be numbers that span a range.
    fields = [_cut_column(columns, count, start, 8) for start in (104, 112, 120, 128)]
    try:
        low, high, zero, full = ([_parse_float(text) for text in field] for field in fields)
    except ValueError:
        raise _make_damaged_error(HEADER_RANGE) from None
    limits = tuple(zip(low, high, zero, full, strict=True))
    if not all(0 <= abs(row[i + 1] - row[i]) < 1e15 for row in limits for i in (0, 2)):
        raise _make_damaged_error(HEADER_RANGE)

    try:
        record_s = _parse_float(fixed[244:252])
    except ValueError:
        record_s = -1.0
    if not 0 <= record_s <= 86400:
        raise _make_damaged_error(N_("the duration of a record is not a time"))
    header_bytes = (count + 1) * _SIGNAL_BYTES
    _parse_integer(fixed[184:192], N_("size of the header"), header_bytes, header_bytes)

    # As many records as the header promises; a recorder that was not stopped promises none.
    record_bytes = (3 if kind == "BDF" else 2) * sum(samples)
    records = _parse_integer(fixed[236:244], N_("number of records"), -1, 10**9)
    there = (path.stat().st_size - header_bytes) // record_bytes
    notes: list[str] = []
    plus = fixed[192:197].upper()
    if plus in (b"EDF+D", b"BDF+D"):
        notes.append(N_("The file has gaps in time, which were closed."))
    if records in (-1, 0):
        records = there
        notes.append(N_("The recorder did not close the file, so its length was taken from what is there."))
    elif there < records:
        raise RecordingError(N_(FILE_CUT, promised=records * record_s, there=there * record_s))
    elif there > records:
        notes.append(N_(messages.NOTE_FILE_LONGER, read=records * record_s, more=(there - records) * record_s))
    return EdfHeader(
        kind=f"{kind}+" if plus[3:4] == b"+" else kind,
        labels=labels,
        units=tuple(text.decode("latin-1") for text in _cut_column(columns, count, 96, 8)),
        limits=limits,
        samples=samples,
        record_s=record_s,
        records=records,
        record_bytes=record_bytes,
        notes=tuple(notes),
    )


def _write_plain_copy(path: Path, header: EdfHeader, copy: Path) -> list[str]:
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


def _make_damaged_error(reason: str) -> RecordingError:
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
        raise _make_damaged_error(N_("the {what} is not a number", what=what)) from None
    if not low <= number <= high:
        raise _make_damaged_error(N_("the {what} is {number}", what=what, number=number))
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
