"""Run a function in a child process, so that a crash of llama.cpp does not end this process.

llama.cpp aborts on some damaged files, dies of illegal instructions on some processors, and allocates the memory that a
file asks for. The child has limits of memory and time; whatever ends it becomes one error message here. The child runs
``python -m convert.child_process FD`` and shares the standard error of this process, so that progress bars are seen.
"""

import contextlib
import importlib
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import ParamSpec, TypeVar

from convert.files import ConvertError

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

GB = 2**30
MEMORY_GB = 16
TIMEOUT_S = 4 * 3600.0


def run(function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
    """Call a function in a child process, with limits wide enough for real models; see ``run_limited``."""
    return run_limited(MEMORY_GB, TIMEOUT_S, function, *args, **kwargs)


def run_limited(
    memory_gb: float,
    timeout_s: float,
    function: Callable[Arguments, Result],
    *args: Arguments.args,
    **kwargs: Arguments.kwargs,
) -> Result:
    """Call a function in a child process that ends with the call, or with this process.

    Args:
        memory_gb: limit on the child's address space, in GiB, where the system has such limits.
        timeout_s: limit on the wall-clock time, in seconds.
        function: a function at the top level of an importable module.
        args: its positional arguments; they must be picklable.
        kwargs: its keyword arguments; they must be picklable.

    Returns:
        The function's result, which must be picklable, too.

    Raises:
        ConvertError: the function raised one, or the child crashed, took too long or needed too much memory.
        RuntimeError: the function raised another exception; the message contains its type and text.
    """
    task = f"{function.__module__.rpartition('.')[2]} ({function.__name__})"
    ours, theirs = Pipe()
    with ours, _start_child(theirs, memory_gb) as process, _kill_after(timeout_s, process) as timed_out:
        try:
            ours.send((function.__module__, function.__qualname__, args, kwargs))
            result = ours.recv()
        except (EOFError, ConnectionError) as error:
            if timed_out.is_set():
                raise ConvertError(f"Stopped {task} after {timeout_s:.0f} seconds.") from error
            raise ConvertError(f"{_describe_exit(process.wait(), task)}.") from error
    if isinstance(result, ConvertError):
        raise result
    if isinstance(result, _Failure):
        raise RuntimeError(f"{task}: {result.message}")
    return result.value  # type: ignore[no-any-return]


@contextlib.contextmanager
def _kill_after(timeout_s: float, process: "subprocess.Popen[bytes]") -> Iterator[threading.Event]:
    """Kill the process if the block takes longer; a wait for its answer then ends because the pipe is closed.

    Yields an event that is set when the time is over.
    """
    timed_out = threading.Event()

    def end() -> None:
        timed_out.set()
        process.kill()

    timer = threading.Timer(timeout_s, end)
    timer.daemon = True
    timer.start()
    try:
        yield timed_out
    finally:
        timer.cancel()


class _Value:
    """The result of a call; the wrapper distinguishes a returned exception from a raised one."""

    def __init__(self, value: object) -> None:
        self.value = value


class _Failure:
    """An unexpected exception, passed as text because not every exception can be pickled."""

    def __init__(self, message: str) -> None:
        self.message = message


@contextlib.contextmanager
def _start_child(theirs: Connection, memory_gb: float) -> Iterator["subprocess.Popen[bytes]"]:
    """Start the child and yield its process, which is killed at the end of the block, however the block ends."""
    paths = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, sys.path)])
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "convert.child_process", str(theirs.fileno()), str(memory_gb)],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": paths, "GGML_NO_BACKTRACE": "1"},  # without it an abort starts a debugger
            start_new_session=True,  # Ctrl-C reaches this process alone, which then kills the child
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _describe_exit(code: int, task: str) -> str:
    """Describe how a process ended; a negative code is the number of a signal."""
    if code < 0:
        return f"The process for {task} died of {signal.Signals(-code).name}"
    return f"The process for {task} ended with status {code}"


def main() -> None:
    """Make the one call that comes through the pipe and send its result; exit when the parent ends.

    The arguments of the process are the pipe's file descriptor and the memory limit in GiB.
    """
    pipe = Connection(int(sys.argv[1]))
    with contextlib.suppress(ValueError, OSError):  # the system has no such limits
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (int(float(sys.argv[2]) * GB),) * 2)
    try:
        module, name, args, kwargs = pipe.recv()
    except EOFError:  # the parent was interrupted before it could ask
        return
    threading.Thread(target=_end_with_parent, args=(pipe,), daemon=True).start()
    try:
        pipe.send(_Value(getattr(importlib.import_module(module), name)(*args, **kwargs)))
    except ConvertError as error:
        pipe.send(ConvertError(str(error)))
    except MemoryError:
        pipe.send(ConvertError("There is not enough memory for this model."))
    except Exception as error:
        pipe.send(_Failure(f"{type(error).__name__}: {error}"))


def _end_with_parent(pipe: Connection) -> None:
    """Exit when the parent ends: it sends nothing after the call, so the next read returns only when it is gone."""
    with contextlib.suppress(EOFError, OSError):
        pipe.recv()
    os._exit(1)


if __name__ == "__main__":
    # Import it under its own name: objects pickled as ``__main__._Value`` could not be read by the parent.
    importlib.import_module("convert.child_process").main()
