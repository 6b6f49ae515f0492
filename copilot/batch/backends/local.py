"""Run a batch's workers in processes of this machine (see ``run_tasks``)."""

import contextlib
import os
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path

from copilot.batch.worker import BatchError, Outcome, Task, Worker, describe_error, estimate_memory, make_crash_outcome
from copilot.child_process import EXIT_TIMEOUT_S, Child
from copilot.i18n import N_, messages
from copilot.settings import Settings


def count_workers(settings: Settings) -> int:
    """Return how many workers this machine has cores and memory for, at least one."""
    installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(1, min(settings.threads, installed // estimate_memory(settings)))


@dataclass
class _Worker:
    """One process and its current task."""

    name: str
    child: Child
    task: Task | None = None


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
    waiting = deque(tasks)
    workers = min(workers, len(tasks))
    settings = replace(settings, threads=max(1, settings.threads // max(1, workers)))
    running: dict[Connection, _Worker] = {}

    def start(name: str) -> None:
        child = Child(_read_tasks, settings, name, scratch)
        running[child.pipe] = _Worker(name, child)

    try:
        for number in range(1, workers + 1):
            start(str(number))
        while running:
            for pipe in wait(list(running)):
                worker = running[pipe]  # type: ignore[index]
                message: Outcome | str | None = None  # an outcome, or the error from opening the model, empty if none
                with contextlib.suppress(EOFError, OSError):  # the process died
                    message = worker.child.pipe.recv()
                if isinstance(message, Outcome):
                    yield message
                elif message is None and worker.task:
                    yield make_crash_outcome(worker.task, worker.name, worker.child.describe_exit())
                elif message != "":  # the model cannot be opened, whatever the recording
                    raise BatchError(message or N_(messages.BATCH_NOT_OPENED, how=worker.child.describe_exit()))
                if message is not None and waiting:
                    worker.task = waiting.popleft()
                    with contextlib.suppress(OSError):  # it died meanwhile: the next message reports that
                        worker.child.pipe.send(worker.task)
                    continue
                del running[worker.child.pipe]
                worker.child.stop(EXIT_TIMEOUT_S)
                if waiting:
                    start(worker.name)
    finally:
        for worker in running.values():
            worker.child.process.terminate()  # all exit at the same time
        for worker in running.values():
            worker.child.stop(EXIT_TIMEOUT_S)


def _read_tasks(pipe: Connection, settings: Settings, name: str, scratch: Path) -> None:
    """Open the model in the child, then read the tasks that arrive."""
    tempfile.tempdir = str(scratch)
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
