"""Define what the web app keeps of one visitor (``Session``), the form (``Form``), and how long it is kept.

======================================  ==============================  ======================================
Kept in a session                       How much                        Until
======================================  ==============================  ======================================
files of the recording and baselines    what was uploaded, see          others are chosen, Clear
                                        ``EEG_COPILOT_MAX_UPLOAD_MB``
two pictures for the record             1 MB                            the next analysis, Clear
parts of the page and the record panel  1 MB                            the session is forgotten
messages, facts, chat, record           0.2 MB                          the next analysis, Clear
cleaned signal, with a store only       4 bytes a sample: 3.4 MB for    the next analysis, Clear
                                        3 minutes of 19 channels
======================================  ==============================  ======================================

A session is forgotten when ``MAX_SESSIONS`` others were used after it. One whose page was closed is kept, an hour at
most, only while it is among the last ``MAX_CLOSED`` of these: a laptop that sleeps looks like a page that was closed,
and its record has to be there when it wakes.
"""

import ctypes
import gc
import re
import sys
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from copilot.chat.understanding import Asked
from copilot.eeg.types import Recording, RecordingError
from copilot.facts import Facts
from copilot.i18n import N_
from copilot.i18n import messages as shared_messages
from copilot.llm.base import Message
from copilot.person import MAX_AGE, PatientIdentity, Person, PersonError
from copilot.record.model import Figures, Record, digest
from copilot.web.uploads import Attachment

Update = dict[Any, Any]
"""Components of the page, each with its new value or a ``gr.update``."""

#: Value of the source that means the visitor's own upload; the others are names in ``simulate.EXAMPLES``.
OWN = "own"

#: Sessions that are kept at once; the one that was unused longest is forgotten first.
MAX_SESSIONS = 200

#: Closed pages whose sessions are kept, for visitors who return.
MAX_CLOSED = 10


@dataclass
class ShownTurn:
    """A question and its answer as the page shows them.

    Attributes:
        question: without names and numbers.
        parts: of the answer so far, and whether each is the facts' own sentence in place of one that a model wrote.
        asked: what the question was understood to ask; empty until the answer is complete.
        facts: sentences that the answer rests on, in the visitor's language.
        rating: what the visitor thinks of it: ``+``, ``-`` or nothing.
    """

    question: str
    parts: list[tuple[str, bool]] = field(default_factory=list)
    asked: tuple[Asked, ...] = ()
    facts: tuple[str, ...] = ()
    rating: str = ""

    @property
    def text(self) -> str:
        """Return the answer so far."""
        return "".join(text for text, _ in self.parts)


@dataclass(eq=False)
class Session:
    """Files, result, chat and record of one visitor, in memory only.

    Attributes:
        recording: the files of the uploaded recording.
        baselines: uploaded recordings of the same person, one file each.
        opening: the messages of the result: system, prompt, answer; empty before there is one.
        facts: about the result; None before there is one.
        turns: the chat about it.
        record: in its present state of review.
        pictures: of the record.
        cleaned: the cleaned signal, only if records can be kept.
        reviewer: name and role, as typed last.
        kept_at: when the record was last kept on this machine, empty if it is not.
        saving_problem: why a later change could not be kept.
        saved_digest: of the record as it was last kept or downloaded.
        panel: token of the record panel as it was drawn last.
        region: the visitor's country as the browser's language tells it, for the lines of help; empty if unknown.
    """

    recording: tuple[Attachment, ...] = ()
    baselines: tuple[Attachment, ...] = ()
    opening: list[Message] = field(default_factory=list)
    facts: Facts | None = None
    turns: list[ShownTurn] = field(default_factory=list)
    record: Record | None = None
    pictures: Figures | None = None
    cleaned: Recording | None = None
    reviewer: tuple[str, str] = ("", "")
    kept_at: str = ""
    saving_problem: str = ""
    saved_digest: str = ""
    panel: float = 0.0
    region: str = ""
    _run: int = 0
    _final_update: Callable[[], Update] = dict

    @property
    def unsaved(self) -> bool:
        """Return whether a clinician's work on the record would be lost with this page."""
        return self.record is not None and bool(self.record.history) and digest(self.record) != self.saved_digest

    def forget_result(self) -> None:
        """Forget result, chat and record of an earlier recording."""
        self.opening, self.turns, self.facts = [], [], None
        self.record = self.pictures = self.cleaned = None
        self.kept_at = self.saving_problem = self.saved_digest = ""

    def halt(self, final_update: Callable[[], Update]) -> Update:
        """End what is running; ``final_update`` makes what the page shows then.

        Gradio's own cancelling comes too late: an update on its way to the browser would overwrite the last one.
        """
        self._run += 1
        self._final_update = final_update
        return final_update()

    def run_until_halted(self, updates: Generator[Update, None, None]) -> Generator[Update, None, None]:
        """Yield ``updates`` until ``halt``, or until something else runs in this session."""
        self.halt(dict)
        run = self._run
        with closing(updates):
            for update in updates:
                halted = self._run != run
                if halted:
                    update = self._final_update()
                if update:  # Gradio refuses an empty one
                    yield update
                if halted:
                    return


