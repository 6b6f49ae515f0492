"""The store: records with all their versions, kept in one SQLite file of the user's, where the user wants that."""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from sqlite3 import Connection
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from copilot.i18n import N_
from copilot.record.export.json_format import to_json
from copilot.record.figures import Figures
from copilot.record.model import Change, Record
from copilot.record.storage import expiry
from copilot.record.storage.database import Database, RecordGone, StoreError
from copilot.record.storage.rows import Entry, Row, make_entry, make_files, normalise_for_search, read_record

STORE_GONE = N_(
    "This record is not kept any more: somebody deleted it, or its time was over. Keep it again if you want it back."
)
STORE_CHANGED = N_(
    "Somebody else changed this record while you had it open, so your changes were not saved. Open it again from the "
    "list and repeat them there."
)


__all__ = ["FILE", "Entry", "RecordGone", "Store", "StoreError"]

FILE = "records.sqlite"

_log = logging.getLogger(__name__)

_VERSIONS = """SELECT id, version, status, changed, record FROM versions
    WHERE id = ? AND version = ifnull(?, version) ORDER BY version DESC"""
_NEWEST = """SELECT id, max(version), status, changed, record FROM versions
    GROUP BY id ORDER BY changed DESC, rowid DESC"""
_SAVE = """INSERT INTO versions (id, version, status, changed, record) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET status = excluded.status, changed = excluded.changed, record = excluded.record"""
_SAVE_MEASURED = """INSERT INTO measured (id, signal, bands, eeg) VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET signal = ifnull(signal, excluded.signal), bands = ifnull(bands, excluded.bands),
    eeg = ifnull(eeg, excluded.eeg)"""


