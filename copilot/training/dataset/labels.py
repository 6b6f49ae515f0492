"""Read labelled intervals of recordings from a table of labels, or from a BIDS folder whose events name emotions.

The table has the columns ``file`` (its path inside the folder of recordings) and ``emotion``; then, each optional,
``subject``, ``start`` and ``stop`` (seconds), ``gender``, ``age``, ``appearance``, ``complaint``, ``history``. Without
``subject`` every file is a person of its own, who then has no baseline.

The files of a BIDS folder (Pernet et al. 2019, Sci Data 6:103) are ``sub-*/**/*_eeg.{edf,bdf,vhdr,set}``, the
``*_events.tsv`` of the same name (``onset``, ``duration`` and a label), and ``participants.tsv`` (``age``, ``sex``). An
event that names none of the nine emotions is skipped.
"""

from pathlib import Path, PurePath

from convert.files import ConvertError, read_json
from copilot import csv_tables
from copilot.eeg.recording_files import find_bids_recordings, find_recording_files
from copilot.emotions import EMOTIONS
from copilot.person import Person
from copilot.training.dataset.recordings import LabelledInterval
from copilot.training.faced import CorpusError

#: Columns in which datasets have the label of an event; the first that names an emotion is used.
LABEL_COLUMNS = ("trial_type", "emotion", "value")
MOST_SHOWN = 12


def read_label_table(folder: Path, table: Path) -> list[LabelledInterval]:
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
    intervals = []
    for number, row in enumerate(rows, start=2):
        where, name = f"{table.name}, row {number}", PurePath(row.get("file", ""))
        if not name.name or name.is_absolute() or ".." in name.parts:
            raise CorpusError(f"{where}: file has to be a path inside the folder of recordings.")
        emotion = csv_tables.parse_emotion(row.get("emotion", ""))
        if emotion is None:
            raise CorpusError(f"{where}: emotion {row.get('emotion', '')!r} is none of: {', '.join(EMOTIONS)}.")
        start, stop = (csv_tables.parse_number(row, column, where) for column in ("start", "stop"))
        if stop is not None and stop <= (start or 0):
            raise CorpusError(f"{where}: stop is not after start.")
        path = name.with_suffix("").as_posix()
        intervals.append(
            LabelledInterval(
                files=find_recording_files(folder / name),
                subject=row.get("subject") or path,
                clip=f"{path} from {start or 0:g} s",
                emotion=emotion,
                start=start or 0.0,
                stop=stop,
                person=csv_tables.parse_person(row, where),
            )
        )
    return intervals


def read_bids(folder: Path, label_column: str | None = None) -> list[LabelledInterval]:
    """Return the labelled intervals of a BIDS folder, subject by subject.

    Args:
        folder: the folder with ``participants.tsv``.
        label_column: column of the events; by default the first of ``LABEL_COLUMNS`` that names an emotion.

    Raises:
        CorpusError: there are no recordings with events, or no event has both an emotion and a duration.
    """
    # 1. The recordings that have events.
    recordings = [path for path in find_bids_recordings(folder) if _events_path(path).is_file()]
    runs = [(path, csv_tables.read_rows(_events_path(path), ("onset", "duration"))) for path in recordings]
    if not runs:
        raise CorpusError(f"{folder} has no sub-*/.../*_eeg.edf (or bdf, vhdr, set) with an *_events.tsv beside it.")

    # 2. The column that names emotions.
    columns = (label_column.lower(),) if label_column else LABEL_COLUMNS
    rows = [row for _, events in runs for row in events]
    named = (c for c in columns if any(csv_tables.parse_emotion(row.get(c, "")) is not None for row in rows))
    column = next(named, None)
    if column is None:
        raise CorpusError(_explain_missing_label(rows, columns))

    # 3. What is known of each person.
    people, participants = {}, folder / "participants.tsv"
    if participants.is_file():
        for row in csv_tables.read_rows(participants, ("participant_id",)):
            name = row["participant_id"]
            people[name] = csv_tables.parse_person(row, f"{participants.name}, {name}")

    # 4. An interval for every event that has an emotion, an onset and a duration.
    intervals = []
    for path, events in runs:
        stem = path.stem.removesuffix("_eeg")
        subject, files, sampling_hz = stem.split("_")[0], find_recording_files(path), _read_sampling_rate(path)
        for number, row in enumerate(events, start=2):
            emotion = csv_tables.parse_emotion(row.get(column, ""))
            if emotion is None:
                continue
            where = f"{_events_path(path).name}, row {number}"
            onset, duration = (csv_tables.parse_number(row, name, where) for name in ("onset", "duration"))
            if onset is not None and duration:
                clip, person = row.get("stim_file") or f"{stem} from {onset:g} s", people.get(subject, Person())
                stop = onset + duration
                intervals.append(LabelledInterval(files, subject, clip, emotion, onset, stop, person, sampling_hz))
    if not intervals:
        raise CorpusError(f"The events of {folder} that name an emotion have no duration; write a table for --labels.")
    return intervals


def _events_path(recording: Path) -> Path:
    """Return the path of a recording's ``*_events.tsv``."""
    return recording.with_name(f"{recording.stem.removesuffix('_eeg')}_events.tsv")


def _explain_missing_label(rows: list[csv_tables.Row], columns: tuple[str, ...]) -> str:
    """Return the message that no column names an emotion, with the values that the columns have instead."""
    values = {c: sorted({row[c] for row in rows if row.get(c)}) for c in columns}
    found = [
        f"{column} has {', '.join(v[:MOST_SHOWN])}{', ...' if len(v) > MOST_SHOWN else ''}"
        for column, v in values.items()
        if v
    ]
    return (
        f"No event names one of {', '.join(EMOTIONS)}: {'; '.join(found) or f'there is no column {columns[0]}'}. "
        "Name the right column with --label-column, or write a table for --labels."
    )


def _read_sampling_rate(recording: Path) -> float | None:
    """Return the sampling rate in Hz from the .json beside a recording, or None."""
    try:
        value = read_json(recording.with_suffix(".json")).get("SamplingFrequency")
    except ConvertError:
        return None
    return float(value) if isinstance(value, int | float) else None
