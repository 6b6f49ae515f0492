"""Convert rows of the store: to records, to entries of a list, to files of an export.

Any program may have changed the store's file, so a row is trusted only if it contains a complete record with the row's
own id, version and status.
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
    """A kept version of a record, for a list.

    Attributes:
        id, version: see ``Record``.
        status: ``draft`` or ``signed``.
        created, changed: ISO 8601 in UTC; ``created`` is empty where the record cannot be read.
        headline: first line of the record, or a sentence that it cannot be read.
        label: name and number, if given.
    """

    id: str
    version: int
    status: str
    created: str
    changed: str
    headline: str
    label: str


def read_record(row: Row) -> Record:
    """Return the record of a row.

    Raises:
        StoreError: the record is damaged, or it is not the one that the row states.
    """
    id, version, status, _, text = row
    try:
        record = from_json(str(text))
    except RecordError:
        raise StoreError(STORE_UNREADABLE) from None
    if (record.id, record.version, record.status) != (id, version, status):
        raise StoreError(STORE_UNREADABLE)
    return record


def make_entry(row: Row) -> tuple[Entry, str]:
    """Return the entry of a row for a list, and its text for a search."""
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
    """Yield all texts of a record that a search looks through."""
    yield from (record.id, record.headline, record.created, *record.notes)
    for field in record.fields:
        yield from (field.label, field.value)
    for change in record.history:
        yield from (change.name, change.role, change.at, change.before, change.after)


def normalise_for_search(texts: Iterable[str]) -> str:
    """Join texts for a search, in which upper and lower case, full and half width are the same."""
    return unicodedata.normalize("NFKC", "\n".join(texts)).casefold()


def make_files(rows: list[Row], blobs: tuple[bytes | None, ...], unreadable: str) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents of a record's files; no name contains data about the person.

    Args:
        rows: all versions of the record.
        blobs: PNG of the signal, PNG of the band powers and ``.npz`` of the recording, None if not kept.
        unreadable: folder for what cannot be read.
    """
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
