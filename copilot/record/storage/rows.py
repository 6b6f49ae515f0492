"""A row of the store: the record in it, its line in a list, its files in an export.

Anybody may have changed the store's file, so a row is believed only where it holds a whole record, and its own.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from copilot.i18n import N_
from copilot.record.export.json_format import from_json
from copilot.record.export.registry import EXPORTS, file_name
from copilot.record.model import IDENTITY, Record, RecordError
from copilot.record.storage.database import StoreError

STORE_UNREADABLE = N_(
    "What is kept of this record is damaged. Export everything to have what is left of it, then delete it here."
)


#: Id, version, status, changed, record.
Row = tuple[str, int, str, str, str]


@dataclass(frozen=True)
class Entry:
    """A kept version of a record, as a list shows it.

    Attributes:
        id, version: see ``Record``.
        status: ``draft`` or ``signed``.
        created, changed: ISO 8601 in UTC; ``created`` is empty where the record cannot be read.
        headline: of the record, or a sentence that says it cannot be read.
        label: name and number, where given.
    """

    id: str
    version: int
    status: str
    created: str
    changed: str
    headline: str
    label: str


def read_record(row: Row) -> Record:
    """The record of a row; anybody may have changed the file.

    Raises:
        StoreError: it is damaged, or another record than the row says.
    """
    id, version, status, _, text = row
    try:
        record = from_json(str(text))
    except RecordError:
        raise StoreError(N_(STORE_UNREADABLE)) from None
    if (record.id, record.version, record.status) != (id, version, status):
        raise StoreError(N_(STORE_UNREADABLE))
    return record


def make_entry(row: Row) -> tuple[Entry, str]:
    """What a list shows of a row, and what a search looks through."""
    id, version, status, changed, _ = row
    try:
        record = read_record(row)
    except StoreError as error:
        return Entry(id, version, status, "", changed, error.args[0], ""), normalise_for_search([str(id)])
    label = ", ".join(field.value for field in record.fields if field.key in IDENTITY and field.value)
    return Entry(id, version, status, record.created, changed, record.headline, label), normalise_for_search(
        _collect_texts(record)
    )


def _collect_texts(record: Record) -> Iterator[str]:
    yield from (record.id, record.headline, record.created, *record.notes)
    for field in record.fields:
        yield from (field.label, field.value)
    for change in record.history:
        yield from (change.name, change.role, change.at, change.before, change.after)


def normalise_for_search(texts: Iterable[str]) -> str:
    """Texts as a search compares them: upper and lower case, full and half width are the same."""
    return unicodedata.normalize("NFKC", "\n".join(texts)).casefold()


def make_files(rows: list[Row], blobs: tuple[bytes | None, ...], unreadable: str) -> Iterator[tuple[str, bytes]]:
    """Names and contents of a record's files; no name has anything of the person in it."""
    folder = unreadable
    for row in rows:
        try:
            record = read_record(row)
        except StoreError:
            yield f"{unreadable}-v{row[1]}.json", str(row[4]).encode(errors="surrogateescape")
            continue
        folder = record.id
        for kind in ("json", "markdown"):
            yield f"{folder}/{file_name(record, kind)}", EXPORTS[kind].write(record, None)
    for name, blob in zip(("signal.png", "bands.png", "signal.npz"), blobs, strict=False):
        if blob:
            yield f"{folder}/{name}", blob
