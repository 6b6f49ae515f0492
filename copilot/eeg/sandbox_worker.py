"""Read and clean one recording in a process under limits: ``python -m copilot.eeg.sandbox_worker FD``.

``FD`` is the file descriptor of a pipe: one ``SandboxJob`` comes in; events, then a result or an error, go out.
"""

import contextlib
import resource
import sys
import tempfile
import time
import traceback
from dataclasses import replace
from fractions import Fraction
from multiprocessing.connection import Connection

import numpy as np
from scipy.signal import resample_poly

from copilot.eeg import reader
from copilot.eeg.preprocessing import clean
from copilot.eeg.sandbox import Fault, Prepared, SandboxJob, SandboxProgress
from copilot.eeg.types import Recording, RecordingError
from copilot.i18n import N_, messages

READING_MB = 2048
"""Address space for reading: files of the largest size need half of it, and one that misleads its reader all of it."""

DRAWN_HZ = 250.0
"""Enough to draw the signal as read; more would only fill the pipe."""


def main() -> None:
    """Wait for a job, do it, and end; end too when the other end of the pipe is closed."""
    pipe = Connection(int(sys.argv[1]))
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        job = pipe.recv()
        _limit_resources(job.memory_mb)
        tempfile.tempdir = job.folder
        pipe.send(_run_job(pipe, job))


def _run_job(pipe: Connection, job: SandboxJob) -> Prepared | RecordingError | Fault:
    try:
        return _read_and_clean(pipe, job)
    except RecordingError as error:
        return RecordingError(*error.args)  # without its cause, which may contain anything
    except MemoryError:
        return RecordingError(messages.TOO_MUCH_MEMORY)
    except Exception as error:  # the reader turns every error into a sentence: this is cleaning
        last = traceback.extract_tb(error.__traceback__)[-1]
        return Fault(type(error).__name__, f"{last.filename}:{last.lineno}")


def _limit_resources(memory_mb: int) -> None:
    """Forbid core dumps, which would leave the recording on disk, and limit memory; reading gets less of it."""
    with contextlib.suppress(ValueError, OSError):  # systems without such limits
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (min(READING_MB, memory_mb) * 2**20, memory_mb * 2**20))


def _read_and_clean(pipe: Connection, job: SandboxJob) -> Prepared:
    begun = time.monotonic()
    raw = reader.read(job.paths, **job.options)  # type: ignore[arg-type]
    with contextlib.suppress(ValueError, OSError):  # the signal is a plain array now: cleaning may use the whole limit
        most = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    read = time.monotonic()
    pipe.send(SandboxProgress("read", 1.0, N_("read")))
    cleaned, quality = clean.clean(raw, lambda share, words: pipe.send(SandboxProgress("clean", share, words)))
    return Prepared(_resample_for_drawing(raw), cleaned, quality, read - begun, time.monotonic() - read)


def _resample_for_drawing(raw: Recording) -> Recording:
    if raw.sfreq <= DRAWN_HZ:
        return raw
    ratio = Fraction(DRAWN_HZ / raw.sfreq).limit_denominator(1000)
    data = resample_poly(raw.data, ratio.numerator, ratio.denominator, axis=1, padtype="line")
    return replace(raw, data=data.astype(np.float32), sfreq=raw.sfreq * ratio.numerator / ratio.denominator)


if __name__ == "__main__":
    main()
