"""Readers in processes of this machine (see ``outcomes``).

``concurrent.futures`` gives up all its processes where one dies, as it does when memory runs out; here the recording is
told as failed and its process is replaced.
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
from copilot.i18n import N_, english
from copilot.settings import Settings

#: Seconds that a process has to leave by itself.
EXIT_TIMEOUT_S = 5.0


def count_workers(settings: Settings) -> int:
    """Processes that this machine has cores and memory for, at least one."""
    installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(1, min(settings.threads, installed // estimate_memory(settings)))


def run_tasks(tasks: Sequence[Task], settings: Settings, workers: int, scratch: Path) -> Generator[Outcome]:
    """Read all of them, in the order in which they get ready. Closing the generator ends the processes.

    Args:
        tasks: what to read.
        settings: its threads are shared between the processes.
        workers: processes, each with a model of its own.
        scratch: folder for their temporary files; whoever is killed leaves some there.

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
    """One process, the pipe to it, and what it is reading."""

    name: str
    process: BaseProcess
    pipe: Connection
    task: Task | None = None

    def receive(self) -> Outcome | str | None:
        """An outcome, or what went wrong with opening the model (empty: nothing); None where the process died."""
        try:
            message: Outcome | str = self.pipe.recv()
            return message
        except (EOFError, OSError):
            self.process.join()
            return None

    def describe_exit(self) -> str:
        """How the process ended: a signal's name or a status."""
        code = self.process.exitcode or 0
        return signal.Signals(-code).name if code < 0 else str(code)

    def stop(self) -> None:
        self.process.terminate()
        self.process.join(EXIT_TIMEOUT_S)
        self.process.kill()
        self.process.join()
        self.pipe.close()


class _Pool:
    """The processes that run, by their pipes, and the tasks that wait for them."""

    def __init__(self, waiting: deque[Task], settings: Settings, scratch: Path) -> None:
        self.running: dict[Connection, _Worker] = {}
        self._waiting, self._settings, self._scratch = waiting, settings, scratch

    def start(self, name: str) -> None:
        own_end, worker_end = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        process = context.Process(
            target=_run_worker, args=(worker_end, self._settings, name, self._scratch), daemon=True
        )
        process.start()
        worker_end.close()
        self.running[own_end] = _Worker(name, process, own_end)

    def handle_message(self, worker: _Worker) -> Iterator[Outcome]:
        """Take what a process says and give it the next task, or another process in its place."""
        message = worker.receive()
        if isinstance(message, Outcome):
            yield message
        elif message is None and worker.task:
            yield make_crash_outcome(worker.task, worker.name, worker.describe_exit())
        elif message != "":  # no recording's fault: there is no point in going on
            raise BatchError(message or N_(english.BATCH_NOT_OPENED, how=worker.describe_exit()))
        if message is not None and self._waiting:
            worker.task = self._waiting.popleft()
            with contextlib.suppress(OSError):  # it died meanwhile, which is heard next
                worker.pipe.send(worker.task)
            return
        self.running.pop(worker.pipe).stop()
        if self._waiting:
            self.start(worker.name)

    def stop(self) -> None:
        for worker in self.running.values():
            worker.process.terminate()
        for worker in self.running.values():
            worker.stop()


def _run_worker(pipe: Connection, settings: Settings, name: str, scratch: Path) -> None:
    """What a process does: open the model, then read what it is given."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches everybody; whoever started this process decides
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    tempfile.tempdir = str(scratch)
    with contextlib.suppress(EOFError, OSError):  # nobody is left to listen
        try:
            worker = Worker(settings, name)
        except Exception as error:
            pipe.send(describe_error(error))
            return
        # Only now: while a model opens, llama.cpp calls back into Python, where an exit would be swallowed.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        pipe.send("")
        while True:
            pipe.send(worker.read(pipe.recv()))


def _exit_with_parent() -> None:
    """Whoever is killed outright cannot tell its processes to end."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