class Store:
    """The records kept in a folder, readable by its user only.

    Every method raises ``StoreError`` where the file cannot be read or written; what was kept stays as it was then.
    """

    def __init__(self, folder: Path) -> None:
        self._database = Database(folder / FILE)

    def save(
        self, record: Record, figures: Figures | None = None, signal: bytes | None = None, *, must_exist: bool = False
    ) -> None:
        """Keep a new record, or what follows from the kept one; saving the same twice changes nothing.

        Args:
            record: its history goes on from the kept record's.
            kept: whether it has to be kept already, so that one that somebody deleted does not come back.
            pictures: kept once for all versions; the first that were given stay.
            signal: an ``.npz`` file of the recording, likewise; to be given only where the user asks for it.

        Raises:
            StoreError: somebody else changed the record meanwhile, or what is kept of it cannot be read.
            RecordGone: it had to be kept already and is not.
        """
        row: Row = (record.id, record.version, record.status, record.changed, to_json(record))
        read_record(row)  # what could not be read again is not kept in the first place
        pngs = (figures.signal, figures.bands) if figures else (None, None)
        with self._database.transaction(write=True) as connection:
            before = connection.execute(_VERSIONS, (record.id, None)).fetchone()
            newest = read_record(before) if before else None
            if must_exist and not newest:
                raise RecordGone(N_(STORE_GONE))
            if newest and not _is_successor(record, newest):
                raise StoreError(N_(STORE_CHANGED))
            connection.execute(_SAVE_MEASURED, (record.id, *pngs, signal))
            if record != newest:
                connection.execute(_SAVE, row)

    def find(self, words: str = "") -> list[Entry]:
        """The newest version of each record whose text has all ``words`` in it, the last changed first."""
        with self._database.transaction() as connection:
            rows = connection.execute(_NEWEST).fetchall()
        wanted = normalise_for_search([words]).split()
        return [entry for entry, text in map(make_entry, rows) if all(word in text for word in wanted)]

    def open(self, id: str, version: int | None = None) -> tuple[Record, Figures | None]:
        """A version of a record, the newest where none is named, and its pictures where kept.

        Raises:
            StoreError: it is not kept, or cannot be read.
        """
        with self._database.transaction() as connection:
            row = connection.execute(_VERSIONS, (id, version)).fetchone()
            pngs = connection.execute("SELECT signal, bands FROM measured WHERE id = ?", (id,)).fetchone()
        if not row:
            raise StoreError(N_("This record is not kept here: it was deleted, or its time was over."))
        return read_record(row), Figures(*pngs) if pngs and all(pngs) else None

    def versions(self, id: str) -> list[Entry]:
        """All kept versions of a record, the newest first."""
        with self._database.transaction() as connection:
            rows = connection.execute(_VERSIONS, (id, None)).fetchall()
        return [make_entry(row)[0] for row in rows]

    def export_all(self) -> bytes:
        """A zip file with a folder a record: every version as JSON and Markdown; pictures and signal where kept.

        What cannot be read is in it as it is, in the folder ``unreadable``.
        """
        with self._database.transaction() as connection:
            ids = connection.execute("SELECT DISTINCT id FROM versions").fetchall()
        buffer = BytesIO()
        with ZipFile(buffer, "w") as archive:
            for number, (id,) in enumerate(ids, 1):  # a transaction each, so that nobody waits long to save
                with self._database.transaction() as connection:
                    rows = connection.execute(_VERSIONS, (id, None)).fetchall()
                    blobs = connection.execute("SELECT signal, bands, eeg FROM measured WHERE id = ?", (id,)).fetchone()
                for name, content in make_files(rows, blobs or (), f"unreadable/{number}"):
                    packed = name.endswith((".png", ".npz"))
                    archive.writestr(name, content, ZIP_STORED if packed else ZIP_DEFLATED)
        return buffer.getvalue()

    def delete(self, id: str) -> None:
        """Delete all versions of a record; no byte of it stays in a file (freed blocks of the disk are not ours)."""
        with self._database.transaction(write=True) as connection:
            _delete_rows(connection, [(id,)])
        self._database.rewrite()

    def expire(self, days: int, now: datetime) -> int:
        """Delete every record that was last changed more than ``days`` days before ``now``; how many there were.

        None where the clock has jumped ahead since the last call, or at the first one (see ``expiry``).
        """
        with self._database.transaction(write=True) as connection:
            resumes = expiry.update_clock(connection, now)
            over = expiry.find_older(connection, days, now)
            waits = now.astimezone(UTC) < resumes
            if over and waits:
                _log.warning("%d kept records are due, but the clock has jumped: kept until %s.", len(over), resumes)
            expired = [] if waits else over
            _delete_rows(connection, [(id,) for id, _ in expired])
            free = connection.execute("PRAGMA freelist_count").fetchone()[0]
        if expired or free:  # free pages: an earlier deletion may have been killed before its end
            self._database.rewrite()
        return len(expired)

    def find_due(self, days: int, now: datetime) -> dict[str, datetime]:
        """When ``expire`` will delete which record, by its id, of those due within ``expiry.NOTICE_DAYS`` days."""
        with self._database.transaction() as connection:
            return expiry.find_due(connection, days, now)


def _delete_rows(connection: Connection, ids: list[tuple[str]]) -> None:
    for table in ("versions", "measured"):
        connection.executemany(f"DELETE FROM {table} WHERE id = ?", ids)


def _is_successor(record: Record, kept: Record) -> bool:
    """Whether ``record`` is what is kept, or what a reviewer made of it."""
    done = len(kept.history)
    if kept.signature:
        next_one = (record.version, record.amends) == (kept.version + 1, kept.signature.sha256)
    else:
        next_one = (record.version, record.amends) == (kept.version, kept.amends)
    goes_on = len(record.history) > done and record.history[:done] == kept.history
    return record == kept or (next_one and goes_on and _replayed(kept, record.history[done:]) == _map_values(record))


def _map_values(record: Record) -> dict[str, str]:
    return {field.key: field.value for field in record.fields}


def _replayed(kept: Record, changes: Iterable[Change]) -> dict[str, str]:
    """The kept record's texts after these changes."""
    return _map_values(kept) | {change.key: change.after for change in changes if change.key}
