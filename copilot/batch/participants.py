"""Read the table of participants (see ``read_participants``).

The table has one row per recording (column ``file``, its path inside the folder) or per person (``participant_id``: the
recordings whose names begin with it, as in ``P01_rest.edf``, or that are in a folder of that name). Optional columns:
``age``, ``gender`` or ``sex``, ``appearance``, ``complaint``, ``history``; ``baseline``, other recordings of the same
person, paths inside the folder separated by ``;``; ``name`` and ``number``, for the record alone. Tables are untrusted:
messages about faults never quote a cell, which may contain a name.
"""

import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from copilot import csv_tables
from copilot.batch.worker import BatchError
from copilot.i18n import N_
from copilot.person import PatientIdentity, Person, PersonError
from copilot.safety import find_help

BATCH_NO_KEY = N_(
    "The table of people has neither a column file nor participant_id; one of them says whom a row is about."
)
BATCH_BAD_PERSON = N_(
    "Row {row} of the table of people was not used for the person: age is given in whole years from 0 to 120, gender "
    "as F, M or O, and texts have at most 600 characters."
)


@dataclass(frozen=True)
class Participant:
    """The data about one recorded person.

    Attributes:
        person: the answers to the questions of the form.
        patient: name and number, for the record alone.
        baselines: other recordings of the same person, as paths inside the folder.
        remarks: plain sentences about the data, for the summary.
    """

    person: Person = field(default_factory=Person)
    patient: PatientIdentity = field(default_factory=PatientIdentity)
    baselines: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def read_participants(table: Path | None, names: Collection[str]) -> tuple[dict[str, Participant], list[str]]:
    """Return the participant of each recording, and the faults of the table as plain sentences.

    Args:
        table: a .csv or .tsv file; None: there are no data about any person.
        names: paths of the recordings inside the folder, separated by ``/``.

    Raises:
        BatchError: it cannot be read, or has neither column to find recordings by.
    """
    if table is None:
        return dict.fromkeys(names, Participant()), []
    try:
        rows = csv_tables.read_rows(table)
    except csv_tables.TableError as error:
        raise BatchError(str(error)) from error
    if rows and not {"file", "participant_id"} & rows[0].keys():
        raise BatchError(BATCH_NO_KEY)
    by_key, faults = _index_rows(rows)
    found = {name: _find_row(name, by_key) for name in names}
    used = {line for line in found.values() if line is not None}
    unused = [line for line in by_key.values() if line not in used]
    faults += [N_("Row {row} names no recording of this folder.", row=line) for line in unused]
    known = {_normalise_unicode(name): name for name in names}
    return {name: _make_participant(name, line, rows, known) for name, line in found.items()}, faults


def _index_rows(rows: Sequence[csv_tables.Row]) -> tuple[dict[tuple[str, str], int], list[str]]:
    """Return the row (the heading is row 1) of each column and value that name recordings, and faults of other rows."""
    by_key: dict[tuple[str, str], int] = {}
    faults: list[str] = []
    for line, row in enumerate(rows, start=2):
        column = "file" if row.get("file") else "participant_id"
        key = (column, _normalise_unicode(row.get(column, "")))
        if not key[1] or key in by_key:
            faults.append(
                N_(
                    N_("Row {row} is about the same as an earlier row, which counts.")
                    if key[1]
                    else N_("Row {row} says neither file nor participant_id."),
                    row=line,
                )
            )
        else:
            by_key[key] = line
    return by_key, faults


def _find_row(name: str, by_key: dict[tuple[str, str], int]) -> int | None:
    """Return the row that names this recording most exactly: by its path, the beginning of its name, or its folder."""
    path = PurePosixPath(_normalise_unicode(name))
    words = path.stem.split("_")
    beginnings = ["_".join(words[:n]) for n in range(len(words), 0, -1)]
    keys = [("file", str(path)), *(("participant_id", who) for who in (*beginnings, *reversed(path.parent.parts)))]
    return next((by_key[key] for key in keys if key in by_key), None)


def _make_participant(
    name: str, line: int | None, rows: Sequence[csv_tables.Row], known: Mapping[str, str]
) -> Participant:
    """Return the participant of one recording.

    Args:
        name: path of the recording inside the folder.
        line: number of its row in the table; None: it has none.
        rows: all rows of the table, the first of which is row 2.
        known: paths of all recordings, by their composed form.
    """
    if line is None:
        return Participant(remarks=(N_("The table of people has no row for it."),))
    row, remarks = rows[line - 2], []
    person, patient = Person(), PatientIdentity()
    try:
        person = csv_tables.parse_person(row, "")
    except csv_tables.TableError:
        remarks.append(N_(BATCH_BAD_PERSON, row=line))
    try:
        patient = PatientIdentity(name=row.get("name", ""), number=row.get("number", ""))
    except PersonError:
        remarks.append(N_("Name or number in row {row} of the table of people is too long and was left out.", row=line))
    asked_for = [_normalise_unicode(other.strip()) for other in row.get("baseline", "").split(";") if other.strip()]
    if any(other not in known for other in asked_for):
        remarks.append(
            N_(
                "A baseline in row {row} of the table of people is no recording of this folder and was left out.",
                row=line,
            )
        )
    if find_help("\n".join((person.appearance, person.complaint, person.history))):
        remarks.append(N_("The person's own words speak of danger: please read them now."))
    baselines = tuple(known[other] for other in asked_for if other in known and known[other] != name)
    return Participant(person, patient, baselines, tuple(remarks))


def _normalise_unicode(name: str) -> str:
    """Return the composed form (NFC): names of files on a Mac are decomposed, those in tables usually not."""
    return unicodedata.normalize("NFC", name)
