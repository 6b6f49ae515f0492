"""Events of one analysis turned into what changes on the page (see ``Screen.show``)."""

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from copilot.analysis import (
    Event,
    PromptReady,
    ReadingReady,
    RecordReady,
    SignalReady,
    StageBegun,
    StageProgress,
)
from copilot.engine.base import Message, PromptProgress, Token, Waiting
from copilot.reading import Reading, parse_answer
from copilot.web import charts, words
from copilot.web.service import Ahead, Opening

Update = dict[str, Any]

#: Cards that appear as soon as there is something in them.
CARDS = ("signal_card", "reading_card", "assessment_card", "chat_card", "record_card", "prompt_card")


def show(html: str) -> Any:
    """An HTML part with this in it; without anything it takes no room."""
    return gr.update(value=html, visible=bool(html))


def blank() -> Update:
    """The page before a reading."""
    cards = {card: gr.update(visible=False) for card in CARDS}
    parts = ("progress", "urgent", "person_problem", "recording_problem", "consent_problem", "chat_status")
    return {
        **cards,
        **{part: show("") for part in parts},
        **dict.fromkeys(("signal", "bands", "done", "quality", "reading", "assessment", "prompt", "question"), ""),
        "empty_card": gr.update(visible=True),
        "chatbot": [],
        "record": None,
    }


class Screen:
    """Remembers how far the analysis is, because events only say what is new."""

    def __init__(self, *, dark: bool = False) -> None:
        self._dark = dark
        self.messages: list[Message] = []
        self.reading: Reading | None = None
        self._progress: dict[str, float | None] = {}
        self._estimates: dict[str, float] = {}
        self._text = ""

    def show(self, event: Event | Ahead | Opening) -> Update:
        """What this event changes."""
        match event:
            case Ahead() | Opening() | Waiting():
                return self.waiting(status(event))
            case StageBegun(stage, estimate_s):
                return self._begin(stage, estimate_s)
            case StageProgress(stage, fraction, detail):
                self._progress[stage] = min(fraction, 0.99)
                return self.waiting("", detail)
            case PromptProgress():
                return self.waiting("", status(event))
            case SignalReady():
                return _signal(event, self._dark)
            case PromptReady(messages):
                self.messages = list(messages)
                return {"prompt_card": gr.update(visible=True), "prompt": _transcript(messages)}
            case Token(text):
                self._text += text
                return {"assessment": charts.prose(*parse_answer(self._text), writing=True)}
            case ReadingReady(reading, complete):
                return self._read(reading, complete)
            case RecordReady(record):
                return {"record": record, "record_card": gr.update(visible=True)}

    def waiting(self, status: str, detail: str = "") -> Update:
        """The stages, under a sentence that says what is being waited for."""
        html = charts.stages(status, self._progress, self._estimates, detail)
        return {"progress": show(html), "empty_card": gr.update(visible=False)}

    def _begin(self, stage: str, estimate_s: float) -> Update:
        self._progress |= dict.fromkeys(self._progress, 1.0) | {stage: None}
        self._estimates[stage] = estimate_s
        return self.waiting("")

    def _read(self, reading: Reading, complete: bool) -> Update:
        self.reading = reading
        if not complete:
            cards = {card: gr.update(visible=True) for card in ("reading_card", "assessment_card")}
            return {**cards, "reading": charts.reading(reading), "assessment": charts.prose("", (), writing=True)}
        return {
            "reading": charts.reading(reading),
            "assessment": charts.prose(reading.assessment, reading.suggestions),
            "chat_card": gr.update(visible=True),
            "progress": show(charts.said(_took(reading.timings))),
        }


def status(event: object) -> str:
    """The sentence that says what is being waited for, or nothing."""
    match event:
        case Ahead(0):
            return ""
        case Ahead(1):
            return words.AHEAD_ONE
        case Ahead(count):
            return words.AHEAD_MANY.format(count=count)
        case Opening():
            return words.OPENING
        case Waiting():
            return words.BUSY
        case PromptProgress(done, total):
            return words.READING_PROMPT.format(done=done, total=total)
    return ""


def _took(timings: Mapping[str, float]) -> str:
    return words.TOOK.format(total=timings["total_s"], clean=timings["clean_s"], first=timings["first_token_s"])


def _signal(event: SignalReady, dark: bool) -> Update:
    """Both pictures and the quality report."""
    from copilot.eeg import plots  # matplotlib takes a second to import: not before the first page

    raw, cleaned, quality = event.raw, event.cleaned, event.quality
    signal = plots.png(plots.signal_figure(raw, cleaned, quality, dark=dark))
    bands = plots.png(plots.band_power_figure(cleaned, quality, dark=dark))
    return {
        "signal_card": gr.update(visible=True),
        "quality": charts.quality(quality),
        "signal": charts.picture(signal, words.SIGNAL_ALT),
        "bands": charts.picture(bands, words.BANDS_ALT),
        "done": charts.subheading(words.DONE) + charts.sentences((*quality.sentences, *cleaned.notes)),
    }


def _transcript(messages: Sequence[Message]) -> str:
    return "\n\n".join(f"[{message['role']}]\n{message['content']}" for message in messages)
