"""Read labelled intervals from a BIDS folder (Pernet et al. 2019, Sci Data 6:103) whose events name emotions.

The files are ``sub-*/**/*_eeg.{edf,bdf,vhdr,set}``, the ``*_events.tsv`` of the same name (``onset``, ``duration`` and
a label), and ``participants.tsv`` (``age``, ``sex``). An event that names none of the nine emotions is skipped.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

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


@dataclass(frozen=True)
class BidsRun:
    """One recording and the rows of its events."""

    recording: Path
    events: list[csv_tables.Row]

    @property
    def stem(self) -> str:
        """File name of the recording without ``_eeg`` and suffix."""
        return self.recording.stem.removesuffix("_eeg")

    @property
    def subject(self) -> str:
        """Name of the person, such as ``sub-01``."""
        return self.stem.split("_")[0]


def read(folder: Path, label_column: str | None = None) -> list[LabelledInterval]:
    """Return the labelled intervals of a BIDS folder, subject by subject.

    Args:
        folder: the folder with ``participants.tsv``.
        label_column: column of the events; by default the first of ``LABEL_COLUMNS`` that names an emotion.

    Raises:
        CorpusError: there are no recordings with events, or no event has both an emotion and a duration.
    """
    recordings = [path for path in find_bids_recordings(folder) if _events_path(path).is_file()]
    runs = [BidsRun(path, csv_tables.read_rows(_events_path(path), ("onset", "duration"))) for path in recordings]
    if not runs:
        raise CorpusError(f"{folder} has no sub-*/.../*_eeg.edf (or bdf, vhdr, set) with an *_events.tsv beside it.")
    columns = (label_column.lower(),) if label_column else LABEL_COLUMNS
    rows = [row for run in runs for row in run.events]
    column = next(
        (c for c in columns if any(csv_tables.parse_emotion(row.get(c, "")) is not None for row in rows)), None
    )
    if column is None:
        raise CorpusError(_explain_missing_label(rows, columns))
    people = _read_participants(folder / "participants.tsv")
    intervals = [interval for run in runs for interval in _label_events(run, column, people.get(run.subject, Person()))]
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


def _label_events(run: BidsRun, column: str, person: Person) -> Iterator[LabelledInterval]:
    """Yield an interval for every event that has an emotion, an onset and a duration."""
    recording = LabelledInterval(find_recording_files(run.recording), run.subject, run.stem, 0, person=person)
    recording = replace(recording, sampling_hz=_read_sampling_rate(run.recording))
    for row_number, row in enumerate(run.events, start=2):
        label = csv_tables.parse_emotion(row.get(column, ""))
        if label is None:
            continue
        where = f"{_events_path(run.recording).name}, row {row_number}"
        onset, duration = (csv_tables.parse_number(row, name, where) for name in ("onset", "duration"))
        if onset is not None and duration:
            clip = row.get("stim_file") or f"{run.stem} from {onset:g} s"
            yield replace(recording, clip=clip, emotion=label, start=onset, stop=onset + duration)


def _read_participants(path: Path) -> dict[str, Person]:
    """Return what is known of each ``participant_id``; an empty dict where there is no such table."""
    if not path.is_file():
        return {}
    rows = csv_tables.read_rows(path, ("participant_id",))
    return {
        row["participant_id"]: csv_tables.parse_person(row, f"{path.name}, {row['participant_id']}") for row in rows
    }


def _read_sampling_rate(recording: Path) -> float | None:
    """Return the sampling rate in Hz from the .json beside a recording, or None."""
    try:
        value = read_json(recording.with_suffix(".json")).get("SamplingFrequency")
    except ConvertError:
        return None
    return float(value) if isinstance(value, int | float) else None