@dataclass(frozen=True)
class Form:
    """The fields of the form as the browser sends them, in the order of the page."""

    consent: bool = False
    gender: str = "unspecified"
    age: str = ""
    appearance: str = ""
    complaint: str = ""
    history: str = ""
    source: str = OWN
    sfreq: str = ""
    channels: str = ""
    trial: str = ""
    films: bool = False
    name: str = ""
    number: str = ""
    laboratory: str = ""
    expenses: str = ""
    dark: bool = False

    def person(self) -> Person:
        """Return the person.

        Raises:
            PersonError: a field cannot be used.
        """
        age = (self.age or "").strip()
        if age and not age.isdecimal():
            raise PersonError(N_(shared_messages.NOT_AN_AGE, age=age, most=MAX_AGE))
        return Person(self.gender, int(age) if age else None, self.appearance, self.complaint, self.history)

    def patient_identity(self) -> PatientIdentity:
        """Return what is meant for the record alone.

        Raises:
            PersonError: a text is too long.
        """
        return PatientIdentity(self.name or "", self.number or "", self.laboratory or "", self.expenses or "")

    def sampling_rate(self) -> float | None:
        """Return the sampling rate in Hz, if given.

        Raises:
            RecordingError: it is not a number above 0.
        """
        text = (self.sfreq or "").strip()
        if not text:
            return None
        if not re.fullmatch(r"\d{1,6}([.,]\d{1,6})?", text) or (rate := float(text.replace(",", "."))) == 0:
            raise RecordingError(
                N_("{rate!r} is not a sampling rate; give samples a second as a number, for example 250.", rate=text)
            )
        return rate

    def trial_number(self) -> int | None:
        """Return which trial of an array is meant, if given.

        Raises:
            RecordingError: it is not a whole number above 0.
        """
        text = (self.trial or "").strip()
        if text and not re.fullmatch(r"0*[1-9][0-9]{0,4}", text):
            raise RecordingError(N_("{trial!r} is not the number of a trial; give a whole number from 1.", trial=text))
        return int(text) if text else None

    def channel_names(self) -> list[str] | None:
        """Return channel names in the file's order, if given."""
        return [name.strip() for name in (self.channels or "").split(",") if name.strip()] or None


def forget_closed_pages(page: gr.Blocks, session: str | None) -> None:
    """Forget the sessions of closed pages but the last ``MAX_CLOSED``.

    Gradio itself empties their ``gr.State`` after an hour, and keeps all other values of the page.

    Args:
        page: the launched page.
        session: Gradio's name of the page that has just been closed.
    """
    holder: Any = page.state_holder
    with holder.lock:
        sessions = holder.session_data
        if session in sessions:  # this very call makes one for a page on which nothing was done
            sessions[session].is_closed = True
        closed = [name for name, state in sessions.items() if state.is_closed]  # the last used at the end
        for name in closed[:-MAX_CLOSED]:
            del sessions[name]
            holder.time_last_used.pop(name, None)
    if len(closed) > MAX_CLOSED:
        return_memory()


def return_memory() -> None:
    """Return freed memory to the system.

    Drawing takes and frees some 70 MB in whichever thread it happens, and glibc keeps that for each thread on its own:
    the process would grow by it until every thread has drawn once.
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none, and needs none
        if trim:
            trim(0)
