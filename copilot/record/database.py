"""Access the store's SQLite file: create its tables, run transactions, and explain errors in plain sentences.

A transaction is on the disk before it returns (rollback journal, https://sqlite.org/atomiccommit.html), so a process
that is killed at any moment leaves the state before or after it. Each operation opens a connection of its own: threads
and processes may share a file.
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

#: Seconds to wait while another process or thread is saving.
LOCK_TIMEOUT_S = 5.0

_TABLES = (
    # Data of all versions of a record; "eeg" only if the user wants to keep the signal.
    "CREATE TABLE measured (id TEXT PRIMARY KEY, signal BLOB, bands BLOB, eeg BLOB) STRICT",
    """CREATE TABLE versions (
        id TEXT NOT NULL, version INTEGER NOT NULL, status TEXT NOT NULL, changed TEXT NOT NULL, record TEXT NOT NULL,
        PRIMARY KEY (id, version)
    ) STRICT""",
    # No program that opens this file can overwrite a signed version, by UPDATE or by INSERT OR REPLACE.
    """CREATE TRIGGER signed_is_not_updated BEFORE UPDATE ON versions WHEN OLD.status = 'signed'
        BEGIN SELECT RAISE(ABORT, 'a signed version is locked'); END""",
    """CREATE TRIGGER signed_is_not_replaced BEFORE INSERT ON versions WHEN EXISTS
        (SELECT 1 FROM versions WHERE id = NEW.id AND version = NEW.version AND status = 'signed')
        BEGIN SELECT RAISE(ABORT, 'a signed version is locked'); END""",
    f"PRAGMA user_version = {SCHEMA}",
)
#: Time of the last run, and when deleting resumes (see ``store``); it is added to files of earlier versions too.
_CLOCK = "CREATE TABLE IF NOT EXISTS clock (seen TEXT NOT NULL, resumes TEXT NOT NULL) STRICT"
_MESSAGES = {
    sqlite3.SQLITE_FULL: STORE_FULL,
    sqlite3.SQLITE_IOERR: STORE_FULL,
    sqlite3.SQLITE_READONLY: STORE_NOT_WRITABLE,
    sqlite3.SQLITE_CANTOPEN: STORE_NOT_WRITABLE,
    sqlite3.SQLITE_PERM: STORE_NOT_WRITABLE,
    sqlite3.SQLITE_BUSY: N_("Somebody else is writing to the kept records; try again in a moment."),
}
_SETTINGS = (
    "journal_mode = DELETE",  # a write-ahead log would keep deleted data
    "synchronous = EXTRA",  # also syncs the folder, so that no power cut restores a finished journal
    "secure_delete = ON",
    "temp_store = MEMORY",  # no data of a record in the system's temporary folder
)
_creating = threading.Lock()


class StoreError(CopilotError, ValueError):
    """Records cannot be kept or read; the message is one plain sentence that states what to do."""


class RecordGone(StoreError):
    """A record that was kept is not kept any more."""


class Database:
    """An SQLite file with the store's tables, readable by its user only; it and its folder are created if missing.

    Raises:
        StoreError: the file cannot be created, is no such file, or was written by another version of this program.
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
                if _read_schema(connection) == 0:  # else another process was first
                    for statement in _TABLES:
                        connection.execute(statement)
                connection.execute("COMMIT")
        with self.transaction() as connection:  # reports an unusable file now, not at the first save
            has_clock = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'clock'").fetchone()
        if not has_clock:
            with self.transaction(write=True) as connection:
                connection.execute(_CLOCK)

    @contextmanager
    def transaction(self, write: bool = False) -> Iterator[sqlite3.Connection]:
        """Run one transaction: an error undoes all of it, and readers see one state of the file.

        Raises:
            StoreError: the file cannot be read or written, or is locked for longer than ``LOCK_TIMEOUT_S``.
        """
        with self._connect() as connection:
            connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            found = _read_schema(connection)  # each time: a newer program may change the file while this one runs
            if found != SCHEMA:
                raise StoreError(N_(STORE_OTHER_VERSION, file=self._file, found=found, known=SCHEMA))
            yield connection
            connection.execute("COMMIT")

    def rewrite(self) -> None:
        """Write the whole file anew, without deleted data.

        ``secure_delete`` alone is not enough: SQLite leaves copies behind when it moves rows from page to page.

        Raises:
            StoreError: as in ``transaction``.
        """
        try:
            with self._connect() as connection:
                connection.execute("VACUUM")
        except StoreError as error:
            raise StoreError(N_(STORE_TRACES, why=error.args[0])) from error

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        """Open a connection for one operation.

        Raises:
            StoreError: the operation failed.
        """
        uri = f"{self._file.as_uri()}?mode=rw"  # "rw" creates no file: SQLite would make it readable by others
        try:
            with closing(sqlite3.connect(uri, uri=True, timeout=LOCK_TIMEOUT_S, isolation_level=None)) as connection:
                # Damaged bytes become lone surrogates, which no record accepts.
                connection.text_factory = lambda raw: raw.decode(errors="surrogateescape")
                for setting in _SETTINGS:
                    connection.execute(f"PRAGMA {setting}")
                yield connection
        except UnicodeDecodeError as error:  # SQLite's message quotes the damaged text
            raise StoreError(N_(STORE_DAMAGED, file=self._file)) from error
        except sqlite3.Error as error:
            fault = _MESSAGES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, STORE_DAMAGED)
            raise StoreError(N_(fault, file=self._file)) from error


def _create(file: Path) -> None:
    """Create an empty file that only its user can read, or restrict an old file to its user.

    Never open an existing file here: closing it would end this process's locks on it, and with them another thread's
    transaction (https://sqlite.org/howtocorrupt.html, 2.2).

    Raises:
        StoreError: a link, a folder or another thing has this name; it may belong to another program.
    """
    with _creating, suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    if not stat.S_ISREG(file.lstat().st_mode):
        raise StoreError(N_(STORE_NOT_A_FILE, file=file))
    file.chmod(0o600)


def _read_schema(connection: sqlite3.Connection) -> int:
    """Return the number of the file's tables; see ``SCHEMA``."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
