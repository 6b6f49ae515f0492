"""Readers on the machines of a Ray cluster (see ``outcomes``): ``--ray auto``, ``host:6379`` or ``ray://host:10001``.

Recordings are sent as bytes, so that the machines need no common disk; what comes back is the record, and nothing stays
there (of a reader that was killed, until another opens). Each machine has this project at the same path, with what
requirements.txt names, ray in the same version and the same model file. Ray reports on its use unless it is told not
to: ``ray start --head --disable-usage-stats --include-dashboard=false`` starts a cluster that does not.
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
from copilot.i18n import N_, english
from copilot.settings import ROOT, Settings

BATCH_NO_RAY = N_("The package ray is missing; install it: python -m pip install 'ray[client]'.")
BATCH_NO_CLUSTER = N_(
    "The Ray cluster at {address} cannot be used: {why}. Check the address, or start one with `ray start --head`."
)
BATCH_NO_NODE = N_(
    "No machine of the Ray cluster could start a reader within {seconds} s; each needs {gigabytes:.1f} GB."
)


#: Seconds within which the first reader has to have opened its model.
START_TIMEOUT_S = 120


def run_tasks(tasks: Sequence[Task], settings: Settings, workers: int, address: str) -> Generator[Outcome]:
    """Read all of them, in the order in which they get ready. Closing the generator ends the readers.

    Args:
        tasks: at least one.
        settings: the model's path is that on every machine.
        workers: readers, one core each; 0: as many as the cluster has cores and memory for.
        address: of the cluster.

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
    """What runs on a machine of the cluster: a reader, once it is opened."""

    def open(self, settings: Settings, model_sha256: str) -> str:
        """Open the model; returns what went wrong, empty where nothing did."""
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
        """The outcome of one recording."""
        with payload.unpack() as task:
            return self._worker.read(task)


class _Pool:
    """Calls under way, each with its reader and what that reads (None: it opens its model), and the tasks that wait."""

    def __init__(self, ray: Any, waiting: deque[Task], settings: Settings, needed: int) -> None:
        options = {"num_cpus": 1, "memory": needed, "scheduling_strategy": "SPREAD"}
        self._ray, self._waiting, self._settings = ray, waiting, settings
        self._remote = ray.remote(RemoteWorker).options(**options)
        self._sha256 = _model_sha256(settings)
        self._calls: dict[Any, tuple[Any, Task | None]] = {}

    @property
    def has_tasks(self) -> bool:
        """Whether anything is still to be read; readers that could not be placed do not count."""
        return bool(self._waiting) or any(task for _, task in self._calls.values())

    def start(self) -> None:
        worker = self._remote.remote()
        self._calls[worker.open.remote(self._settings, self._sha256)] = (worker, None)

    def handle_result(self) -> Iterator[Outcome]:
        """Wait for a call to end, and give its reader the next task, or start another in its place."""
        reading = any(task for _, task in self._calls.values())
        ended, _ = self._ray.wait(list(self._calls), timeout=None if reading else START_TIMEOUT_S)
        if not ended:
            needed = estimate_memory(self._settings) / 2**30
            raise BatchError(N_(BATCH_NO_NODE, seconds=START_TIMEOUT_S, gigabytes=needed))
        worker, task = self._calls.pop(ended[0])
        try:
            answer = self._ray.get(ended[0])
        except self._ray.exceptions.RayError as error:  # the reader or its machine is gone
            how = type(error).__name__
            if task is None:
                raise BatchError(N_(english.BATCH_NOT_OPENED, how=how)) from None
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
        """The next task, or the next whose files can be read."""
        while self._waiting:
            task = self._waiting.popleft()
            try:
                self._calls[worker.read.remote(RayPayload.pack(task))] = (worker, task)
                return
            except OSError as error:
                yield Outcome(task.number, None, N_(english.BATCH_NOT_READ, why=error.strerror))


def _connect(address: str) -> Any:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else Ray announces that it will be so one day
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise BatchError(N_(BATCH_NO_RAY)) from error
    try:
        _check_reachable(address)
        environment, stop = {"env_vars": {"PYTHONPATH": str(ROOT)}}, signal.getsignal(signal.SIGTERM)
        ray.init(address, runtime_env=environment, configure_logging=False, log_to_driver=False)
        signal.signal(signal.SIGTERM, stop)  # Ray's own prints where it was
    except ImportError as error:  # ray:// needs more of it
        raise BatchError(N_(BATCH_NO_RAY)) from error
    except (OSError, OverflowError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise BatchError(N_(BATCH_NO_CLUSTER, address=address, why=why)) from error
    return ray


def _check_reachable(address: str) -> None:
    """Ray itself waits three minutes for somebody to answer."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=10).close()


def _count_workers(ray: Any, needed: int) -> int:
    """Readers that the machines have cores and memory for, at least one."""
    resources = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return max(1, sum(int(min(node.get("CPU", 0), node.get("memory", 0) // needed)) for node in resources))


def _model_sha256(settings: Settings) -> str:
    from copilot.llm.gguf_header import open_model_file

    return "" if settings.server else open_model_file(settings.model).sha256
