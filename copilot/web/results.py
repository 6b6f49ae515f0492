"""Turn events of an analysis into updates of the page (see ``ResultScreen.show``)."""

import time
from collections.abc import Iterable, Iterator
from typing import Any

import gradio as gr
import numpy as np

from copilot import emotions
from copilot.chat import FixedText
from copilot.chat.replies import nearest_questions
from copilot.events import Event, PromptReady, RecordReady, ResultReady, SignalReady, StageBegun, StageProgress
from copilot.i18n import N_, Translator
from copilot.i18n import messages as shared_messages
from copilot.llm.base import Message, PromptProgress, Token, Waiting
from copilot.pipeline import STAGES
from copilot.prompt import NO_EMOTION
from copilot.record.draft import draw_figures
from copilot.record.model import Figures
from copilot.result import Result, parse_answer
from copilot.web.html import message, render
from copilot.web.layout import FIRST_QUESTIONS, Page, new_trigger_value
from copilot.web.queue import Ahead, Opening
from copilot.web.session import Update

#: While text streams in, the page is redrawn at most once in this time, seconds.
REDRAW_S = 0.05


def clear_results(page: Page) -> Update:
    """Return the page without a result.

    No card is shown or hidden from here: the style sheet shows a card as long as it has content. Gradio 6.31 loses a
    message that makes a part visible while the part is still being mounted.
    """
    texts = (*vars(page.results).values(), page.prompt, page.chat.status, page.chat.question)
    kept = (page.record.kept, page.record.problem)
    asks = offer_questions(page, nearest_questions(FIRST_QUESTIONS, page.translate))
    return {**clear_problems(page), **dict.fromkeys((*texts, *kept), ""), page.chat.chatbot: [], **asks}


def offer_questions(page: Page, questions: list[str]) -> Update:
    """Return the buttons with these questions; buttons that are left over are hidden."""
    texts = [*questions, *[""] * len(page.chat.asks)]
    return {
        button: gr.update(value=text, visible=bool(text)) for button, text in zip(page.chat.asks, texts, strict=False)
    }


def clear_problems(page: Page) -> Update:
    """Return the page without the errors of the last press."""
    cards = (page.person, page.recording, page.consent, page.actions)
    return dict.fromkeys((page.results.progress, *(card.problem for card in cards)), "")


def set_buttons(page: Page, *, analyse: bool, stop: bool) -> Update:
    """Enable or disable Analyse and Stop. The update is new each time, because Gradio changes updates in place."""
    return {page.actions.analyse: gr.update(interactive=analyse), page.actions.stop: gr.update(interactive=stop)}


def redraw_panel(page: Page) -> Update:
    """Return an update that redraws the record panel from the session."""
    return {page.record.redraw: new_trigger_value()}


