"""Read labelled intervals from a table of labels and a folder of recordings.

Columns: ``file`` (its path inside the folder) and ``emotion``; then, each optional, ``subject``, ``start`` and ``stop``
(seconds), ``gender``, ``age``, ``appearance``, ``complaint``, ``history``. Without ``subject`` every file is a person
of its own, who then has no baseline.
"""

from pathlib import Path, PurePath

from copilot import csv_tables
from copilot.eeg.recording_files import find_recording_files
from copilot.emotions import EMOTIONS
from copilot.training.dataset.recordings import LabelledInterval
from copilot.training.faced import CorpusError


def read(folder: Path, table: Path) -> list[LabelledInterval]:
    """Return the labelled intervals of a table, in its order.

    Args:
        folder: folder of the recordings.
        table: CSV file.

    Raises:
        CorpusError: the table or one of its rows cannot be used.
    """
    if not folder.is_dir():
        raise CorpusError(f"{folder} is not a folder; name the one that contains the recordings.")
    rows = csv_tables.read_rows(table, needed=("file", "emotion"))
    if not rows:
        raise CorpusError(f"{table} has no rows below its heading.")
    return [_parse_row(folder, row, f"{table.name}, row {line}") for line, row in enumerate(rows, start=2)]


def _parse_row(folder: Path, row: csv_tables.Row, where: str) -> LabelledInterval:
    """Parse and check one row; ``where`` names it in errors."""
    name = PurePath(row.get("file", ""))
    if not name.name or name.is_absolute() or ".." in name.parts:
        raise CorpusError(f"{where}: file has to be a path inside the folder of recordings.")
    label = csv_tables.parse_emotion(row.get("emotion", ""))
    if label is None:
        raise CorpusError(f"{where}: emotion {row.get('emotion', '')!r} is none of: {', '.join(EMOTIONS)}.")
    start, stop = (csv_tables.parse_number(row, column, where) for column in ("start", "stop"))
    if stop is not None and stop <= (start or 0):
        raise CorpusError(f"{where}: stop is not after start.")
    return LabelledInterval(
        files=find_recording_files(folder / name),
        subject=row.get("subject") or name.with_suffix("").as_posix(),
        clip=f"{name.with_suffix('').as_posix()} from {start or 0:g} s",
        emotion=label,
        start=start or 0.0,
        stop=stop,
        person=csv_tables.parse_person(row, where),
    )
