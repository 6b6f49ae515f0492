"""Write the folder of a batch (see ``open_results``).

``records/0001.json`` and ``.md`` are the drafts. ``sources.csv`` maps numbers to files; no other file contains names of
files. ``finished.jsonl`` contains the cache key of each record, which identifies what it is made from, so that a batch
that is run again resumes: if that changed, the recording is read again.
"""

import csv
import fcntl
import hashlib
import io
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from copilot import __version__
from copilot.batch.worker import BatchError, Outcome, Task
from copilot.eeg.recording_files import find_recording_files
from copilot.files import FileError, hash_file, write_atomically
from copilot.i18n import N_
from copilot.record.export.json_format import from_json, to_json
from copilot.record.export.markdown import to_markdown
from copilot.record.model import RecordError
from copilot.settings import Settings

BATCH_NOT_WRITTEN = N_("{file} could not be written: {why}. What is finished stays; the same command again goes on.")
BATCH_BAD_SOURCES = N_(
    "sources.csv is not as it was written, and tells which number is which file: put it back, or name a new folder."
)


#: Characters that may begin a formula in a spreadsheet, also in full width; the last is the apostrophe that marks text.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20", "'")
_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?")
#: Settings that change the content of a record; the others only change how fast it is made.
DECISIVE = ("server", "server_model", "protocol", "readout", "language", "max_minutes")
SOURCES, JOURNAL = "sources.csv", "finished.jsonl"


def describe_run(settings: Settings) -> dict[str, object]:
    """Return what all records of a run are made with: model, classifier, software and settings.

    Raises:
        EngineError, ClassifierError: the model or the classifier is missing.
    """
    from copilot.eeg.classifier import Classifier
    from copilot.eeg.emotion_classifier import EmotionClassifier
    from copilot.llm.gguf_header import open_model_file

    model = "" if settings.server else open_model_file(settings.model).sha256
    chosen = {name: getattr(settings, name) for name in DECISIVE}
    films = settings.protocol == "faced-films"
    classifier = Classifier.load(settings.decoder) if films else EmotionClassifier.load()
    return {"model": model, "decoder": classifier.sha256, "software": __version__, **chosen}


def compute_cache_key(task: Task, made_with: Mapping[str, object]) -> str:
    """Return the SHA-256 of the contents of a task's files, the data about the person, and ``made_with``.

    Raises:
        OSError: a file cannot be read.
    """
    others = [part for path in task.baselines for part in find_recording_files(path)]
    files, baselines = ([_hash_path(path) for path in paths] for paths in (task.files, others))
    everything = [asdict(task.person), asdict(task.patient), files, baselines, made_with]
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()


