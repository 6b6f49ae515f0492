"""Check the header of an EDF(+) or BDF file against the file, before anything is believed of it (see ``read_header``).

The specification is at edfplus.info (Kemp et al. 1992, Kemp & Olivan 2003); BDF differs in its samples of 24 bits.
Only what is needed to read signals is taken: the patient, the recording and the date are skipped.
"""

from dataclasses import dataclass
from pathlib import Path

from copilot.eeg.recording import RecordingError
from copilot.language import english, sentence

MAX_SIGNALS = 1024
_SIGNAL_BYTES = 256


@dataclass(frozen=True)
class EdfHeader:
    """What a header says of the signals.

    Attributes:
        kind: ``EDF``, ``EDF+``, ``BDF`` or ``BDF+``.
        labels: one a signal, as MNE names them before it tells duplicates apart.
        samples: in one record, one a signal.
        record_s: seconds of one record.
        notes: what a reader must know, plain sentences.
    """

    kind: str
    labels: tuple[str, ...]
    samples: tuple[int, ...]
    record_s: float
    notes: tuple[str, ...]


def read_header(path: Path, kind: str) -> EdfHeader:
    """Read and check a header; ``kind`` is ``EDF`` or ``BDF``.

    Raises:
        RecordingError: the header is damaged, or promises more than the file holds.
    """
    with path.open("rb") as file:
        fixed = file.read(256)
        count = _number(fixed[252:256], english.HEADER_SIGNALS, 1, MAX_SIGNALS)
        columns = file.read(_SIGNAL_BYTES * count)
    if len(columns) < _SIGNAL_BYTES * count:
        raise RecordingError(sentence(english.HEADER_CUT))
    labels = tuple(text.strip().decode("latin-1").split("\0")[0] for text in _column(columns, count, 0, 16))
    samples = tuple(_number(text, english.HEADER_SAMPLES, 1, 10**7) for text in _column(columns, count, 216, 8))
    _check_scales(columns, count)
    record_s = _seconds(fixed[244:252])
    plus = fixed[192:197].upper()
    gaps = (sentence(english.NOTE_GAPS),) if plus in (b"EDF+D", b"BDF+D") else ()
    width = 3 if kind == "BDF" else 2
    notes = gaps + _check_length(path, fixed, width * sum(samples), (count + 1) * _SIGNAL_BYTES, record_s)
    return EdfHeader(f"{kind}+" if plus[3:4] == b"+" else kind, labels, samples, record_s, notes)


def damaged(reason: str) -> RecordingError:
    """The error for a header that cannot be believed, and why."""
    return RecordingError(sentence(english.HEADER_DAMAGED, reason=reason))


def _column(columns: bytes, count: int, start: int, width: int) -> list[bytes]:
    """One field of every signal; ``start`` is where it would be if there were one signal."""
    at = start * count
    return [columns[at + i * width : at + (i + 1) * width] for i in range(count)]


def _number(text: bytes, what: str, low: int, high: int) -> int:
    try:
        number = int(text.split(b"\0")[0])
    except ValueError:
        raise damaged(sentence(english.HEADER_NOT_A_NUMBER, what=what)) from None
    if not low <= number <= high:
        raise damaged(sentence(english.HEADER_NUMBER, what=what, number=number))
    return number


def _seconds(text: bytes) -> float:
    try:
        seconds = float(text.replace(b",", b"."))
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86400:
        raise damaged(english.HEADER_DURATION)
    return seconds


def _check_scales(columns: bytes, count: int) -> None:
    """The physical and digital limits of each signal must be numbers that span a range."""
    fields = [_column(columns, count, start, 8) for start in (104, 112, 120, 128)]
    try:
        rows = [[float(text.replace(b",", b".")) for text in row] for row in zip(*fields, strict=True)]
    except ValueError:
        raise damaged(english.HEADER_RANGE) from None
    spans = [abs(high - low) for row in rows for low, high in (row[:2], row[2:])]
    if not all(0 <= span < 1e15 for span in spans):
        raise damaged(english.HEADER_RANGE)


def _check_length(path: Path, fixed: bytes, record_bytes: int, header_bytes: int, record_s: float) -> tuple[str, ...]:
    """Compare the records that the header promises with those that are there."""
    records = _number(fixed[236:244], english.HEADER_RECORDS, -1, 10**9)
    there = (path.stat().st_size - header_bytes) // record_bytes
    if records == -1:
        return (sentence(english.NOTE_NOT_CLOSED),)
    if there < records:
        raise RecordingError(sentence(english.FILE_CUT, promised=records * record_s, there=there * record_s))
    return ()
