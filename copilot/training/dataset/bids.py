"""A BIDS folder (Pernet et al. 2019, Sci Data 6:103): recordings whose events name emotions.

Read are ``sub-*/**/*_eeg.{edf,bdf,vhdr,set}``, the ``*_events.tsv`` of the same name (``onset``, ``duration`` and a
label), and ``participants.tsv`` (``age``, ``sex``). An event that names none of the nine emotions is no trial.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from convert.files import ConvertError, read_json
from copilot import csv_tables
from copilot.eeg.discovery import bids_recordings, with_companions
from copilot.emotions import EMOTIONS
from copilot.person import Person
from copilot.training.dataset.recordings import LabelledInterval
from copilot.training.faced import CorpusError

#: Where datasets put the label of an event; the first that names an emotion is believed.
LABEL_COLUMNS = ("trial_type", "emotion", "value")
MOST_SHOWN = 12


@dataclass(frozen=True)
class BidsRun:
    """One recording and the rows of its events."""

    recording: Path
    events: list[csv_tables.Row]

    @property
    def stem(self) -> str:
        """Its name without ``_eeg`` and suffix."""
        return self.recording.stem.removesuffix("_eeg")

    @property
    def subject(self) -> str:
        """``sub-01``."""
        return self.stem.split("_")[0]


def read(folder: Path, label_column: str | None = None) -> list[LabelledInterval]:
    """The trials of a BIDS folder, subject by subject.

    Args:
        folder: the one with ``participants.tsv``.
        label_column: of the events; by default the first of ``LABEL_COLUMNS`` that names an emotion.

    Raises:
        CorpusError: no recordings with events, or no event names an emotion and says how long it took.
    """
    runs = [BidsRun(path, csv_tables.read_rows(_events(path), ("onset", "duration"))) for path in _recordings(folder)]
    if not runs:
        raise CorpusError(f"{folder} has no sub-*/.../*_eeg.edf (or bdf, vhdr, set) with an *_events.tsv beside it.")
    columns = (label_column.lower(),) if label_column else LABEL_COLUMNS
    column = next(
        (c for c in columns if any(csv_tables.parse_emotion(row.get(c, "")) is not None for row in _rows(runs))), None
    )
    if column is None:
        raise CorpusError(_none_fits(runs, columns))
    people = _participants(folder / "participants.tsv")
    trials = [trial for run in runs for trial in _trials(run, column, people.get(run.subject, Person()))]
    if not trials:
        raise CorpusError(f"The events of {folder} that name an emotion say no duration; write a table for --labels.")
    return trials


def _recordings(folder: Path) -> list[Path]:
    return [path for path in bids_recordings(folder) if _events(path).is_file()]


def _events(recording: Path) -> Path:
    return recording.with_name(f"{recording.stem.removesuffix('_eeg')}_events.tsv")


def _rows(runs: list[BidsRun]) -> Iterator[csv_tables.Row]:
    return (row for run in runs for row in run.events)


def _none_fits(runs: list[BidsRun], columns: tuple[str, ...]) -> str:
    values = {c: sorted({row[c] for row in _rows(runs) if row.get(c)}) for c in columns}
    found = [
        f"{column} has {', '.join(v[:MOST_SHOWN])}{', ...' if len(v) > MOST_SHOWN else ''}"
        for column, v in values.items()
        if v
    ]
    return (
        f"No event names one of {', '.join(EMOTIONS)}: {'; '.join(found) or f'there is no column {columns[0]}'}. "
        "Name the right column with --label-column, or write a table for --labels."
    )


def _trials(run: BidsRun, column: str, person: Person) -> Iterator[LabelledInterval]:
    """Every event that names an emotion and says when it was."""
    recording = LabelledInterval(with_companions(run.recording), run.subject, run.stem, 0, person=person)
    recording = replace(recording, sampling_hz=_sampling_hz(run.recording))
    for row_number, row in enumerate(run.events, start=2):
        label = csv_tables.parse_emotion(row.get(column, ""))
        if label is None:
            continue
        where = f"{_events(run.recording).name}, row {row_number}"
        onset, duration = (csv_tables.parse_number(row, name, where) for name in ("onset", "duration"))
        if onset is not None and duration:
            clip = row.get("stim_file") or f"{run.stem} from {onset:g} s"
            yield replace(recording, clip=clip, emotion=label, start=onset, stop=onset + duration)


def _participants(path: Path) -> dict[str, Person]:
    """What is known of each ``participant_id``; nothing of anybody where there is no such table."""
    if not path.is_file():
        return {}
    rows = csv_tables.read_rows(path, ("participant_id",))
    return {
        row["participant_id"]: csv_tables.parse_person(row, f"{path.name}, {row['participant_id']}") for row in rows
    }


def _sampling_hz(recording: Path) -> float | None:
    """From the .json beside a recording, where there is one that says so."""
    try:
        value = read_json(recording.with_suffix(".json")).get("SamplingFrequency")
    except ConvertError:
        return None
    return float(value) if isinstance(value, int | float) else None
