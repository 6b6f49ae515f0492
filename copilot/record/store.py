"""Keep records with all their versions in one SQLite file of the user, if the user wants that.

Any program may have changed the file, so a row is trusted only if it contains a complete record with the row's own id,
version and status.

A clock that jumps ahead would make every record expire at once. So the time of the last run is kept with the records:
after a jump, nothing is deleted before the clock has advanced by ``JUMP_DAYS`` more, in ordinary steps.
"""

import logging
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from sqlite3 import Connection
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from copilot.i18n import N_
from copilot.record.database import Database, RecordGone, StoreError
from copilot.record.export.json_format import from_json, to_json
from copilot.record.export.registry import EXPORTS, file_name
from copilot.record.model import IDENTITY, Figures, Record, RecordError, timestamp

STORE_GONE = N_(
    "This record is not kept any more: somebody deleted it, or its time was over. Keep it again if you want it back."
)
STORE_CHANGED = N_(
    "Somebody else changed this record while you had it open, so your changes were not saved. Open it again from the "
    "list and repeat them there."
)
STORE_UNREADABLE = N_(
    "What is kept of this record is damaged. Export everything to have what is left of it, then delete it here."
)

FILE = "records.sqlite"

#: Days between two runs after which the clock is not trusted; and days before a deletion in which it is announced.
JUMP_DAYS = NOTICE_DAYS = 30

_log = logging.getLogger(__name__)

#: Id, version, status, changed, record.
Row = tuple[str, int, str, str, str]

_VERSIONS = """SELECT id, version, status, changed, record FROM versions
    WHERE id = ? AND version = ifnull(?, version) ORDER BY version DESC"""
_NEWEST = """SELECT id, max(version), status, changed, record FROM versions
    GROUP BY id ORDER BY changed DESC, rowid DESC"""
_SAVE = """INSERT INTO versions (id, version, status, changed, record) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET status = excluded.status, changed = excluded.changed, record = excluded.record"""
_SAVE_MEASURED = """INSERT INTO measured (id, signal, bands, eeg) VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET signal = ifnull(signal, excluded.signal), bands = ifnull(bands, excluded.bands),
    eeg = ifnull(eeg, excluded.eeg)"""
_OLDER = """SELECT id, max(changed) FROM versions GROUP BY id
    HAVING julianday(?) - julianday(max(changed)) > ? ORDER BY max(changed)"""


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


