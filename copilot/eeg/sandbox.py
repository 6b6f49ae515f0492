"""Read and clean a recording in a process of its own that can be stopped at once (see ``prepare``).

Uploads are untrusted and their readers are large: here they get a limit of time and of memory, a temporary folder that
is removed whatever happens, and can be ended at any time.
"""

import atexit
import logging
import os
import resource
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from copilot.child_process import Child, limit_resources
from copilot.eeg.preprocessing import clean
from copilot.eeg.preprocessing.quality import Quality
from copilot.eeg.types import Recording, RecordingError
from copilot.i18n import N_, messages

READER_DIED = N_(
    "The recording could not be read within the memory allowed, or it crashed its reader; cut out the part that "
    "matters or export it again."
)
CLEANING_FAILED = N_("The signal could not be cleaned; cut out the part that matters or export it again, best as EDF.")

HEARTBEAT_S = 0.1
"""The longest time between two events, so that the caller can stop soon."""

READING_MB = 2048
"""Address space for reading: files of the largest size need half of it, and one that misleads its reader all of it."""

DRAWN_HZ = 250.0
"""Enough to draw the signal as read; more would only fill the pipe."""

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


_spares: list[Child] = []


def warm_up() -> None:
    """Start a worker that imports its modules before it is needed, which takes a second. Returns at once."""
    if not _spares:
        _spares.append(_start_worker())


@atexit.register
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
    options = {"sfreq": sfreq, "channels": channels, "trial": trial, "max_mb": max_mb, "max_minutes": max_minutes}
    deadline = time.monotonic() + timeout_s
    last = SandboxProgress("read", 0.0, N_("opening the file"))
    with (
        tempfile.TemporaryDirectory(prefix="eeg-copilot-", ignore_cleanup_errors=True) as folder,
        _take_worker() as worker,
    ):
        try:
            worker.pipe.send(([Path(path).absolute() for path in paths], options, folder, memory_mb))
            while time.monotonic() < deadline:
                yield last  # the last progress again, while nothing new comes
                event = worker.pipe.recv() if worker.pipe.poll(HEARTBEAT_S) else last
                if isinstance(event, RecordingError):
                    raise event
                if isinstance(event, Fault):
                    _log.warning("Cleaning failed: %s at %s.", event.kind, event.place)
                    raise RecordingError(CLEANING_FAILED)
                if isinstance(event, Prepared):
                    yield event
                    return
                last = event
        except (EOFError, OSError) as error:
            raise RecordingError(READER_DIED) from error
    raise RecordingError(N_("Reading and cleaning the recording takes too long; cut out the part that matters."))


def _start_worker() -> Child:
    return Child(_work, quiet=True, environment={"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")})


def _take_worker() -> Child:
    """Return the waiting worker, or a new one; two callers at once do not get the same."""
    try:
        worker = _spares.pop()
    except IndexError:
        return _start_worker()
    if worker.process.poll() is None:
        return worker
    worker.stop()  # it died while it waited
    return _start_worker()


def _work(pipe: Connection) -> None:
    """Do one job in the child: read and clean a recording; send events, then a result or an error."""
    import scipy.signal  # noqa: F401  while it waits for the job

    from copilot.eeg import reader  # noqa: F401

    paths, options, folder, memory_mb = pipe.recv()
    limit_resources(min(READING_MB, memory_mb) * 2**20, most=memory_mb * 2**20)  # reading gets less
    tempfile.tempdir = folder
    pipe.send(_read_and_clean(pipe, paths, options))


def _read_and_clean(
    pipe: Connection, paths: Sequence[Path], options: dict[str, object]
) -> Prepared | RecordingError | Fault:
    from scipy.signal import resample_poly

    from copilot.eeg import reader

    try:
        begun = time.monotonic()
        raw = reader.read(paths, **options)  # type: ignore[arg-type]
        # The signal is a plain array now: cleaning may use the whole limit.
        limit_resources(resource.getrlimit(resource.RLIMIT_AS)[1])
        read = time.monotonic()
        pipe.send(SandboxProgress("read", 1.0, N_("read")))
        cleaned, quality = clean.clean(raw, lambda share, words: pipe.send(SandboxProgress("clean", share, words)))
        if raw.sfreq > DRAWN_HZ:
            ratio = Fraction(DRAWN_HZ / raw.sfreq).limit_denominator(1000)
            data = resample_poly(raw.data, ratio.numerator, ratio.denominator, axis=1, padtype="line")
            sfreq = raw.sfreq * ratio.numerator / ratio.denominator
            raw = replace(raw, data=data.astype(np.float32), sfreq=sfreq)
        return Prepared(raw, cleaned, quality, read - begun, time.monotonic() - read)
    except RecordingError as error:
        return RecordingError(*error.args)  # without its cause, which may contain anything
    except MemoryError:
        return RecordingError(messages.TOO_MUCH_MEMORY)
    except Exception as error:  # the reader turns every error into a sentence: this is cleaning
        last = traceback.extract_tb(error.__traceback__)[-1]
        return Fault(type(error).__name__, f"{last.filename}:{last.lineno}")
