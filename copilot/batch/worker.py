"""Make the record of one recording in a process of this or another machine (see ``Worker``)."""

import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from copilot.errors import CopilotError
from copilot.i18n import N_, Message
from copilot.person import PatientIdentity, Person
from copilot.record.model import Record
from copilot.settings import Settings

BATCH_DIED = N_(
    "The process that read it ended ({how}), as happens where memory runs out: run again with fewer workers."
)


#: Bytes: 30 minutes of 32 electrodes at 500 Hz take 1.4 GB in the process that cleans them and 0.4 GB in the worker.
WHILE_CLEANING = 2 * 2**30


class BatchError(CopilotError, ValueError):
    """A batch cannot start or continue; the message is one plain sentence."""


@dataclass(frozen=True)
class Task:
    """One recording to read, with the number that identifies it in all results."""

    number: int
    files: tuple[Path, ...]
    person: Person = field(default_factory=Person)
    patient: PatientIdentity = field(default_factory=PatientIdentity)
    baselines: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """The outcome of one recording.

    Attributes:
        number: number of the task.
        record: its draft; None if it failed.
        reason: why it failed, one plain sentence without names of files; empty if it did not fail.
        seconds: the time that it took.
        worker: which process or machine read it.
    """

    number: int
    record: Record | None
    reason: str = ""
    seconds: float = 0.0
    worker: str = ""


def estimate_memory(settings: Settings) -> int:
    """Return the bytes that one worker needs: its model, and a long recording while it is cleaned."""
    return WHILE_CLEANING + (0 if settings.server else settings.model.stat().st_size)


class Worker:
    """An open model that reads one recording after the other."""

    def __init__(self, settings: Settings, worker: str) -> None:
        """Open the model and the classifier.

        Args:
            settings: as for one recording; ``settings.language`` is the language of the records.
            worker: name of this worker in the outcomes.

        Raises:
            EngineError, ClassifierError: the model or the classifier cannot be opened.
        """
        from copilot.eeg.classifier import Classifier
        from copilot.llm import open_engine

        self._settings, self._worker = settings, worker
        self._classifier = Classifier.load(settings.decoder)
        self._engine = open_engine(settings)

    def read(self, task: Task) -> Outcome:
        """Read one recording and return its outcome; any error becomes its reason."""
        begun = time.perf_counter()
        record, reason = None, ""
        try:
            record = self._make_record(task)
        except Exception as error:
            reason = describe_error(error)
        return Outcome(task.number, record, reason, time.perf_counter() - begun, self._worker)

    def _make_record(self, task: Task) -> Record:
        """Analyse a recording and return its draft record."""
        from copilot.events import RecordReady
        from copilot.pipeline import analyse

        *_, last = analyse(
            task.files,
            task.person,
            engine=self._engine,
            settings=self._settings,
            classifier=self._classifier,
            baselines=task.baselines,
            patient=task.patient,
            language=self._settings.language or "en",
        )
        assert isinstance(last, RecordReady)
        return last.record


def make_crash_outcome(task: Task, worker: str, how: str) -> Outcome:
    """Return the outcome of a recording whose worker died.

    Args:
        task: the recording.
        worker: name of the worker, empty if it is not known.
        how: signal, exit status or error with which the worker ended.
    """
    return Outcome(task.number, None, N_(BATCH_DIED, how=how), worker=worker)


def describe_error(error: Exception) -> str:
    """Return the message of an error of this program, or the kind and place of any other error.

    The message of another error may quote the file, so it is left out.
    """
    if isinstance(error, CopilotError):
        return error.args[0] if error.args and isinstance(error.args[0], Message) else str(error)
    places: Sequence[traceback.FrameSummary] = traceback.extract_tb(error.__traceback__)
    place = f"{Path(places[-1].filename).name}:{places[-1].lineno}" if places else ""
    return N_(
        "The program failed on it, please report this: {kind} at {place}.", kind=type(error).__name__, place=place
    )
