"""Keep records with all their versions in one SQLite file of the user, if the user wants that."""

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
        read_record(row)  # refuses a record that could not be read again
        pngs = (figures.signal, figures.bands) if figures else (None, None)
        with self._database.transaction(write=True) as connection:
            before = connection.execute(_VERSIONS, (record.id, None)).fetchone()
            newest = read_record(before) if before else None
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
        wanted = normalise_for_search([words]).split()
        return [entry for entry, text in map(make_entry, rows) if all(word in text for word in wanted)]

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
        return read_record(row), Figures(*pngs) if pngs and all(pngs) else None

    def versions(self, id: str) -> list[Entry]:
        """Return all kept versions of a record, the newest first."""
        with self._database.transaction() as connection:
            rows = connection.execute(_VERSIONS, (id, None)).fetchall()
        return [make_entry(row)[0] for row in rows]

    def export_all(self) -> bytes:
        """Return a zip file with a folder per record: every version as JSON and Markdown; figures and signal if kept.

        Versions that cannot be read are included unchanged, in the folder ``unreadable``.
        """
        with self._database.transaction() as connection:
            ids = connection.execute("SELECT DISTINCT id FROM versions").fetchall()
        buffer = BytesIO()
        with ZipFile(buffer, "w") as archive:
            for number, (id,) in enumerate(ids, 1):  # a transaction per record, so that saving never waits long
                with self._database.transaction() as connection:
                    rows = connection.execute(_VERSIONS, (id, None)).fetchall()
                    blobs = connection.execute("SELECT signal, bands, eeg FROM measured WHERE id = ?", (id,)).fetchone()
                for name, content in make_files(rows, blobs or (), f"unreadable/{number}"):
                    packed = name.endswith((".png", ".npz"))
                    archive.writestr(name, content, ZIP_STORED if packed else ZIP_DEFLATED)
        return buffer.getvalue()

    def delete(self, id: str) -> None:
        """Delete all versions of a record; no byte of it stays in a file (freed disk blocks are not overwritten)."""
        with self._database.transaction(write=True) as connection:
            _delete_rows(connection, [(id,)])
        self._database.rewrite()

    def expire(self, days: int, now: datetime) -> int:
        """Delete every record last changed more than ``days`` days before ``now`` and return their number.

        No record is deleted if the clock has jumped ahead since the last call, or at the first call (see ``expiry``).
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
        if expired or free:  # free pages: an earlier deletion may have been interrupted
            self._database.rewrite()
        return len(expired)

    def find_due(self, days: int, now: datetime) -> dict[str, datetime]:
        """Return when ``expire`` will delete each record due within ``expiry.NOTICE_DAYS`` days, by its id."""
        with self._database.transaction() as connection:
            return expiry.find_due(connection, days, now)


def _delete_rows(connection: Connection, ids: list[tuple[str]]) -> None:
    """Delete all data of these records."""
    for table in ("versions", "measured"):
        connection.executemany(f"DELETE FROM {table} WHERE id = ?", ids)


def _is_successor(record: Record, kept: Record) -> bool:
    """Return whether ``record`` is the kept record or follows from it by a review."""
    done = len(kept.history)
    if kept.signature:
        next_one = (record.version, record.amends) == (kept.version + 1, kept.signature.sha256)
    else:
        next_one = (record.version, record.amends) == (kept.version, kept.amends)
    continues = len(record.history) > done and record.history[:done] == kept.history
    return record == kept or (
        next_one and continues and _apply_changes(kept, record.history[done:]) == _map_values(record)
    )


def _map_values(record: Record) -> dict[str, str]:
    """Return the text of each field by its key."""
    return {field.key: field.value for field in record.fields}


def _apply_changes(kept: Record, changes: Iterable[Change]) -> dict[str, str]:
    """Return the text of each field of the kept record after these changes, by its key."""
    return _map_values(kept) | {change.key: change.after for change in changes if change.key}
