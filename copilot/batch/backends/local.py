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

from copilot.batch.worker import BatchError, Outcome, Task, Worker, died, memory, reason_of
from copilot.i18n import N_, english
from copilot.settings import Settings

#: Seconds that a process has to leave by itself.
LEAVE_S = 5.0


def how_many(settings: Settings) -> int:
    """Processes that this machine has cores and memory for, at least one."""
    installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(1, min(settings.threads, installed // memory(settings)))


def outcomes(tasks: Sequence[Task], settings: Settings, workers: int, scratch: Path) -> Generator[Outcome]:
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
                yield from pool.attend(pool.running[pipe])  # type: ignore[index]
    finally:
        pool.stop()


@dataclass
class _Worker:
    """One process, the pipe to it, and what it is reading."""

    name: str
    process: BaseProcess
    pipe: Connection
    task: Task | None = None

    def hear(self) -> Outcome | str | None:
        """An outcome, or what went wrong with opening the model (empty: nothing); None where the process died."""
        try:
            heard: Outcome | str = self.pipe.recv()
            return heard
        except (EOFError, OSError):
            self.process.join()
            return None

    def end(self) -> str:
        """How the process ended: a signal's name or a status."""
        code = self.process.exitcode or 0
        return signal.Signals(-code).name if code < 0 else str(code)

    def stop(self) -> None:
        self.process.terminate()
        self.process.join(LEAVE_S)
        self.process.kill()
        self.process.join()
        self.pipe.close()


class _Pool:
    """The processes that run, by their pipes, and the tasks that wait for them."""

    def __init__(self, waiting: deque[Task], settings: Settings, scratch: Path) -> None:
        self.running: dict[Connection, _Worker] = {}
        self._waiting, self._settings, self._scratch = waiting, settings, scratch

    def start(self, name: str) -> None:
        ours, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=_serve, args=(theirs, self._settings, name, self._scratch), daemon=True)
        process.start()
        theirs.close()
        self.running[ours] = _Worker(name, process, ours)

    def attend(self, worker: _Worker) -> Iterator[Outcome]:
        """Take what a process says and give it the next task, or another process in its place."""
        heard = worker.hear()
        if isinstance(heard, Outcome):
            yield heard
        elif heard is None and worker.task:
            yield died(worker.task, worker.name, worker.end())
        elif heard != "":  # no recording's fault: there is no point in going on
            raise BatchError(heard or N_(english.BATCH_NOT_OPENED, how=worker.end()))
        if heard is not None and self._waiting:
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


def _serve(pipe: Connection, settings: Settings, name: str, scratch: Path) -> None:
    """What a process does: open the model, then read what it is given."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches everybody; whoever started this process decides
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    tempfile.tempdir = str(scratch)
    with contextlib.suppress(EOFError, OSError):  # nobody is left to listen
        try:
            reader = Worker(settings, name)
        except Exception as error:
            pipe.send(reason_of(error))
            return
        # Only now: while a model opens, llama.cpp calls back into Python, where an exit would be swallowed.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        pipe.send("")
        while True:
            pipe.send(reader.read(pipe.recv()))


def _leave_with_parent() -> None:
    """Whoever is killed outright cannot tell its processes to end."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