class Store:
    """The records kept in a folder, readable by its user only.

    Every method raises ``StoreError`` if the file cannot be read or written; the kept records stay as they were.
    """

    def __init__(self, folder: Path) -> None:
        self._database = Database(folder / FILE)

    def save(
        self, record: Record, figures: Figures | None = None, signal: bytes | None = None, *, must_exist: bool = False
    ) -> None:
        """Keep a new record or a successor of the kept one; saving the same record twice changes nothing.

        Args:
            record: the record; its history continues that of the kept record.
            figures: figures of the record, kept once for all versions; the first ones stay.
            signal: an ``.npz`` file of the recording, likewise; pass it only if the user asks for it.
            must_exist: whether the record must be kept already, so that a deleted record is not restored.

        Raises:
            StoreError: another process or page changed the record meanwhile, or the kept record cannot be read.
            RecordGone: the record must be kept already and is not.
        """
        row: Row = (record.id, record.version, record.status, record.changed, to_json(record))
        _read_record(row)  # refuses a record that could not be read again
        pngs = (figures.signal, figures.bands) if figures else (None, None)
        with self._database.transaction(write=True) as connection:
            before = connection.execute(_VERSIONS, (record.id, None)).fetchone()
            newest = _read_record(before) if before else None
            if must_exist and not newest:
                raise RecordGone(STORE_GONE)
            if newest and not _is_successor(record, newest):
                raise StoreError(STORE_CHANGED)
            connection.execute(_SAVE_MEASURED, (record.id, *pngs, signal))
            if record != newest:
                connection.execute(_SAVE, row)

    def find(self, words: str = "") -> list[Entry]:
        """Return the newest version of each record whose text contains all ``words``, the last changed first."""
        with self._database.transaction() as connection:
            rows = connection.execute(_NEWEST).fetchall()
        wanted = _normalise_for_search([words]).split()
        return [entry for entry, text in map(_make_entry, rows) if all(word in text for word in wanted)]

    def open(self, id: str, version: int | None = None) -> tuple[Record, Figures | None]:
        """Return a version of a record and its figures, if kept.

        Args:
            id: id of the record.
            version: number of the version; None: the newest.

        Raises:
            StoreError: the version is not kept or cannot be read.
        """
        with self._database.transaction() as connection:
            row = connection.execute(_VERSIONS, (id, version)).fetchone()
            pngs = connection.execute("SELECT signal, bands FROM measured WHERE id = ?", (id,)).fetchone()
        if not row:
            raise StoreError(N_("This record is not kept here: it was deleted, or its time was over."))
        return _read_record(row), Figures(*pngs) if pngs and all(pngs) else None

    def versions(self, id: str) -> list[Entry]:
        """Return all kept versions of a record, the newest first."""
        with self._database.transaction() as connection:
            rows = connection.execute(_VERSIONS, (id, None)).fetchall()
        return [_make_entry(row)[0] for row in rows]

    def export_all(self) -> bytes:
        """Return a zip file with a folder per record: every version as JSON and Markdown; figures and signal if kept.

        No file's name contains data about the person. Versions that cannot be read are included unchanged, in the
        folder ``unreadable``.
        """
        with self._database.transaction() as connection:
            ids = connection.execute("SELECT DISTINCT id FROM versions").fetchall()
        buffer = BytesIO()
        with ZipFile(buffer, "w") as archive:
            for number, (id,) in enumerate(ids, 1):  # a transaction per record, so that saving never waits long
                with self._database.transaction() as connection:
                    rows = connection.execute(_VERSIONS, (id, None)).fetchall()
                    blobs = connection.execute("SELECT signal, bands, eeg FROM measured WHERE id = ?", (id,)).fetchone()
                folder = unreadable = f"unreadable/{number}"
                for row in rows:
                    try:
                        record = _read_record(row)
                    except StoreError:
                        text = str(row[4]).encode(errors="surrogateescape")
                        archive.writestr(f"{unreadable}-v{row[1]}.json", text, ZIP_DEFLATED)
                        continue
                    folder = record.id
                    for kind in ("json", "markdown"):
                        content = EXPORTS[kind].write(record, None)
                        archive.writestr(f"{folder}/{file_name(record, kind)}", content, ZIP_DEFLATED)
                for name, blob in zip(("signal.png", "bands.png", "signal.npz"), blobs or (), strict=False):
                    if blob:
                        archive.writestr(f"{folder}/{name}", blob, ZIP_STORED)  # these are compressed already
        return buffer.getvalue()

    def delete(self, id: str) -> None:
        """Delete all versions of a record; no byte of it stays in a file (freed disk blocks are not overwritten)."""
        with self._database.transaction(write=True) as connection:
            _delete_rows(connection, [(id,)])
        self._database.rewrite()

    def expire(self, days: int, now: datetime) -> int:
        """Delete every record last changed more than ``days`` days before ``now`` and return their number.

        No record is deleted if the clock has jumped ahead since the last call, or at the first call, which cannot know
        whether the clock is right.
        """
        now = now.astimezone(UTC)
        with self._database.transaction(write=True) as connection:
            seen, resumes = _read_clock(connection)
            if seen is None:
                resumes = now + timedelta(seconds=1)
            elif now - seen > timedelta(days=JUMP_DAYS):
                resumes = now + timedelta(days=JUMP_DAYS)
            elif now < seen:  # the clock was corrected
                resumes = now
            connection.execute("DELETE FROM clock")
            connection.execute("INSERT INTO clock VALUES (?, ?)", (timestamp(now), timestamp(resumes)))
            expired = connection.execute(_OLDER, (timestamp(now), days)).fetchall()
            if expired and now < resumes:
                _log.warning("%d kept records are due, but the clock has jumped: kept until %s.", len(expired), resumes)
                expired = []
            _delete_rows(connection, [(id,) for id, _ in expired])
            free = connection.execute("PRAGMA freelist_count").fetchone()[0]
        if expired or free:  # free pages: an earlier deletion may have been interrupted
            self._database.rewrite()
        return len(expired)

    def find_due(self, days: int, now: datetime) -> dict[str, datetime]:
        """Return when ``expire`` will delete each record due within ``NOTICE_DAYS`` days, by its id, soonest first."""
        with self._database.transaction() as connection:
            _, resumes = _read_clock(connection)
            soon = connection.execute(_OLDER, (timestamp(now), days - NOTICE_DAYS)).fetchall()
        return {id: max(datetime.fromisoformat(changed) + timedelta(days=days), resumes) for id, changed in soon}


def _read_record(row: Row) -> Record:
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


def _make_entry(row: Row) -> tuple[Entry, str]:
    """Return the entry of a row for a list, and its text for a search."""
    id, version, status, changed, _ = row
    try:
        record = _read_record(row)
    except StoreError as error:
        return Entry(id, version, status, "", changed, error.args[0], ""), _normalise_for_search([str(id)])
    texts = [record.id, record.headline, record.created, *record.notes]
    for field in record.fields:
        texts += field.label, field.value
    for change in record.history:
        texts += change.name, change.role, change.at, change.before, change.after
    label = ", ".join(field.value for field in record.fields if field.key in IDENTITY and field.value)
    return Entry(id, version, status, record.created, changed, record.headline, label), _normalise_for_search(texts)


def _normalise_for_search(texts: Iterable[str]) -> str:
    """Join texts for a search, in which upper and lower case, full and half width are the same."""
    return unicodedata.normalize("NFKC", "\n".join(texts)).casefold()


def _delete_rows(connection: Connection, ids: list[tuple[str]]) -> None:
    """Delete all data of these records."""
    for table in ("versions", "measured"):
        connection.executemany(f"DELETE FROM {table} WHERE id = ?", ids)


def _is_successor(record: Record, kept: Record) -> bool:
    """Return whether ``record`` is the kept record or follows from it by a review."""
    if record == kept:
        return True
    done = len(kept.history)
    expected = (kept.version + 1, kept.signature.sha256) if kept.signature else (kept.version, kept.amends)
    changes = record.history[done:]
    if (record.version, record.amends) != expected or not changes or record.history[:done] != kept.history:
        return False
    texts = {field.key: field.value for field in kept.fields}
    texts |= {change.key: change.after for change in changes if change.key}
    return texts == {field.key: field.value for field in record.fields}


def _read_clock(connection: Connection) -> tuple[datetime | None, datetime]:
    """Return the time of the last run, None if there was none, and when deleting resumes."""
    row = connection.execute("SELECT seen, resumes FROM clock").fetchone()
    never = datetime.min.replace(tzinfo=UTC)
    try:
        return (datetime.fromisoformat(row[0]), datetime.fromisoformat(row[1])) if row else (None, never)
    except ValueError:  # the file was changed by hand
        return None, never