class ResultScreen:
    """The state of an analysis on the page, because events contain only what is new.

    Args:
        page: the page in the visitor's language.
        dark: whether their page is dark.
    """

    def __init__(self, page: Page, *, dark: bool = False) -> None:
        self._page, self._translate, self._dark = page, page.translate, dark
        self.messages: list[Message] = []
        self.signal: SignalReady | None = None
        self.result: Result | None = None
        self._drawn: Figures | None = None
        self._progress: dict[str, float | None] = {}
        self._estimates: dict[str, float] = {}
        self._text = ""

    def show(self, event: Event | Ahead | Opening) -> Update:
        """Return what this event changes."""
        translate, results = self._translate, self._page.results
        match event:
            case Ahead() | Opening() | Waiting() | PromptProgress():
                return self._show_stages(describe_waiting(translate, event))
            case StageBegun(stage, estimate_s):
                self._progress |= dict.fromkeys(self._progress, 1.0) | {stage: None}
                self._estimates[stage] = estimate_s
                return self._show_stages("")
            case StageProgress(stage, fraction, detail):
                self._progress[stage] = min(fraction, 0.99)
                return self._show_stages("", translate(detail))
            case SignalReady():
                self.signal = event
                return self._show_signal(event)
            case PromptReady(messages):
                self.messages = list(messages)
                prompt = "\n\n".join(f"[{message['role']}]\n{message['content']}" for message in messages)
                return {self._page.prompt: prompt}
            case Token(text):
                self._text += text
                assessment, suggestions = parse_answer(self._text)
                return {results.assessment: self._render_prose(assessment, suggestions, writing=True)}
            case ResultReady(result, complete):
                self.result = result
                prose = (result.assessment, result.suggestions) if complete else ("", ())
                by_code = result.raw.startswith(NO_EMOTION)
                return {
                    results.emotion: render_emotion(translate, result),
                    results.assessment: self._render_prose(*prose, writing=not complete, by_code=by_code),
                }
            case RecordReady():
                assert self.result is not None
                timings = self.result.timings
                done = translate(
                    N_("Done in {total:.0f} s: signal ready after {clean:.1f} s, first word after {first:.1f} s."),
                    total=timings["total_s"],
                    clean=timings["clean_s"],
                    first=timings["first_token_s"],
                )
                return {**redraw_panel(self._page), results.progress: message("said", done)}

    def pictures(self) -> Figures:
        """Return the signal and its bands on white, as the record contains them."""
        assert self._drawn is not None
        return self._draw(dark=False) if self._dark else self._drawn

    def _show_stages(self, waiting: str, detail: str = "") -> Update:
        """Return the stages, below a sentence about what is being waited for."""
        state = {"progress": self._progress, "estimates": self._estimates}
        html = render("stages", self._translate, names=STAGES, waiting=waiting, detail=detail, **state)
        return {self._page.results.progress: html}

    def _show_signal(self, event: SignalReady) -> Update:
        """Return both pictures and the quality report."""
        results, translate, quality = self._page.results, self._translate, event.quality
        drawn = self._drawn = self._draw(dark=self._dark)
        edges = np.flatnonzero(np.diff(np.concatenate(([0], quality.clean.astype(np.int8), [0]))))
        found = [translate(sentence) for sentence in (*quality.sentences, *event.cleaned.notes)]
        signal_alt, bands_alt = translate(shared_messages.SIGNAL_ALT), translate(shared_messages.BANDS_ALT)
        return {
            results.quality: render("quality", translate, quality=quality, runs=edges.reshape(-1, 2).tolist()),
            results.signal: render("picture", translate, png=drawn.signal, alt=signal_alt) + self._draw_stages(),
            results.bands: render("picture", translate, png=drawn.bands, alt=bands_alt),
            results.done: render("done", translate, sentences=found),
        }

    def _draw_stages(self) -> str:
        """Return the picture of the sleep stages that the file states, or nothing."""
        assert self.signal is not None
        if not self.signal.cleaned.stages:
            return ""
        from copilot.eeg import plots  # matplotlib takes a second to import

        figure = plots.draw_hypnogram(self.signal.cleaned, dark=self._dark, language=self._translate.language)
        alt = self._translate(N_("Sleep stages over time, as the file states them."))
        return render("picture", self._translate, png=plots.encode_png(figure), alt=alt)

    def _draw(self, *, dark: bool) -> Figures:
        assert self.signal is not None
        raw, cleaned, quality = self.signal.raw, self.signal.cleaned, self.signal.quality
        return draw_figures(raw, cleaned, quality, self._translate.language, dark=dark)

    def _render_prose(
        self, assessment: str, suggestions: Iterable[str], *, writing: bool, by_code: bool = False
    ) -> str:
        """Return the model's words, which are English, with a cursor while it is writing; or what code wrote."""
        words = {"assessment": assessment, "suggestions": suggestions, "writing": writing}
        return render("prose", self._translate, lang=self._translate.language if by_code else "en", **words)


def render_emotion(translate: Translator, result: Result) -> str:
    """Return the emotion with its uncertainty: headline, nine bars, three classes, valence, source."""
    return render(
        "emotion",
        translate,
        result=result,
        uniform=emotions.is_uniform(result.probabilities),
        ranked=emotions.sort_by_probability(result.probabilities),
        classes=list(zip(emotions.THREE_CLASSES, emotions.sum_three_classes(result.probabilities), strict=True)),
        tones=dict(zip(emotions.EMOTIONS, (emotions.THREE_CLASSES[n] for n in emotions.CLASS_OF), strict=True)),
        notes=[translate(note) for note in result.notes],
    )


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
