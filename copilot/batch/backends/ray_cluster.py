"""Run a batch's workers on a Ray cluster (see ``run_tasks``): ``--ray auto``, ``host:6379`` or ``ray://host:10001``.

Recordings are sent as bytes, so that the machines need no common disk. Only the record comes back, and nothing remains
on the machines (files of a worker that was killed remain until another one opens). Each machine needs this project at
the same path, the packages of requirements.txt, ray in the same version and the same model file. Ray sends usage
statistics by default: ``ray start --head --disable-usage-stats --include-dashboard=false`` starts a cluster that sends
none.
"""

import os
import signal
import socket
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import Any

from copilot.batch.backends.ray_payload import RayPayload, remove_abandoned_folders
from copilot.batch.worker import BatchError, Outcome, Task, Worker, describe_error, estimate_memory, make_crash_outcome
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
        needed = estimate_memory(settings)
        pool = _Pool(ray, deque(tasks), replace(settings, threads=1), needed)
        for _ in range(min(len(tasks), workers or _count_workers(ray, needed))):
            pool.start()
        while pool.has_tasks:
            yield from pool.handle_result()
    finally:
        ray.shutdown()


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


class _Pool:
    """The running calls, each with its worker and task (None: the worker opens its model), and the tasks that wait."""

    def __init__(self, ray: Any, waiting: deque[Task], settings: Settings, needed: int) -> None:
        options = {"num_cpus": 1, "memory": needed, "scheduling_strategy": "SPREAD"}
        self._ray, self._waiting, self._settings = ray, waiting, settings
        self._remote = ray.remote(RemoteWorker).options(**options)
        self._sha256 = _model_sha256(settings)
        self._calls: dict[Any, tuple[Any, Task | None]] = {}

    @property
    def has_tasks(self) -> bool:
        """Whether any recording is still to be read; workers for which no machine was found do not count."""
        return bool(self._waiting) or any(task for _, task in self._calls.values())

    def start(self) -> None:
        """Start a worker, which opens its model."""
        worker = self._remote.remote()
        self._calls[worker.open.remote(self._settings, self._sha256)] = (worker, None)

    def handle_result(self) -> Iterator[Outcome]:
        """Wait for a call to end, then give its worker the next task, or start another worker in its place."""
        reading = any(task for _, task in self._calls.values())
        ended, _ = self._ray.wait(list(self._calls), timeout=None if reading else START_TIMEOUT_S)
        if not ended:
            needed = estimate_memory(self._settings) / 2**30
            raise BatchError(N_(BATCH_NO_NODE, seconds=START_TIMEOUT_S, gigabytes=needed))
        worker, task = self._calls.pop(ended[0])
        try:
            answer = self._ray.get(ended[0])
        except self._ray.exceptions.RayError as error:  # the worker or its machine is gone
            how = type(error).__name__
            if task is None:
                raise BatchError(N_(messages.BATCH_NOT_OPENED, how=how)) from None
            yield make_crash_outcome(task, "", how)
            if self._waiting:
                self.start()
            return
        if isinstance(answer, Outcome):
            yield answer
        elif answer:
            raise BatchError(answer)
        yield from self._submit_next(worker)

    def _submit_next(self, worker: Any) -> Iterator[Outcome]:
        """Send the worker the next task whose files can be read; yield an outcome for each unreadable one before it."""
        while self._waiting:
            task = self._waiting.popleft()
            try:
                self._calls[worker.read.remote(RayPayload.pack(task))] = (worker, task)
                return
            except OSError as error:
                yield Outcome(task.number, None, N_(messages.BATCH_NOT_READ, why=error.strerror))


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
        _check_reachable(address)
        environment, stop = {"env_vars": {"PYTHONPATH": str(ROOT)}}, signal.getsignal(signal.SIGTERM)
        ray.init(address, runtime_env=environment, configure_logging=False, log_to_driver=False)
        signal.signal(signal.SIGTERM, stop)  # Ray's own handler prints a stack trace
    except ImportError as error:  # ray:// needs the extra "client"
        raise BatchError(BATCH_NO_RAY) from error
    except (OSError, OverflowError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise BatchError(N_(BATCH_NO_CLUSTER, address=address, why=why)) from error
    return ray


def _check_reachable(address: str) -> None:
    """Refuse an address at which no program answers within ten seconds; Ray itself waits three minutes.

    Raises:
        OSError: no connection.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=10).close()


def _count_workers(ray: Any, needed: int) -> int:
    """Return how many workers the cluster has cores and memory (``needed`` bytes each) for, at least one."""
    resources = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return max(1, sum(int(min(node.get("CPU", 0), node.get("memory", 0) // needed)) for node in resources))


def _model_sha256(settings: Settings) -> str:
    """Return the SHA-256 of the model file, empty for a server's model."""
    from copilot.llm.gguf_header import open_model_file

    return "" if settings.server else open_model_file(settings.model).sha256
