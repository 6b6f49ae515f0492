"""Run a batch's workers on a Ray cluster (see ``run_tasks``): ``--ray auto``, ``host:6379`` or ``ray://host:10001``.

Recordings are sent as bytes, so that the machines need no common disk. Only the record comes back, and nothing remains
on the machines (files of a worker that was killed remain until another one opens). Each machine needs this project at
the same path, the packages of requirements.txt, ray in the same version and the same model file. Ray sends usage
statistics by default: ``ray start --head --disable-usage-stats --include-dashboard=false`` starts a cluster that sends
none.
"""

import os
import shutil
import signal
import socket
import tempfile
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from copilot.batch.worker import BatchError, Outcome, Task, Worker, describe_error, estimate_memory, make_crash_outcome
from copilot.child_process import is_running
from copilot.eeg.recording_files import find_recording_files
from copilot.i18n import N_, messages
from copilot.settings import ROOT, Settings

BATCH_NO_RAY = N_("The package ray is missing; install it: python -m pip install 'ray[client]'.")
BATCH_NO_CLUSTER = N_(
    "The Ray cluster at {address} cannot be used: {why}. Check the address, or start one with `ray start --head`."
)
BATCH_NO_NODE = N_(
    "No machine of the Ray cluster could start a reader within {seconds} s; each needs {gigabytes:.1f} GB."
)


#: Seconds within which the first worker has to open its model.
START_TIMEOUT_S = 120
#: Prefix of the names of temporary folders, before the number of the process.
SCRATCH = "eeg-copilot-reader-"


