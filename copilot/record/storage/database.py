"""The store's SQLite file: its tables, its transactions, and in plain words why one fails.

A transaction is on the disk before it returns (rollback journal, https://sqlite.org/atomiccommit.html), so a process
killed at any moment leaves what was there before or what is there after. A connection lives for one operation:
threads and processes may share a file.
"""

import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from copilot.errors import CopilotError
from copilot.i18n import N_

STORE_FULL = N_("The disk with {file} is full or fails, so nothing was changed. Make room on it and try again.")
STORE_NOT_WRITABLE = N_(
    "Records cannot be kept in {file}: the file or its folder cannot be written. Give yourself the right to write "
    "there, or name another folder in EEG_COPILOT_DATA."
)
STORE_NOT_A_FILE = N_(
    "{file} is a link or no plain file, so no records are kept in it. Put the file itself there, or name another "
    "folder in EEG_COPILOT_DATA."
)
STORE_DAMAGED = N_(
    "{file} is damaged or holds no kept records. Move it to a safe place, then start again: a new one is made, and "
    "what is in the old one may still be rescued."
)
STORE_OTHER_VERSION = N_(
    "Another version of EEG Emotion Copilot wrote {file} (number {found}; this one knows {known}). Nothing in it was "
    "changed; use that version, or name another folder in EEG_COPILOT_DATA."
)
STORE_TRACES = N_(
    "What you deleted is gone from the list, but traces of it may still be in the file; the next start removes them. "
    "{why}"
)


#: SQLite's ``user_version`` of a file with these tables; another number means other tables.
SCHEMA = 1

#: Seconds to wait for somebody else who is just saving.
LOCK_TIMEOUT_S = 5.0

_TABLES = (
    # What belongs to all versions of a record; "eeg" only where the user wants the signal kept.
    "CREATE TABLE measured (id TEXT PRIMARY KEY, signal BLOB, bands BLOB, eeg BLOB) STRICT",
    """CREATE TABLE versions (
        id TEXT NOT NULL, version INTEGER NOT NULL, status TEXT NOT NULL, changed TEXT NOT NULL, record TEXT NOT NULL,
        PRIMARY KEY (id, version)
    ) STRICT""",
    # A signed version is never written over, whoever opens this file: by UPDATE and by INSERT OR REPLACE.
    """CREATE TRIGGER signed_is_not_updated BEFORE UPDATE ON versions WHEN OLD.status = 'signed'
        BEGIN SELECT RAISE(ABORT, 'a signed version is locked'); END""",
    """CREATE TRIGGER signed_is_not_replaced BEFORE INSERT ON versions WHEN EXISTS
        (SELECT 1 FROM versions WHERE id = NEW.id AND version = NEW.version AND status = 'signed')
        BEGIN SELECT RAISE(ABORT, 'a signed version is locked'); END""",
    f"PRAGMA user_version = {SCHEMA}",
)
#: The last time that a run saw, and when deleting resumes (see ``expiry``); files of earlier versions get it too.
_CLOCK = "CREATE TABLE clock (seen TEXT NOT NULL, resumes TEXT NOT NULL) STRICT"
_MESSAGES = {
    sqlite3.SQLITE_FULL: STORE_FULL,
    sqlite3.SQLITE_IOERR: STORE_FULL,
    sqlite3.SQLITE_READONLY: STORE_NOT_WRITABLE,
    sqlite3.SQLITE_CANTOPEN: STORE_NOT_WRITABLE,
    sqlite3.SQLITE_PERM: STORE_NOT_WRITABLE,
    sqlite3.SQLITE_BUSY: N_("Somebody else is writing to the kept records; try again in a moment."),
}
_SETTINGS = (
    "journal_mode = DELETE",  # a write-ahead log would keep what was deleted
    "synchronous = EXTRA",  # also the folder, so that no power cut brings a finished journal back
    "secure_delete = ON",
    "temp_store = MEMORY",  # nothing of a record in the system's temporary folder
)
_creating = threading.Lock()