@contextmanager
def open_results(folder: Path) -> Iterator["Results"]:
    """Create the folder if it is missing and lock it for this program.

    Raises:
        BatchError: it cannot be created, another program writes to it, or it contains something else.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (folder / SOURCES).is_file() and any(not path.name.startswith(".") for path in folder.iterdir()):
            raise BatchError(
                N_(
                    "{folder} holds other things already; name a new folder, or that of an earlier batch.",
                    folder=str(folder),
                )
            )
        with suppress(PermissionError):  # the folder of another user, or a disk without permissions
            folder.chmod(0o700)  # records contain names: an earlier version's folder or an empty one may be open
        lock = os.fdopen(_open_private(str(folder / ".lock"), os.O_CREAT | os.O_WRONLY), "w")
    except OSError as error:
        raise BatchError(
            N_("{folder} cannot be made or written to: {why}.", folder=str(folder), why=_describe_os_error(error))
        ) from error
    with lock:  # the system releases the lock of a process that dies
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BatchError(
                N_("Another batch writes to {folder}; wait for its end or name another folder.", folder=str(folder))
            ) from None
        results = Results(folder)
        shutil.rmtree(results.scratch, ignore_errors=True)  # of a run that was killed
        results.scratch.mkdir(mode=0o700)
        try:
            yield results
        finally:
            shutil.rmtree(results.scratch, ignore_errors=True)


class Results:
    """The contents of the folder; every file in it is complete or missing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._entries = self._read_journal()

    @property
    def scratch(self) -> Path:
        """Folder for temporary files."""
        return self._folder / ".scratch"

    def assign_numbers(self, names: Sequence[str]) -> dict[str, int]:
        """Return the number of each recording: the same in every run, and never that of another recording.

        Raises:
            BatchError: ``sources.csv`` is not as an earlier run wrote it, or cannot be written.
        """
        path, known = self._folder / SOURCES, {}
        if path.is_file():
            try:
                with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
                    known = {_unescape_cell(row["file"]): int(row["number"]) for row in csv.DictReader(file)}
            except (KeyError, TypeError, ValueError, csv.Error):
                raise BatchError(BATCH_BAD_SOURCES) from None
        new = (name for name in names if name not in known)
        known |= {name: number for number, name in enumerate(new, start=max(known.values(), default=0) + 1)}
        rows = ({"number": f"{number:04}", "file": name} for name, number in known.items())
        self.write_table(SOURCES, ("number", "file"), rows)
        return {name: known[name] for name in names}

    def find_finished(self, number: int, key: str) -> Outcome | None:
        """Return the outcome of an earlier run, None if its record is incomplete or has another cache key."""
        entry = self._entries.get(number, {})
        path = self._folder / "records" / f"{number:04}.json"
        if entry.get("fingerprint") != key or not path.with_suffix(".md").is_file():
            return None
        try:
            record = from_json(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, RecordError):
            return None
        return Outcome(number, record, seconds=float(entry["seconds"]), worker=str(entry["worker"]))

    def write_record(self, outcome: Outcome, key: str) -> None:
        """Write a record, which counts as finished only when all of it is on the disk.

        Raises:
            BatchError: a file cannot be written.
        """
        assert outcome.record is not None
        name = f"records/{outcome.number:04}"
        self._append_to_journal({"number": outcome.number})  # from now on an earlier record does not count as finished
        self.write(f"{name}.json", to_json(outcome.record).encode())
        self.write(f"{name}.md", to_markdown(outcome.record).encode())
        made = {"fingerprint": key, "seconds": round(outcome.seconds, 2), "worker": outcome.worker}
        self._append_to_journal({"number": outcome.number, **made})

    def remove_record(self, number: int) -> None:
        """Remove the record of a recording that cannot be read any more: it was made from another file."""
        for suffix in (".json", ".md"):
            (self._folder / "records" / f"{number:04}{suffix}").unlink(missing_ok=True)

    def write_table(self, name: str, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
        """Write a table of comma-separated values (RFC 4180) without formulas.

        Args:
            name: name of the file in the folder.
            columns: heads of the columns, in order.
            rows: cells by their column; a missing cell is left empty.

        Raises:
            BatchError: the file cannot be written.
        """
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, columns)
        writer.writeheader()
        writer.writerows({column: _escape_cell(value) for column, value in row.items()} for row in rows)
        self.write(name, text.getvalue().encode(errors="surrogateescape"))

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all.

        Raises:
            BatchError: the file cannot be written.
        """
        path = self._folder / name
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            with write_atomically(path, self.scratch / path.name) as partial:
                _write_through(partial, "wb", content)
        except (FileError, OSError) as error:
            raise BatchError(N_(BATCH_NOT_WRITTEN, file=name, why=_describe_os_error(error))) from error

    def _append_to_journal(self, entry: Mapping[str, Any]) -> None:
        """Append a line to the journal; the line break before it ends a line that a killed run left incomplete."""
        try:
            _write_through(self._folder / JOURNAL, "ab", f"\n{json.dumps(entry)}".encode())
        except OSError as error:
            raise BatchError(N_(BATCH_NOT_WRITTEN, file=JOURNAL, why=_describe_os_error(error))) from error

    def _read_journal(self) -> dict[int, dict[str, Any]]:
        """Return the last entry of every number; incomplete lines are ignored."""
        entries: dict[int, dict[str, Any]] = {}
        path = self._folder / JOURNAL
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else ():
            try:
                entry = json.loads(line)
                entries[int(entry["number"])] = entry
            except (ValueError, KeyError, TypeError):
                continue
        return entries


def _hash_path(path: Path) -> str:
    """Return the SHA-256 of a file, or of all files in a folder that is one recording."""
    if path.is_dir():
        parts = [_hash_path(part) for part in sorted(path.rglob("*")) if part.is_file()]
        return hashlib.sha256("".join(parts).encode()).hexdigest()
    return hash_file(path)


def _write_through(path: Path, mode: str, content: bytes) -> None:
    """Write a file that only its user can read, and wait until it is on the disk."""
    with open(path, mode, opener=_open_private) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _open_private(path: str, flags: int) -> int:
    """Open a file that only its user can read, if it is new."""
    return os.open(path, flags, 0o600)


def _escape_cell(value: object) -> object:
    """Return a cell that no spreadsheet takes for a formula.

    An apostrophe is put before a character that may begin a formula, and before another apostrophe. Numbers stay as
    they are. Names of files may begin with any character (OWASP, CSV injection).
    """
    text = str(value)
    return value if _NUMBER.fullmatch(text) or not text.lstrip(" ").startswith(_FORMULA) else f"'{text}"


def _unescape_cell(cell: str) -> str:
    """Return the text from which ``_escape_cell`` made this cell."""
    return cell[1:] if cell.startswith("'") and cell[1:].lstrip(" ").startswith(_FORMULA) else cell


def _describe_os_error(error: OSError | FileError) -> str:
    """Return the system's message, or the kind of error if there is none."""
    reason = error.__cause__ if isinstance(error, FileError) else error
    return getattr(reason, "strerror", None) or type(reason).__name__
