"""A table of labels beside a folder of recordings.

Columns: ``file`` (its path inside the folder) and ``emotion``; then, each if there is one, ``subject``, ``start`` and
``stop`` (seconds), ``gender``, ``age``, ``appearance``, ``complaint``, ``history``. Without ``subject`` every file is a
person of its own, who then has no baseline.
"""

from pathlib import Path, PurePath

from copilot import csv_tables
from copilot.eeg.discovery import with_companions
from copilot.emotions import EMOTIONS
from copilot.training.dataset.recordings import LabelledInterval
from copilot.training.faced import CorpusError


def read(folder: Path, table: Path) -> list[LabelledInterval]:
    """The labelled stretches that a table names, in its order.

    Raises:
        CorpusError: the table is of no use, or a row of it says what cannot be.
    """
    if not folder.is_dir():
        raise CorpusError(f"{folder} is not a folder; name the one that holds the recordings.")
    rows = csv_tables.read_rows(table, needed=("file", "emotion"))
    if not rows:
        raise CorpusError(f"{table} has no rows below its heading.")
    return [_labelled(folder, row, f"{table.name}, row {line}") for line, row in enumerate(rows, start=2)]


def _labelled(folder: Path, row: csv_tables.Row, where: str) -> LabelledInterval:
    name = PurePath(row.get("file", ""))
    if not name.name or name.is_absolute() or ".." in name.parts:
        raise CorpusError(f"{where}: file has to be a path inside the folder of recordings.")
    label = csv_tables.parse_emotion(row.get("emotion", ""))
    if label is None:
        raise CorpusError(f"{where}: emotion {row.get('emotion', '')!r} is none of: {', '.join(EMOTIONS)}.")
    start, stop = (csv_tables.parse_number(row, column, where) for column in ("start", "stop"))
    if stop is not None and stop <= (start or 0):
        raise CorpusError(f"{where}: stop is not behind start.")
    return LabelledInterval(
        files=with_companions(folder / name),
        subject=row.get("subject") or name.with_suffix("").as_posix(),
        clip=f"{name.with_suffix('').as_posix()} from {start or 0:g} s",
        emotion=label,
        start=start or 0.0,
        stop=stop,
        person=csv_tables.parse_person(row, where),
    )