class StoreError(CopilotError, ValueError):
    """Records cannot be kept or read; the message is one plain sentence that says what to do."""


class RecordGone(StoreError):
    """A record that was kept is kept no more."""


class Database:
    """An SQLite file with the store's tables, made with its folder where missing, readable by its user only.

    Raises:
        StoreError: it cannot be made, or is no such file, or another version of this program wrote it.
    """

    def __init__(self, file: Path) -> None:
        self._file = file.absolute()
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _create(self._file)
        except OSError as error:
            raise StoreError(N_(STORE_NOT_WRITABLE, file=self._file)) from error
        with self._connect() as connection:
            if _read_schema(connection) == 0:
                connection.execute("BEGIN IMMEDIATE")
                for statement in (
                    _TABLES if _read_schema(connection) == 0 else ()
                ):  # another process may have been first
                    connection.execute(statement)
                connection.execute("COMMIT")
        with self.transaction() as connection:  # a file that cannot be used is told of now, not at the first save
            has_clock = _has_clock(connection)
        if not has_clock:
            with self.transaction(write=True) as connection:
                if not _has_clock(connection):  # another process may have been first
                    connection.execute(_CLOCK)

    @contextmanager
    def transaction(self, write: bool = False) -> Iterator[sqlite3.Connection]:
        """All or nothing: an error takes back what was done. Readers see one state of the file.

        Raises:
            StoreError: the file cannot be read or written, or somebody else writes for longer than ``PATIENCE``.
        """
        with self._connect() as connection:
            connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            if (found := _read_schema(connection)) != SCHEMA:  # each time: a newer program may come while this one runs
                raise StoreError(N_(STORE_OTHER_VERSION, file=self._file, found=found, known=SCHEMA))
            yield connection
            connection.execute("COMMIT")

    def rewrite(self) -> None:
        """Write the whole file anew, without what was deleted.

        ``secure_delete`` alone is not enough: SQLite leaves copies behind when it moves rows from page to page.

        Raises:
            StoreError: it could not be done, for one of ``transaction``'s reasons.
        """
        try:
            with self._connect() as connection:
                connection.execute("VACUUM")
        except StoreError as error:
            raise StoreError(N_(STORE_TRACES, why=error.args[0])) from error

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        uri = f"{self._file.as_uri()}?mode=rw"  # "rw" makes no file: SQLite would let others read it
        try:
            with closing(sqlite3.connect(uri, uri=True, timeout=LOCK_TIMEOUT_S, isolation_level=None)) as connection:
                connection.text_factory = _decode_text
                for setting in _SETTINGS:
                    connection.execute(f"PRAGMA {setting}")
                yield connection
        except UnicodeDecodeError as error:  # SQLite quotes the damage in its message
            raise StoreError(N_(STORE_DAMAGED, file=self._file)) from error
        except sqlite3.Error as error:
            fault = _MESSAGES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, STORE_DAMAGED)
            raise StoreError(N_(fault, file=self._file)) from error


def _create(file: Path) -> None:
    """Make an empty file for the user alone, or make an old one so.

    Never opens a file that is there: closing it would end this process's locks on it, and with them another thread's
    transaction (https://sqlite.org/howtocorrupt.html, 2.2).

    Raises:
        StoreError: a link, a folder or another thing is in its place, which may belong to something else.
    """
    with _creating, suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    if not stat.S_ISREG(file.lstat().st_mode):
        raise StoreError(N_(STORE_NOT_A_FILE, file=file))
    file.chmod(0o600)


def _has_clock(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'clock'").fetchone() is not None


def _read_schema(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _decode_text(raw: bytes) -> str:
    """Text as SQLite gives it, where damaged with lone surrogates, which no record accepts."""
    return raw.decode(errors="surrogateescape")
