"""Print the output of the command line: progress on stderr, the result on stdout."""

import shutil
import sys
import unicodedata
from dataclasses import dataclass, field

from copilot import NOTICE, emotions
from copilot.eeg.preprocessing.quality import Quality
from copilot.events import Event, PromptReady, RecordReady, ResultReady, SignalReady, StageBegun, StageProgress
from copilot.i18n import N_, Translator, messages
from copilot.i18n.terms import term
from copilot.llm.base import PromptProgress, Token, Waiting
from copilot.pipeline import STAGES
from copilot.result import Result
from copilot.text import percent

ASSESSMENT_HEADING = N_("Assessment:")
SUGGESTIONS_HEADING = N_("Suggestions:")


BAR_WIDTH = 30
_ERASE = "\r\x1b[2K"


@dataclass
class ProgressBar:
    """Progress on stderr: on a terminal one line that is overwritten, else one line per stage.

    Without a terminal, lines are not printed before the input is known to be good, so that an error is printed alone.
    """

    stage: str = ""
    translate: Translator = field(default_factory=lambda: Translator("en"))
    in_place: bool = field(default_factory=lambda: sys.stderr.isatty())
    _shown: bool = False
    _held: list[str] | None = field(default_factory=list)

    def show(self, event: Event) -> None:
        """Show the progress that this event reports, if any."""
        match event:
            case StageBegun():
                seconds = max(1, round(event.estimate_s))
                self.stage = self.translate(
                    N_("{stage} (about {seconds} s)"), stage=STAGES[event.stage], seconds=seconds
                )
                self._show_line(self.stage)
            case StageProgress():
                self._overwrite_line(f"{self.stage} {event.fraction:.0%} {self.translate(event.detail)}")
            case PromptProgress():
                self._overwrite_line(f"{self.stage} {event.done / max(1, event.total):.0%}")
            case Waiting():
                self._overwrite_line(self.translate(N_("Waiting for another stream of this model")))
            case PromptReady():
                self._print_held_lines()
            case _:
                self.clear()

    def clear(self) -> None:
        """Erase the overwritten line, before something else is printed."""
        if self._shown:
            print(_ERASE, end="", file=sys.stderr, flush=True)
        self._shown = False

    def _show_line(self, text: str) -> None:
        if self.in_place:
            self._overwrite_line(text)
        elif self._held is not None:
            self._held.append(text)
        else:
            print(text, file=sys.stderr, flush=True)

    def _overwrite_line(self, text: str) -> None:
        if self.in_place:
            width = shutil.get_terminal_size().columns - 1  # a line that wraps could not be erased
            print(f"{_ERASE}{text.rstrip()[:width]}", end="", file=sys.stderr, flush=True)
            self._shown = True

    def _print_held_lines(self) -> None:
        for line in self._held or ():
            print(line, file=sys.stderr, flush=True)
        self._held = None


#: Below this difference of probabilities there is nothing to draw.
UNIFORM = 0.001
NOT_SINGLED_OUT = N_("The EEG does not single out an emotion.")


@dataclass
class ResultPrinter:
    """Print the result: the signal's quality, probabilities, assessment, answers."""

    translate: Translator = field(default_factory=lambda: Translator("en"))
    _in_answer: bool = False

    def show(self, event: Event) -> None:
        """Print this event, if it belongs to the result."""
        match event:
            case SignalReady():
                print_text(describe_quality(event.quality, self.translate))
            case ResultReady(complete=False):
                print_text(f"\n{describe_result(event.result, self.translate)}\n\n{self.translate(ASSESSMENT_HEADING)}")
            case Token():
                # The first token begins with the space between it and the text before.
                print_text(event.text if self._in_answer else event.text.lstrip(), end="")
                self._in_answer = True
            case ResultReady(complete=True) if not self._in_answer:  # written by code: nothing was streamed
                suggestions = "\n".join(f"- {line}" for line in event.result.suggestions)
                print_text(f"{event.result.assessment}\n{self.translate(SUGGESTIONS_HEADING)}\n{suggestions}", end="")
            case RecordReady():
                print_text(f"\n\n{event.record.headline}\n{self.translate(NOTICE)}")


def print_text(text: str, end: str = "\n") -> None:
    """Print to stdout at once, without control characters: a model or a file may contain escape sequences."""
    print("".join(c for c in text if c.isprintable() or c in "\n\t"), end=end, flush=True)


def describe_quality(quality: Quality, translate: Translator) -> str:
    """Return the quality report as lines of text."""
    head = translate(
        N_("Quality: {trust}, {clean} of {total} s are clean ({percent})."),
        trust=term("quality", quality.trust),
        clean=quality.clean_seconds,
        total=quality.clean.size,
        percent=percent(quality.clean_share),
    )
    return "\n".join([head, *(f"- {translate(sentence)}" for sentence in quality.sentences)])


def describe_result(result: Result, translate: Translator) -> str:
    """Return nine bars, the most probable emotion, the source of the probabilities and the notes, as lines of text."""
    uniform = max(result.probabilities) - min(result.probabilities) < UNIFORM
    bars = [
        f"{_pad_text(translate(term('emotion', name)), 12)} {percent(p):>7}  {'█' * round(BAR_WIDTH * p)}".rstrip()
        for name, p in ([] if uniform else emotions.sort_by_probability(result.probabilities))
    ]
    first = (
        translate(N_("Too poor a recording to name an emotion; the numbers above are hardly more than a guess."))
        if result.trust == "poor"
        else f"{translate(NOT_SINGLED_OUT)} {translate(result.reliability)}"
        if result.situation == "any" and result.confidence == "unclear"
        else translate(
            N_("Most probable: {emotion} ({certainty}); {three_class}; valence {valence:+.2f}."),
            emotion=term("emotion", result.emotion),
            certainty=term("confidence", result.confidence),
            three_class=term("class", result.three_class),
            valence=result.valence,
        )
    )
    source = translate(
        N_("Probabilities from: {readout}; model {model}."),
        readout=messages.READOUT_SHORT[result.readout],
        model=result.model,
    )
    states = [f"- {translate(state.sentence)}" for state in result.states]
    return "\n".join([*states, *bars, first, source, *(f"- {translate(note)}" for note in result.notes)])


def _pad_text(text: str, width: int) -> str:
    """Return ``text`` with spaces after it; a Chinese character is two columns wide (Unicode Standard Annex 11)."""
    columns = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
    return text + " " * (width - columns)
