"""Turn events of an analysis into updates of the page (see ``ResultScreen.show``)."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from copilot.chat import FixedText
from copilot.events import Event, PromptReady, RecordReady, ResultReady, SignalReady, StageBegun, StageProgress
from copilot.i18n import N_, Translator
from copilot.i18n import messages as shared_messages
from copilot.llm.base import Message, PromptProgress, Token, Waiting
from copilot.record.draft import draw_figures
from copilot.record.model import Figures
from copilot.result import Result, parse_answer
from copilot.web import charts, panels
from copilot.web.queue import Ahead, Opening
from copilot.web.wiring import Update, new_trigger_value

#: While text streams in, the page is redrawn at most once in this time, seconds.
REDRAW_S = 0.05


def clear_results() -> Update:
    """Return the page without a result.

    No card is shown or hidden from here: the style sheet shows a card as long as it has content. Gradio 6.31 loses a
    message that makes a part visible while the part is still being mounted.
    """
    texts = (
        *("urgent", "chat_status", "signal", "bands", "done", "quality", "reading", "assessment", "prompt", "question"),
        *("kept", "problem keep"),
    )
    return {**clear_problems(), **dict.fromkeys(texts, ""), "chatbot": []}


def clear_problems() -> Update:
    """Return the page without the errors of the last press."""
    parts = ("progress", "person_problem", "recording_problem", "consent_problem", "open_problem")
    return dict.fromkeys(parts, "")


def redraw_panel() -> Update:
    """Return an update that redraws the record panel from the session."""
    return {"panel": new_trigger_value()}


class ResultScreen:
    """The state of an analysis on the page, because events contain only what is new.

    Args:
        translate: into the visitor's language.
        dark: whether their page is dark.
    """

    def __init__(self, translate: Translator, *, dark: bool = False) -> None:
        self._translate, self._dark = translate, dark
        self.messages: list[Message] = []
        self.signal: SignalReady | None = None
        self.result: Result | None = None
        self._drawn: Figures | None = None
        self._progress: dict[str, float | None] = {}
        self._estimates: dict[str, float] = {}
        self._text = ""

    def show(self, event: Event | Ahead | Opening) -> Update:
        """Return what this event changes."""
        match event:
            case Ahead() | Opening() | Waiting() | PromptProgress():
                return self.show_stages(describe_waiting(self._translate, event))
            case StageBegun(stage, estimate_s):
                return self._begin_stage(stage, estimate_s)
            case StageProgress(stage, fraction, detail):
                self._progress[stage] = min(fraction, 0.99)
                return self.show_stages("", self._translate(detail))
            case SignalReady():
                return self._show_signal(event)
            case PromptReady(messages):
                self.messages = list(messages)
                return {"prompt": _format_messages(messages)}
            case Token(text):
                self._text += text
                return {"assessment": charts.prose(self._translate, *parse_answer(self._text), writing=True)}
            case ResultReady(result, complete):
                return self._show_result(result, complete)
            case RecordReady():
                assert self.result is not None
                return {
                    **redraw_panel(),
                    "progress": panels.message_card(_format_timings(self._translate, self.result.timings)),
                }

    def pictures(self) -> Figures:
        """Return the signal and its bands on white, as the record contains them."""
        assert self._drawn is not None
        return self._draw(dark=False) if self._dark else self._drawn

    def show_stages(self, status: str, detail: str = "") -> Update:
        """Return the stages, below a sentence about what is being waited for."""
        html = panels.stages(self._translate, status, self._progress, self._estimates, detail)
        return {"progress": html}

    def _begin_stage(self, stage: str, estimate_s: float) -> Update:
        self._progress |= dict.fromkeys(self._progress, 1.0) | {stage: None}
        self._estimates[stage] = estimate_s
        return self.show_stages("")

    def _show_signal(self, event: SignalReady) -> Update:
        """Return both pictures and the quality report."""
        self.signal, translate = event, self._translate
        drawn = self._drawn = self._draw(dark=self._dark)
        done = map(translate, (*event.quality.sentences, *event.cleaned.notes))
        return {
            "quality": charts.quality(translate, event.quality),
            "signal": charts.picture(drawn.signal, translate(shared_messages.SIGNAL_ALT)),
            "bands": charts.picture(drawn.bands, translate(shared_messages.BANDS_ALT)),
            "done": panels.subheading(translate(shared_messages.FOUND_AND_DONE)) + panels.sentences(done),
        }

    def _draw(self, *, dark: bool) -> Figures:
        assert self.signal is not None
        raw, cleaned, quality = self.signal.raw, self.signal.cleaned, self.signal.quality
        return draw_figures(raw, cleaned, quality, self._translate.language, dark=dark)

    def _show_result(self, result: Result, complete: bool) -> Update:
        self.result = result
        update = {"reading": charts.emotion_result(self._translate, result)}
        if not complete:
            return {**update, "assessment": charts.prose(self._translate, "", (), writing=True)}
        return {**update, "assessment": charts.prose(self._translate, result.assessment, result.suggestions)}


def join_tokens(events: Iterable[Any]) -> Iterator[Any]:
    """Yield the same events with tokens joined: redrawing the page for each token would slow the model down."""
    text, drawn = "", 0.0
    for event in events:
        if isinstance(event, Token) and not isinstance(event, FixedText):
            text += event.text
            if time.monotonic() - drawn < REDRAW_S:
                continue
        if text:
            yield Token(text)
            text, drawn = "", time.monotonic()
        if not isinstance(event, Token) or isinstance(event, FixedText):
            yield event
    if text:
        yield Token(text)


def describe_waiting(translate: Translator, event: object) -> str:
    """Return the sentence about what is being waited for, or an empty text."""
    match event:
        case Ahead(0):
            return ""
        case Ahead(1):
            return translate(N_("1 person is ahead of you. Your turn comes by itself."))
        case Ahead(count):
            return translate(N_("{count} people are ahead of you. Your turn comes by itself."), count=count)
        case Opening():
            return translate(N_("Opening the model"))
        case Waiting():
            return translate(N_("Finishing somebody else's answer first."))
        case PromptProgress(done, total):
            return translate(N_("{done} of {total} prompt tokens read"), done=done, total=total)
    return ""


def _format_timings(translate: Translator, timings: Mapping[str, float]) -> str:
    return translate(
        N_("Done in {total:.0f} s: signal ready after {clean:.1f} s, first word after {first:.1f} s."),
        total=timings["total_s"],
        clean=timings["clean_s"],
        first=timings["first_token_s"],
    )


def _format_messages(messages: Sequence[Message]) -> str:
    return "\n\n".join(f"[{message['role']}]\n{message['content']}" for message in messages)
