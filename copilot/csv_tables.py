"""Read tables that come with recordings: the rows of a .csv or .tsv, and what a row states about a person."""

import csv
import re
from collections.abc import Collection
from pathlib import Path

from copilot.emotions import EMOTIONS
from copilot.errors import CopilotError
from copilot.person import Person, PersonError

Row = dict[str, str]


class TableError(CopilotError, ValueError):
    """A table cannot be read, or a cell cannot be used; the message names it."""


MAX_MB = 64
#: BIDS writes every age above this as ``89+``.
OLDEST_STATED_AGE = 89
#: Cells that state that a value is not known.
UNKNOWN = ("", "n/a", "na", "nan", "unknown")
GENDERS = {"f": "female", "female": "female", "m": "male", "male": "male", "o": "other", "other": "other"}


def read_rows(path: Path, needed: Collection[str] = ()) -> list[Row]:
    """Return every row, with the columns' names in lower case; values that are not known are empty.

    Args:
        path: separated by tabs if it ends in .tsv, else by commas.
        needed: columns without which the table cannot be used.

    Raises:
        TableError: it cannot be read, or lacks a column.
    """
    try:
        if path.stat().st_size > MAX_MB * 2**20:
            raise TableError(f"{path} has more than {MAX_MB} MB, which no table of labels has.")
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", strict=True)
            names = [name.strip().lower() for name in next(reader, [])]
            rows = [
                {
                    # A person may be called Na.
                    name: "" if name != "name" and cell.strip().lower() in UNKNOWN else cell.strip()
                    for name, cell in zip(names, cells, strict=False)
                }
                for cells in reader
                if cells
            ]
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror}.") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise TableError(
            f"{path} is no table; save it as UTF-8 text, separated by commas (.csv) or tabs (.tsv)."
        ) from error
    if missing := [name for name in needed if name not in names]:
        raise TableError(f"{path} has no column {', '.join(missing)}; it has: {', '.join(names) or 'none'}.")
    return rows


def parse_person(row: Row, where: str) -> Person:
    """Return the person of a row: gender (or sex), age, appearance, complaint, history, each if it is given.

    Raises:
        TableError: a value cannot be used; ``where`` names the row in the message.
    """
    gender = row.get("gender") or row.get("sex") or ""
    if gender and gender.lower() not in GENDERS:
        raise TableError(f"{where}: gender {gender!r} is none of F, M, O; leave it empty where it is not known.")
    text = row.get("age", "")
    if text and not re.fullmatch(r"\d{1,3}(\.\d*)?\+?", text):
        raise TableError(f"{where}: age is {text!r}; it is given in years.")
    if text.endswith("+"):
        age: int | None = OLDEST_STATED_AGE + 1
    else:
        age = int(float(text)) if text else None
    words = {name: row.get(name, "") for name in ("appearance", "complaint", "history")}
    try:
        return Person(GENDERS.get(gender.lower(), "unspecified"), age, **words)
    except PersonError as error:
        raise TableError(f"{where}: {error}") from error


def parse_number(row: Row, column: str, where: str) -> float | None:
    """Return a cell as a number, or None if it is empty or absent.

    Args:
        row: of ``read_rows``.
        column: its name in lower case.
        where: names the row in the message of an error.

    Raises:
        TableError: the cell is something else, or a negative or infinite number.
    """
    text = row.get(column, "")
    if text and not re.fullmatch(r"(\d{1,9}(\.\d*)?|\.\d+)([eE][+-]?\d)?", text):
        raise TableError(f"{where}: {column} is {text!r}; it is given as a number such as 12.5.")
    return float(text) if text else None


def parse_emotion(text: str) -> int | None:
    """Return the index of the emotion that a cell names, in any case, or None."""
    name = text.strip().lower()
    return EMOTIONS.index(name) if name in EMOTIONS else None
