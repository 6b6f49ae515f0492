"""The table of people: what is known of who was recorded (see ``read``).

One row a recording (column ``file``, its path inside the folder) or a person (``participant_id``: the recordings whose
names begin with it, as in ``P01_rest.edf``, or that lie in a folder of that name). Then, each if it is there: ``age``,
``gender`` or ``sex``, ``appearance``, ``complaint``, ``history``; ``baseline``, other recordings of the same person,
paths inside the folder with ``;`` between; ``name`` and ``number``, for the record alone. Tables are untrusted: what is
said about a fault never quotes a cell, which may hold a name.
"""

import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from copilot import csv_tables
from copilot.batch.worker import BatchError
from copilot.i18n import N_
from copilot.person import Person, PersonError
from copilot.record.patient_identity import PatientIdentity
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
    """What is known of who was recorded.

    Attributes:
        person: what the form would ask.
        particulars: name and number, for the record alone.
        baselines: other recordings of the same person, by their paths inside the folder.
        remarks: what the summary has to say about it, plain sentences.
    """

    person: Person = field(default_factory=Person)
    particulars: PatientIdentity = field(default_factory=PatientIdentity)
    baselines: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def read(table: Path | None, names: Collection[str]) -> tuple[dict[str, Participant], list[str]]:
    """What is known for each recording, and what is wrong with the table, in plain sentences.

    Args:
        table: a .csv or .tsv; None: nothing is known of anybody.
        names: of the recordings, their paths inside the folder with ``/`` between.

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
        raise BatchError(N_(BATCH_NO_KEY))
    by_key, faults = _by_key(rows)
    found = {name: _row_for(name, by_key) for name in names}
    used = {line for line in found.values() if line is not None}
    idle = [line for line in by_key.values() if line not in used]
    faults += [N_("Row {row} names no recording of this folder.", row=line) for line in idle]
    known = {_composed(name): name for name in names}
    return {name: _given(name, line, rows, known) for name, line in found.items()}, faults


def _by_key(rows: Sequence[csv_tables.Row]) -> tuple[dict[tuple[str, str], int], list[str]]:
    """The row (the heading is row 1) of each column and value that name recordings; and what is wrong with others."""
    by_key: dict[tuple[str, str], int] = {}
    faults: list[str] = []
    for line, row in enumerate(rows, start=2):
        column = "file" if row.get("file") else "participant_id"
        key = (column, _composed(row.get(column, "")))
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


def _row_for(name: str, by_key: dict[tuple[str, str], int]) -> int | None:
    """The row that names this recording most exactly: by its file, by how it begins, by a folder that it lies in."""
    path = PurePosixPath(_composed(name))
    words = path.stem.split("_")
    beginnings = ["_".join(words[:n]) for n in range(len(words), 0, -1)]
    keys = [("file", str(path)), *(("participant_id", who) for who in (*beginnings, *reversed(path.parent.parts)))]
    return next((by_key[key] for key in keys if key in by_key), None)


def _given(name: str, line: int | None, rows: Sequence[csv_tables.Row], known: Mapping[str, str]) -> Participant:
    if line is None:
        return Participant(remarks=(N_("The table of people has no row for it."),))
    row, remarks = rows[line - 2], []
    person, particulars = Person(), PatientIdentity()
    try:
        person = csv_tables.parse_person(row, "")
    except csv_tables.TableError:
        remarks.append(N_(BATCH_BAD_PERSON, row=line))
    try:
        particulars = PatientIdentity(name=row.get("name", ""), number=row.get("number", ""))
    except PersonError:
        remarks.append(N_("Name or number in row {row} of the table of people is too long and was left out.", row=line))
    asked_for = [_composed(other.strip()) for other in row.get("baseline", "").split(";") if other.strip()]
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
    return Participant(person, particulars, baselines, tuple(remarks))


def _composed(name: str) -> str:
    """Unicode's composed form: what a Mac names a file is not what a table says."""
    return unicodedata.normalize("NFC", name)
