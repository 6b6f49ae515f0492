"""Run a batch's workers in processes of this machine (see ``run_tasks``).

``concurrent.futures`` gives up all its processes if one dies, for example because memory runs out. This module reports
the recording of that process as failed and starts another process in its place.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from copilot.batch.worker import BatchError, Outcome, Task, Worker, describe_error, estimate_memory, make_crash_outcome
from copilot.i18n import N_, messages
from copilot.settings import Settings

#: Seconds that a process has to exit by itself.
EXIT_TIMEOUT_S = 5.0


def count_workers(settings: Settings) -> int:
    """Return how many workers this machine has cores and memory for, at least one."""
    installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(1, min(settings.threads, installed // estimate_memory(settings)))


def run_tasks(tasks: Sequence[Task], settings: Settings, workers: int, scratch: Path) -> Generator[Outcome]:
    """Read all recordings and yield their outcomes in the order of completion.

    Closing the generator ends the processes.

    Args:
        tasks: the recordings to read.
        settings: as for one recording; its threads are divided between the processes.
        workers: number of processes, each with a model of its own.
        scratch: folder for the temporary files of the processes; a process that is killed leaves some there.

    Raises:
        BatchError: a process cannot open its model.
    """
    workers = min(workers, len(tasks))
    pool = _Pool(deque(tasks), replace(settings, threads=max(1, settings.threads // max(1, workers))), scratch)
    try:
        for number in range(1, workers + 1):
            pool.start(str(number))
        while pool.running:
            for pipe in wait(list(pool.running)):
                yield from pool.handle_message(pool.running[pipe])  # type: ignore[index]
    finally:
        pool.stop()


@dataclass
class _Worker:
    """One process, the pipe to it, and its current task."""

    name: str
    process: BaseProcess
    pipe: Connection
    task: Task | None = None

    def receive(self) -> Outcome | str | None:
        """Return the process's next message.

        This is an outcome, or the error from opening the model (empty: it was opened); None if the process died.
        """
        try:
            message: Outcome | str = self.pipe.recv()
            return message
        except (EOFError, OSError):
            self.process.join()
            return None

    def describe_exit(self) -> str:
        """Return how the process ended: the name of a signal or an exit status."""
        code = self.process.exitcode or 0
        return signal.Signals(-code).name if code < 0 else str(code)

    def stop(self) -> None:
        """End the process, by force if it does not exit in time, and close the pipe."""
        self.process.terminate()
        self.process.join(EXIT_TIMEOUT_S)
        self.process.kill()
        self.process.join()
        self.pipe.close()


class _Pool:
    """The running processes, by their pipes, and the tasks that wait for them."""

    def __init__(self, waiting: deque[Task], settings: Settings, scratch: Path) -> None:
        self.running: dict[Connection, _Worker] = {}
        self._waiting, self._settings, self._scratch = waiting, settings, scratch

    def start(self, name: str) -> None:
        """Start a process under this name."""
        own_end, worker_end = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        process = context.Process(
            target=_run_worker, args=(worker_end, self._settings, name, self._scratch), daemon=True
        )
        # Ctrl-C reaches every process of a terminal: a worker that is not yet set up would print a traceback.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        worker_end.close()
        self.running[own_end] = _Worker(name, process, own_end)

    def handle_message(self, worker: _Worker) -> Iterator[Outcome]:
        """Take a worker's message and send it the next task, or replace the worker if it died."""
        message = worker.receive()
        if isinstance(message, Outcome):
            yield message
        elif message is None and worker.task:
            yield make_crash_outcome(worker.task, worker.name, worker.describe_exit())
        elif message != "":  # the model cannot be opened, whatever the recording
            raise BatchError(message or N_(messages.BATCH_NOT_OPENED, how=worker.describe_exit()))
        if message is not None and self._waiting:
            worker.task = self._waiting.popleft()
            with contextlib.suppress(OSError):  # it died meanwhile: the next message reports that
                worker.pipe.send(worker.task)
            return
        self.running.pop(worker.pipe).stop()
        if self._waiting:
            self.start(worker.name)

    def stop(self) -> None:
        """End all processes; they exit at the same time."""
        for worker in self.running.values():
            worker.process.terminate()
        for worker in self.running.values():
            worker.stop()


def _run_worker(pipe: Connection, settings: Settings, name: str, scratch: Path) -> None:
    """Open the model, then read the tasks that arrive; this is the main function of a process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the parent decides
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    tempfile.tempdir = str(scratch)
    with contextlib.suppress(EOFError, OSError):  # the parent is gone
        try:
            worker = Worker(settings, name)
        except Exception as error:
            pipe.send(describe_error(error))
            return
        # Only now: while a model opens, llama.cpp calls back into Python, where an exit would be ignored.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        pipe.send("")
        while True:
            pipe.send(worker.read(pipe.recv()))


def _exit_with_parent() -> None:
    """End this process when its parent dies: a parent that is killed cannot end its processes."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
