"""Read the sleep stages that a file's annotations state; every other annotation is passed over."""

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from copilot.eeg.types import SleepStage

#: As PhysioNet's Sleep-EDF, the EDF+ specification (5.1, standard texts) and AASM's terms write them.
_STAGE = re.compile(r"(?i)sleep[ _]stage[ _](W|R|REM|N?[1-4])|sleep stage (wake)")
_NAMES = {"WAKE": "W", "REM": "R", "1": "N1", "2": "N2", "3": "N3", "4": "N3", "N4": "N3"}


def select_stages(annotations: Iterable[tuple[float, float, str]]) -> tuple[SleepStage, ...]:
    """Return the sleep stages among annotations, in their order of time.

    Args:
        annotations: start and length in seconds, and text.
    """
    found = []
    for start, seconds, text in annotations:
        if (match := _STAGE.fullmatch(text.strip())) and seconds > 0:
            name = (match[1] or match[2]).upper()
            found.append(SleepStage(start, seconds, _NAMES.get(name, name)))
    return tuple(sorted(found))


def read_edf_annotations(path: Path, header_bytes: int, record_bytes: int, start: int, size: int) -> bytes:
    """Return the bytes of an annotation signal of EDF+ or BDF+, of all records together.

    Args:
        path: the file.
        header_bytes: where the first record begins.
        record_bytes: the size of a record.
        start: where the signal begins in a record.
        size: its bytes in a record.
    """
    records = (path.stat().st_size - header_bytes) // record_bytes
    if records < 1:
        return b""
    mapped = np.memmap(path, np.uint8, "r", header_bytes, (records, record_bytes))
    return mapped[:, start : start + size].tobytes()


def parse_edf_annotations(content: bytes) -> Iterable[tuple[float, float, str]]:
    """Yield start and length in seconds and the text of EDF+'s time-stamped annotation lists (specification, 2.2.2)."""
    for listed in content.split(b"\0"):
        times, *texts = listed.split(b"\x14")
        start, _, seconds = times.partition(b"\x15")
        try:
            when = float(start), float(seconds or 0)
        except ValueError:  # not a list, or damaged
            continue
        if all(np.isfinite(when)):
            for text in texts:
                yield *when, text.decode("utf-8", "replace")
