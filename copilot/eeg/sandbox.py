"""Read and clean a recording in a process of its own that can be stopped at once (see ``prepare``).

Uploads are untrusted and their readers are large: here they get a limit of time and of memory, a temporary folder that
is removed whatever happens, and can be ended at any time. What the process does is in ``sandbox_worker``.
``multiprocessing`` would start it too, but runs the caller's main script again in every child.
"""

import atexit
import logging
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from copilot.eeg.preprocessing.quality import Quality
from copilot.eeg.types import Recording, RecordingError
from copilot.i18n import N_

READER_DIED = N_(
    "The recording could not be read within the memory allowed, or it crashed its reader; cut out the part that "
    "matters or export it again."
)


HEARTBEAT_S = 0.1
"""The longest time between two events, so that the caller can stop soon."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SandboxProgress:
    """``fraction`` (0 to 1) of a stage, ``read`` or ``clean``, is done; ``detail`` is the current step in words."""

    stage: str
    fraction: float
    detail: str


@dataclass(frozen=True)
class Prepared:
    """A recording as read (at most 250 Hz) and as cleaned, its quality, and the seconds that each took."""

    raw: Recording
    cleaned: Recording
    quality: Quality
    read_s: float
    clean_s: float


@dataclass(frozen=True)
class Fault:
    """The type of an unexpected error and where it was raised; not its message, which may quote the file."""

    kind: str
    place: str


@dataclass(frozen=True)
class SandboxJob:
    """The job of a worker: files, ``reader.read``'s options, its temporary folder and its limit of memory."""

    paths: tuple[Path, ...]
    options: dict[str, object]
    folder: str
    memory_mb: int


@dataclass(frozen=True)
class _Worker:
    """A process that imports what it needs, then waits for one job."""

    process: "subprocess.Popen[bytes]"
    pipe: Connection

    @classmethod
    def start(cls) -> "_Worker":
        ours, theirs = multiprocessing.Pipe()
        command = [sys.executable, "-m", "copilot.eeg.sandbox_worker", str(theirs.fileno())]
        environment = {"OMP_NUM_THREADS": "1", **os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(
            command, env=environment, stdin=quiet, stdout=quiet, stderr=quiet, pass_fds=[theirs.fileno()]
        )
        theirs.close()
        return cls(process, ours)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.pipe.close()


_spares: list[_Worker] = []


def warm_up() -> None:
    """Start a worker that imports its modules before it is needed, which takes a second. Returns at once."""
    if not _spares:
        atexit.unregister(cool_down)  # an earlier registration: one is enough
        atexit.register(cool_down)
        _spares.append(_Worker.start())


def cool_down() -> None:
    """End the waiting worker, if there is one."""
    while _spares:
        _spares.pop().stop()


def prepare(
    paths: Sequence[Path],
    *,
    sfreq: float | None = None,
    channels: Sequence[str] | None = None,
    trial: int | None = None,
    max_mb: int = 200,
    max_minutes: int = 30,
    timeout_s: float = 180,
    memory_mb: int = 4096,
) -> Iterator[SandboxProgress | Prepared]:
    """Read and clean one recording; the last event is ``Prepared``. Closing the generator ends the work at once.

    Args:
        paths: as ``reader.read`` takes them; so are the options up to ``max_minutes``.
        sfreq: samples per second, Hz.
        channels: names in order.
        trial: which trial of an array, counted from 1.
        max_mb: the largest recording accepted.
        max_minutes: the longest stretch that is read.
        timeout_s: wall-clock limit for both stages.
        memory_mb: limit on the worker's address space, where the system has such limits.

    Raises:
        RecordingError: the recording cannot be used, or not within the limits.
    """
    options: dict[str, object] = {"sfreq": sfreq, "channels": channels, "trial": trial}
    options |= {"max_mb": max_mb, "max_minutes": max_minutes}
    deadline = time.monotonic() + timeout_s
    with tempfile.TemporaryDirectory(prefix="eeg-copilot-", ignore_cleanup_errors=True) as folder:
        worker = _take_worker()
        try:
            worker.pipe.send(SandboxJob(tuple(Path(path).absolute() for path in paths), options, folder, memory_mb))
            yield from _receive_events(worker.pipe, deadline)
        finally:
            worker.stop()


def _take_worker() -> _Worker:
    """Return the waiting worker, or a new one; two callers at once do not get the same."""
    try:
        worker = _spares.pop()
    except IndexError:
        return _Worker.start()
    if worker.process.poll() is None:
        return worker
    worker.stop()  # it died while it waited
    return _Worker.start()


def _receive_events(pipe: Connection, deadline: float) -> Iterator[SandboxProgress | Prepared]:
    """Pass on the worker's events, repeating the last progress while nothing new comes."""
    last = SandboxProgress("read", 0.0, N_("opening the file"))
    while time.monotonic() < deadline:
        yield last
        try:
            event = pipe.recv() if pipe.poll(HEARTBEAT_S) else last
        except (EOFError, OSError) as error:
            raise RecordingError(READER_DIED) from error
        if isinstance(event, RecordingError):
            raise event
        if isinstance(event, Fault):
            _log.warning("Cleaning failed: %s at %s.", event.kind, event.place)
            raise RecordingError(
                N_("The signal could not be cleaned; cut out the part that matters or export it again, best as EDF.")
            )
        if isinstance(event, Prepared):
            yield event
            return
        last = event
    raise RecordingError(N_("Reading and cleaning the recording takes too long; cut out the part that matters."))
