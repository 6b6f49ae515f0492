"""What the command line prints: progress on stderr, the reading on stdout."""

import shutil
import sys
import unicodedata
from dataclasses import dataclass, field

from copilot import NOTICE, emotions
from copilot.eeg.preprocessing.clean import Quality
from copilot.events import Event, PromptReady, RecordReady, ResultReady, SignalReady, StageBegun, StageProgress
from copilot.i18n import N_, Translator, english
from copilot.i18n.terms import term
from copilot.llm.base import PromptProgress, Token, Waiting
from copilot.pipeline import STAGES
from copilot.record.draft import percent
from copilot.result import Result

ASSESSMENT_BELOW = N_("Assessment:")


BAR_WIDTH = 30
_ERASE = "\r\x1b[2K"


@dataclass
class ProgressBar:
    """Progress on stderr: one line in place on a terminal, else one line a stage.

    Away from a terminal lines are held back until the input has proved good, so that an error stands alone.
    """

    stage: str = ""
    voice: Translator = field(default_factory=lambda: Translator("en"))
    in_place: bool = field(default_factory=lambda: sys.stderr.isatty())
    _shown: bool = False
    _held: list[str] | None = field(default_factory=list)

    def show(self, event: Event) -> None:
        """Tell how far things are, if this event says so."""
        match event:
            case StageBegun():
                seconds = max(1, round(event.estimate_s))
                self.stage = self.voice(N_("{stage} (about {seconds} s)"), stage=STAGES[event.stage], seconds=seconds)
                self._line(self.stage)
            case StageProgress():
                self._in_place(f"{self.stage} {event.fraction:.0%} {self.voice(event.detail)}")
            case PromptProgress():
                self._in_place(f"{self.stage} {event.done / max(1, event.total):.0%}")
            case Waiting():
                self._in_place(self.voice(N_("Waiting for another stream of this model")))
            case PromptReady():
                self._release()
            case _:
                self.clear()

    def clear(self) -> None:
        """Take the line in place away, before something else is printed."""
        if self._shown:
            print(_ERASE, end="", file=sys.stderr, flush=True)
        self._shown = False

    def _line(self, text: str) -> None:
        if self.in_place:
            self._in_place(text)
        elif self._held is not None:
            self._held.append(text)
        else:
            print(text, file=sys.stderr, flush=True)

    def _in_place(self, text: str) -> None:
        if self.in_place:
            room = shutil.get_terminal_size().columns - 1  # a line that wraps could not be erased
            print(f"{_ERASE}{text.rstrip()[:room]}", end="", file=sys.stderr, flush=True)
            self._shown = True

    def _release(self) -> None:
        for line in self._held or ():
            print(line, file=sys.stderr, flush=True)
        self._held = None


@dataclass
class ResultPrinter:
    """Prints what a person came for: the signal's quality, probabilities, assessment, answers."""

    voice: Translator = field(default_factory=lambda: Translator("en"))
    _speaking: bool = False

    def show(self, event: Event) -> None:
        """Print this event, if it says something."""
        match event:
            case SignalReady():
                say(quality_words(event.quality, self.voice))
            case ResultReady(complete=False):
                say(f"\n{reading_words(event.result, self.voice)}\n\n{self.voice(ASSESSMENT_BELOW)}")
            case Token():
                # The first token carries the space that parts it from the words before.
                say(event.text if self._speaking else event.text.lstrip(), end="")
                self._speaking = True
            case RecordReady():
                say(f"\n\n{event.record.headline}\n{self.voice(NOTICE)}")


def say(text: str, end: str = "\n") -> None:
    """Print to stdout at once, without what could steer the terminal: a model or a file may hold escape sequences."""
    print("".join(c for c in text if c.isprintable() or c in "\n\t"), end=end, flush=True)


def quality_words(quality: Quality, voice: Translator) -> str:
    """The quality report in words."""
    head = voice(
        N_("Quality: {trust}, {clean} of {total} s are clean ({percent})."),
        trust=term("quality", quality.trust),
        clean=quality.clean_seconds,
        total=quality.clean.size,
        percent=percent(quality.clean_share),
    )
    return "\n".join([head, *(f"- {voice(sentence)}" for sentence in quality.sentences)])


def reading_words(reading: Result, voice: Translator) -> str:
    """Nine bars, the read-outs, and what to know about them."""
    bars = [
        f"{_padded(voice(term('emotion', name)), 12)} {percent(p):>7}  {'█' * round(BAR_WIDTH * p)}".rstrip()
        for name, p in emotions.by_probability(reading.probabilities)
    ]
    first = (
        voice(N_("Too poor a recording to name an emotion; the numbers above are hardly more than a guess."))
        if reading.trust == "poor"
        else voice(
            N_("Most probable: {emotion} ({certainty}); {three_class}; valence {valence:+.2f}."),
            emotion=term("emotion", reading.emotion),
            certainty=term("confidence", reading.confidence),
            three_class=term("class", reading.three_class),
            valence=reading.valence,
        )
    )
    source = voice(
        N_("Probabilities from: {readout}; model {model}."),
        readout=english.READOUT_SHORT[reading.readout],
        model=reading.model,
    )
    return "\n".join([*bars, first, source, *(f"- {voice(note)}" for note in reading.notes)])


def _padded(text: str, width: int) -> str:
    """``text`` with spaces behind it; a Chinese character is two columns wide (Unicode Standard Annex 11)."""
    columns = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
    return text + " " * (width - columns)
