"""The folder that a batch writes (see ``opened``).

``records/0001.json`` and ``.md`` are the drafts. ``sources.csv`` tells which number is which file; nothing else holds
names of files. ``finished.jsonl`` tells what each record was made from, so that a batch goes on where it was.
"""

import csv
import fcntl
import io
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from copilot.batch.worker import BatchError, Outcome
from copilot.i18n import N_
from copilot.record.export.json_format import from_json, to_json
from copilot.record.export.markdown import to_markdown
from copilot.record.model import RecordError

BATCH_NOT_WRITTEN = N_("{file} could not be written: {why}. What is finished stays; the same command again goes on.")
BATCH_BAD_SOURCES = N_(
    "sources.csv is not as it was written, and tells which number is which file: put it back, or name a new folder."
)


#: What a spreadsheet may take for the beginning of a formula, also in full width; and the sign that says it is text.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20", "'")
_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?")
SOURCES, JOURNAL = "sources.csv", "finished.jsonl"


@contextmanager
def open_results(folder: Path) -> Iterator["Results"]:
    """Give the folder, made if need be, to this program alone.

    Raises:
        BatchError: it cannot be made, another program writes to it, or it holds something else.
    """
    with _lock_folder(folder):
        results = Results(folder)
        shutil.rmtree(results.scratch, ignore_errors=True)  # of somebody who was killed
        results.scratch.mkdir(mode=0o700)
        try:
            yield results
        finally:
            shutil.rmtree(results.scratch, ignore_errors=True)


def _lock_folder(folder: Path) -> io.TextIOWrapper:
    """The open file whose lock keeps others out; the system takes the lock away from whoever dies."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (folder / SOURCES).is_file() and any(not path.name.startswith(".") for path in folder.iterdir()):
            raise BatchError(
                N_(
                    "{folder} holds other things already; name a new folder, or that of an earlier batch.",
                    folder=str(folder),
                )
            )
        with suppress(PermissionError):  # of somebody else, or a disk without rights
            folder.chmod(0o700)  # records hold names: the folder of an earlier version, or one that was there empty
        lock = os.fdopen(_open_private(str(folder / ".lock"), os.O_CREAT | os.O_WRONLY), "w")
    except OSError as error:
        raise BatchError(
            N_("{folder} cannot be made or written to: {why}.", folder=str(folder), why=_describe_os_error(error))
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise BatchError(
            N_("Another batch writes to {folder}; wait for its end or name another folder.", folder=str(folder))
        ) from None
    return lock


class Results:
    """The folder's contents; every file in it is whole or not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._entries = self._read_journal()

    @property
    def scratch(self) -> Path:
        """For temporary files."""
        return self._folder / ".scratch"

    def assign_numbers(self, names: Sequence[str]) -> dict[str, int]:
        """The number that stands for each recording: the same in every run, and never another recording's.

        Raises:
            BatchError: the table of them is not what an earlier run wrote, or the disk refuses.
        """
        path, known = self._folder / SOURCES, {}
        if path.is_file():
            try:
                with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
                    known = {_unescape_cell(row["file"]): int(row["number"]) for row in csv.DictReader(file)}
            except (KeyError, TypeError, ValueError, csv.Error):
                raise BatchError(N_(BATCH_BAD_SOURCES)) from None
        new = (name for name in names if name not in known)
        known |= {name: number for number, name in enumerate(new, start=max(known.values(), default=0) + 1)}
        rows = ({"number": f"{number:04}", "file": name} for name, number in known.items())
        self.write_table(SOURCES, ("number", "file"), rows)
        return {name: known[name] for name in names}

    def find_finished(self, number: int, key: str) -> Outcome | None:
        """The outcome of an earlier run, if its record is whole and was made from just this."""
        entry = self._entries.get(number, {})
        place = self._folder / "records" / f"{number:04}.json"
        if entry.get("fingerprint") != key or not place.with_suffix(".md").is_file():
            return None
        try:
            record = from_json(place.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, RecordError):
            return None
        return Outcome(number, record, seconds=float(entry["seconds"]), worker=str(entry["worker"]))

    def write_record(self, outcome: Outcome, key: str) -> None:
        """Write a record, which counts as finished only when all of it is on the disk.

        Raises:
            BatchError: the disk refuses.
        """
        assert outcome.record is not None
        name = f"records/{outcome.number:04}"
        self._append_to_journal({"number": outcome.number})  # what was there is being replaced
        self.write(f"{name}.json", to_json(outcome.record).encode())
        self.write(f"{name}.md", to_markdown(outcome.record).encode())
        made = {"fingerprint": key, "seconds": round(outcome.seconds, 2), "worker": outcome.worker}
        self._append_to_journal({"number": outcome.number, **made})

    def remove_record(self, number: int) -> None:
        """Take away the record of a recording that cannot be read any more: it was made from something else."""
        for suffix in (".json", ".md"):
            (self._folder / "records" / f"{number:04}{suffix}").unlink(missing_ok=True)

    def write_table(self, name: str, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
        """Write a table of comma-separated values (RFC 4180) without formulas; raises as ``write``."""
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, columns)
        writer.writeheader()
        writer.writerows({column: _escape_cell(value) for column, value in row.items()} for row in rows)
        self.write(name, text.getvalue().encode(errors="surrogateescape"))

    def write(self, name: str, content: bytes) -> None:
        """Write a file under another name, then give it its own.

        Raises:
            BatchError: the disk refuses.
        """
        path = self._folder / name
        partial = self.scratch / path.name
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            _write_through(partial, "wb", content)
            partial.replace(path)
        except OSError as error:
            raise BatchError(N_(BATCH_NOT_WRITTEN, file=name, why=_describe_os_error(error))) from error

    def _append_to_journal(self, entry: Mapping[str, Any]) -> None:
        """A line of the journal; the line break before it ends a line that a killed run broke off."""
        try:
            _write_through(self._folder / JOURNAL, "ab", f"\n{json.dumps(entry)}".encode())
        except OSError as error:
            raise BatchError(N_(BATCH_NOT_WRITTEN, file=JOURNAL, why=_describe_os_error(error))) from error

    def _read_journal(self) -> dict[int, dict[str, Any]]:
        """The last entry of every number; lines that are not whole do not count."""
        entries: dict[int, dict[str, Any]] = {}
        path = self._folder / JOURNAL
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else ():
            try:
                entry = json.loads(line)
                entries[int(entry["number"])] = entry
            except (ValueError, KeyError, TypeError):
                continue
        return entries


def _write_through(path: Path, mode: str, content: bytes) -> None:
    with open(path, mode, opener=_open_private) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _escape_cell(value: object) -> object:
    """A cell that no spreadsheet takes for a formula: an apostrophe before what could begin one, and before another.

    Numbers stay as they are. Names of files may begin with anything (OWASP, CSV injection).
    """
    text = str(value)
    return value if _NUMBER.fullmatch(text) or not text.lstrip(" ").startswith(_FORMULA) else f"'{text}"


def _unescape_cell(cell: str) -> str:
    """The text that ``_cell`` made this of."""
    return cell[1:] if cell.startswith("'") and cell[1:].lstrip(" ").startswith(_FORMULA) else cell


def _describe_os_error(error: OSError) -> str:
    return error.strerror or type(error).__name__