def run_tasks(tasks: Sequence[Task], settings: Settings, workers: int, address: str) -> Generator[Outcome]:
    """Read all recordings and yield their outcomes in the order of completion.

    Closing the generator ends the workers.

    Args:
        tasks: the recordings to read, at least one.
        settings: as for one recording; the model has the same path on every machine.
        workers: number of workers, one core each; 0: as many as the cluster has cores and memory for.
        address: address of the cluster.

    Raises:
        BatchError: Ray is missing, there is no such cluster, or a machine cannot open the model.
    """
    ray = _connect(address)
    try:
        needed, waiting = estimate_memory(settings), deque(tasks)
        settings, sha256 = replace(settings, threads=1), _model_sha256(settings)
        remote = ray.remote(RemoteWorker).options(num_cpus=1, memory=needed, scheduling_strategy="SPREAD")
        #: Running call -> its worker and task; None: the worker opens its model.
        calls: dict[Any, tuple[Any, Task | None]] = {}

        def start() -> None:
            worker = remote.remote()
            calls[worker.open.remote(settings, sha256)] = (worker, None)

        resources = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        fitting = sum(int(min(node.get("CPU", 0), node.get("memory", 0) // needed)) for node in resources)
        for _ in range(min(len(tasks), workers or max(1, fitting))):
            start()
        # Workers for which no machine was found do not count.
        while (reading := any(task for _, task in calls.values())) or waiting:
            ended, _ = ray.wait(list(calls), timeout=None if reading else START_TIMEOUT_S)
            if not ended:
                raise BatchError(N_(BATCH_NO_NODE, seconds=START_TIMEOUT_S, gigabytes=needed / 2**30))
            worker, task = calls.pop(ended[0])
            try:
                answer = ray.get(ended[0])
            except ray.exceptions.RayError as error:  # the worker or its machine is gone
                how = type(error).__name__
                if task is None:
                    raise BatchError(N_(messages.BATCH_NOT_OPENED, how=how)) from None
                yield make_crash_outcome(task, "", how)
                if waiting:
                    start()
                continue
            if isinstance(answer, Outcome):
                yield answer
            elif answer:
                raise BatchError(answer)
            while waiting:  # the next task whose files can be read
                task = waiting.popleft()
                try:
                    calls[worker.read.remote(RayPayload.pack(task))] = (worker, task)
                    break
                except OSError as error:
                    yield Outcome(task.number, None, N_(messages.BATCH_NOT_READ, why=error.strerror))
    finally:
        ray.shutdown()


@dataclass(frozen=True)
class RayPayload:
    """A task and the contents of its files, by their paths in a folder that the receiving machine creates."""

    task: Task
    contents: dict[str, bytes]

    @classmethod
    def pack(cls, task: Task) -> "RayPayload":
        """Read the files of a task; the recording and each baseline get a folder of their own.

        Raises:
            OSError: a file cannot be read.
        """
        places = [("recording", path) for path in task.files]
        for number, baseline in enumerate(task.baselines):
            places += [(f"baseline-{number}", path) for path in find_recording_files(baseline)]
        contents = {f"{where}/{name}": part.read_bytes() for where, path in places for name, part in _list_files(path)}
        files = tuple(Path("recording") / path.name for path in task.files)
        baselines = tuple(Path(f"baseline-{n}") / path.name for n, path in enumerate(task.baselines))
        return cls(replace(task, files=files, baselines=baselines), contents)

    @contextmanager
    def unpack(self) -> Iterator[Task]:
        """Write the files to a temporary folder and give the task with their paths.

        At the end of the block the folder is removed, with all other temporary files that were made in the block.
        """
        with tempfile.TemporaryDirectory(prefix=f"{SCRATCH}{os.getpid()}-") as name:
            folder, before = Path(name), tempfile.tempdir
            for relative, content in self.contents.items():
                path = folder / relative
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            files, baselines = ([folder / path for path in paths] for paths in (self.task.files, self.task.baselines))
            tempfile.tempdir = name
            try:
                yield replace(self.task, files=tuple(files), baselines=tuple(baselines))
            finally:
                tempfile.tempdir = before


def remove_abandoned_folders() -> None:
    """Remove the folders of workers that were killed; a folder's name contains the number of the process."""
    for left in Path(tempfile.gettempdir()).glob(f"{SCRATCH}*-*"):
        process = left.name.removeprefix(SCRATCH).split("-")[0]
        if process.isdecimal() and not is_running(int(process)):
            shutil.rmtree(left, ignore_errors=True)


class RemoteWorker:
    """A worker on a machine of the cluster; ``open`` has to be called before ``read``."""

    def open(self, settings: Settings, model_sha256: str) -> str:
        """Open the model; return the error message, empty if there is none."""
        import ray

        try:
            if model_sha256 != _model_sha256(settings):
                return N_("A machine of the Ray cluster has another model file; copy the same one to all of them.")
            remove_abandoned_folders()
            self._worker = Worker(settings, ray.get_runtime_context().get_node_id()[:8])
        except Exception as error:
            return describe_error(error)
        return ""

    def read(self, payload: RayPayload) -> Outcome:
        """Read one recording and return its outcome."""
        with payload.unpack() as task:
            return self._worker.read(task)


def _connect(address: str) -> Any:
    """Connect to the cluster and return the module ``ray``.

    Raises:
        BatchError: Ray is missing, or there is no such cluster.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else Ray warns that this will become its default
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise BatchError(BATCH_NO_RAY) from error
    try:
        host, _, port = address.removeprefix("ray://").rpartition(":")
        if host and port.isdigit():  # Ray itself waits three minutes for an address at which no program answers
            socket.create_connection((host, int(port)), timeout=10).close()
        environment, stop = {"env_vars": {"PYTHONPATH": str(ROOT)}}, signal.getsignal(signal.SIGTERM)
        ray.init(address, runtime_env=environment, configure_logging=False, log_to_driver=False)
        signal.signal(signal.SIGTERM, stop)  # Ray's own handler prints a stack trace
    except ImportError as error:  # ray:// needs the extra "client"
        raise BatchError(BATCH_NO_RAY) from error
    except (OSError, OverflowError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise BatchError(N_(BATCH_NO_CLUSTER, address=address, why=why)) from error
    return ray


def _model_sha256(settings: Settings) -> str:
    """Return the SHA-256 of the model file, empty for a server's model."""
    from copilot.llm.gguf_header import open_model_file

    return "" if settings.server else open_model_file(settings.model).sha256


def _list_files(path: Path) -> Iterator[tuple[str, Path]]:
    """List a file, or the files of a folder that is one recording, with their paths relative to its parent."""
    for part in sorted(path.rglob("*")) if path.is_dir() else (path,):
        if part.is_file():
            yield part.relative_to(path.parent).as_posix(), part
