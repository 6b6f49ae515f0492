"""Share settings, one model and one queue among all visitors.

The model is opened in the background. Of a visitor only an anonymous ticket in the queue is kept here, and, if there
is a store, the records that they keep.
"""

import importlib
import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from copilot.eeg import sandbox
from copilot.eeg.classifier import Classifier
from copilot.errors import CopilotError
from copilot.i18n import N_
from copilot.llm.base import Engine
from copilot.record.database import StoreError
from copilot.record.store import Store
from copilot.settings import Settings
from copilot.web.uploads import MemoryBudget

Event = TypeVar("Event")

#: Visitors that may wait at once; the next one is asked to come back.
MAX_WAITING = 40

#: All visitors' files together may take this many times what one may upload, on disk and in memory each.
UPLOADS_HELD = 5

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ahead:
    """``count`` visitors are ahead in the queue."""

    count: int


@dataclass(frozen=True)
class Opening:
    """The model is still being opened."""


class QueueFullError(CopilotError):
    """Too many visitors wait already; the message is one sentence."""


class Queue:
    """A queue, first come, first served: cleaning and the model take all cores, so only ``places`` run at a time.

    Gradio's own queue frees a place as soon as Stop is pressed, while the stopped step may still run. Here a place is
    free only when its generator has really ended.
    """

    def __init__(self, places: int = 1) -> None:
        self._places = places
        self._tickets: list[object] = []
        self._changed = threading.Condition()

    def run_in_turn(self, work: Iterator[Event]) -> Generator[Ahead | Event, None, None]:
        """Yield the events of ``work`` when it is its turn; until then how many are ahead, whenever that changes.

        Raises:
            QueueFullError: too many wait.
        """
        ticket = object()
        with self._changed:
            if len(self._tickets) >= self._places + MAX_WAITING:
                raise QueueFullError(N_("Too many people are waiting now; please try again in some minutes."))
            self._tickets.append(ticket)
        try:
            shown = 0
            while (ahead := self._count_ahead(ticket)) > 0:
                yield Ahead(shown := ahead)
                with self._changed:
                    self._changed.wait(0.5)  # short, so that Stop and a closed tab are noticed soon
            if shown:
                yield Ahead(0)
            yield from work
        finally:
            with self._changed:
                self._tickets.remove(ticket)
                self._changed.notify_all()

    def _count_ahead(self, ticket: object) -> int:
        with self._changed:
            return max(0, self._tickets.index(ticket) - self._places + 1)


class Service:
    """What all visitors share.

    Args:
        settings: of this process.
        open_engine: opens the language model; called once, in the background.

    Attributes:
        store: of kept records, or None if that is off.
        memory_budget: bounds the memory of uploaded files.
        press_locks: presses in one record panel are handled one after another, and seldom wait for another panel's.
        queue: of visitors.

    Raises:
        StoreError: the store cannot be opened.
    """

    def __init__(self, settings: Settings, open_engine: Callable[[Settings], Engine]) -> None:
        self.settings = settings
        self.store = Store(settings.data) if settings.store else None
        self.memory_budget = MemoryBudget(UPLOADS_HELD * settings.max_upload_mb)
        self.press_locks = tuple(threading.Lock() for _ in range(64))
        # A server has its own queue and serves several; this machine's cores serve one at a time.
        self.queue = Queue(places=4 if settings.server else 1)
        self._open_engine = open_engine
        self._models: Future[tuple[Engine, Classifier]] = Future()

    @property
    def model_name(self) -> str:
        """Return the model's name, known before it is open."""
        return self.settings.server_model if self.settings.server else self.settings.model.stem

    def start(self) -> None:
        """Open the model and import what drawing and cleaning need, in the background."""
        threading.Thread(target=self._open_models, name="open model", daemon=True).start()
        if self.store:
            threading.Thread(target=self._expire_records, args=[self.store], name="expire records", daemon=True).start()

    def wait_for_model(self) -> Iterator[Opening]:
        """Wait until the model is open or could not be opened."""
        while not self._models.done():
            yield Opening()
            wait([self._models], timeout=0.2)  # short, so that Stop is noticed

    def get_models(self) -> tuple[Engine, Classifier]:
        """Return the language model and the classifier.

        Raises:
            EngineError, ClassifierError: raised while opening them.
        """
        return self._models.result()

    def _expire_records(self, store: Store) -> None:
        """Delete records that have been kept long enough, now and every hour."""
        while True:
            try:
                store.expire(self.settings.keep_days, datetime.now(UTC))
            except StoreError:  # busy or out of reach: in an hour again
                log.warning("Old records could not be deleted.")
            time.sleep(3600)

    def _open_models(self) -> None:
        try:
            sandbox.warm_up()
            self._models.set_result((self._open_engine(self.settings), Classifier.load(self.settings.decoder)))
        except Exception as error:
            self._models.set_exception(error)
        for module in ("mne", "copilot.eeg.plots"):  # they take seconds: now, while the visitor reads the notice
            importlib.import_module(module)
