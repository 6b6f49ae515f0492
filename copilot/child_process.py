"""Run a function in a child process, so that a crash, a hang or a lack of memory ends the child and not this process.

Recordings and model files are untrusted, and what reads them can crash, hang or allocate the memory that a file asks
for. ``run`` and ``run_limited`` make one call; a ``Child`` exchanges messages with this process while it works. A child
ends with this process, whatever ends it, and can be killed at any time.

``multiprocessing``, and ``concurrent.futures`` and pebble, which are built on it, run the caller's main script again in
every child, limit no memory, pass on no progress, and (``concurrent.futures``) give up all processes if one dies.
"""

import contextlib
import importlib
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ParamSpec, Self, TypeVar

from copilot.errors import CopilotError

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

GB = 2**30
EXIT_TIMEOUT_S = 5.0
"""Seconds that a child has to exit by itself after SIGTERM."""


class ChildError(CopilotError):
    """A child process died, took too long or needed too much memory; the message is one plain sentence."""


@dataclass(frozen=True)
class Limits:
    """Limits of a call; the default ones are wide enough for real models.

    Attributes:
        memory_gb: of the child's address space, in GiB, where the system has such limits.
        timeout_s: of the wall-clock time, in seconds.
        quiet: whether the child's standard error is dropped; else it is that of this process, so that progress bars
            and what the child prints when it dies are seen.
    """

    memory_gb: float = 16
    timeout_s: float = 4 * 3600.0
    quiet: bool = False


class Child:
    """A process that calls ``function(pipe, *args)``; this process has the other end of the pipe.

    As a context manager it is killed at the end of the block, however the block ends.

    Attributes:
        pipe: for messages to the child and from it; reading fails with EOFError or OSError when the child has ended.
        process: the process.
    """

    def __init__(
        self,
        function: Callable[..., None],
        *args: object,
        memory_gb: float = 0,
        quiet: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start the process.

        Args:
            function: a function at the top level of an importable module.
            args: its arguments after the pipe; they must be picklable.
            memory_gb: as in ``Limits``; 0: no limit.
            quiet: as in ``Limits``.
            environment: environment variables in addition to those of this process.
        """
        self.pipe, theirs = Pipe()
        paths = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, sys.path)])
        # Without GGML_NO_BACKTRACE an abort of llama.cpp starts a debugger.
        variables = {**os.environ, "PYTHONPATH": paths, "GGML_NO_BACKTRACE": "1", **(environment or {})}
        with theirs:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "copilot.child_process", str(theirs.fileno()), str(memory_gb)),
                    *(function.__module__, function.__qualname__),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.PIPE,  # never written to: it closes when this process ends (see _end_with_parent)
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL if quiet else None,
                env=variables,
                start_new_session=True,  # Ctrl-C reaches this process alone, which then ends the child
            )
        try:
            self.pipe.send(args)
        except OSError:  # it died already: the next read from the pipe shows that
            pass
        except BaseException:
            self.stop()
            raise

    def describe_exit(self) -> str:
        """Wait until the process has ended and return how: the name of a signal or an exit status."""
        code = self.process.wait()
        return signal.Signals(-code).name if code < 0 else str(code)

    def stop(self, exit_timeout_s: float = 0) -> None:
        """End the process and close the pipe.

        Args:
            exit_timeout_s: seconds to exit by itself after SIGTERM; 0: it is killed at once.
        """
        if exit_timeout_s:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(exit_timeout_s)
        self.process.kill()
        self.process.wait()
        self.pipe.close()
        if self.process.stdin:
            self.process.stdin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def run(function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
    """Call a function in a child process within the default limits; see ``run_limited``."""
    return run_limited(Limits(), function, *args, **kwargs)


def run_limited(
    limits: Limits, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """Call a function in a child process and return its result.

    Args:
        limits: of memory and time.
        function: a function at the top level of an importable module.
        args: its positional arguments; they must be picklable.
        kwargs: its keyword arguments; they must be picklable.

    Raises:
        ChildError: the child crashed, took too long or needed too much memory.
        CopilotError: the function raised one.
        RuntimeError: the function raised another exception; the message contains its type and text.
    """
    task = f"{function.__module__.rpartition('.')[2]} ({function.__name__})"
    call = function.__module__, function.__qualname__, args, kwargs
    with Child(_call, *call, memory_gb=limits.memory_gb, quiet=limits.quiet) as child:
        timed_out = threading.Event()

        def kill() -> None:  # which closes the pipe: a read has no limit of time where a message comes in part
            timed_out.set()
            child.process.kill()

        timer = threading.Timer(limits.timeout_s, kill)
        timer.daemon = True
        timer.start()
        try:
            value, error = child.pipe.recv()
        except (EOFError, OSError) as broken:
            if timed_out.is_set():
                raise ChildError(f"Stopped {task} after {limits.timeout_s:.0f} seconds.") from broken
            how = child.describe_exit()
            ended = f"ended with status {how}" if how.isdecimal() else f"died of {how}"
            raise ChildError(f"The process for {task} {ended}.") from broken
        finally:
            timer.cancel()
    if isinstance(error, CopilotError):
        raise error
    if error:
        raise RuntimeError(f"{task}: {error}")
    result: Result = value
    return result


def is_running(process: int) -> bool:
    """Return whether a process with this id exists."""
    try:
        os.kill(process, 0)  # signal 0 only checks
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True


def limit_resources(memory: int, most: int = 0) -> None:
    """Forbid core dumps, which would leave a recording on the disk, and limit the memory of this process.

    Systems without such limits are left as they are.

    Args:
        memory: limit on the address space, in bytes; 0: none.
        most: up to how many bytes this process may raise the limit; 0: it may not.
    """
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (memory, most or memory))


def _call(pipe: Connection, module: str, function: str, args: Any, kwargs: Any) -> None:
    """Make one call in the child, and send its result and its error, one of which is None."""
    try:
        pipe.send((getattr(importlib.import_module(module), function)(*args, **kwargs), None))
    except CopilotError as error:
        pipe.send((None, error))
    except MemoryError:
        pipe.send((None, ChildError("There is not enough memory for this model.")))
    except Exception as error:  # as text, because not every exception can be pickled
        pipe.send((None, f"{type(error).__name__}: {error}"))


def _main(descriptor: str, memory_gb: str, module: str, function: str) -> None:
    """Call a function in the child; the arguments are those of the process."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    limit_resources(int(float(memory_gb) * GB))
    pipe = Connection(int(descriptor))
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the parent is gone
        getattr(importlib.import_module(module), function)(pipe, *pipe.recv())


def _end_with_parent() -> None:
    """End this process when the parent ends, which closes the pipe that is the standard input here.

    SIGTERM lets a function that handles it remove its files first.
    """
    os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(EXIT_TIMEOUT_S)
    os._exit(1)


if __name__ == "__main__":
    _main(*sys.argv[1:])
