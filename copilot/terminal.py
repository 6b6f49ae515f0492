"""What the command line prints: progress on stderr, the reading on stdout."""

import shutil
import sys
from dataclasses import dataclass, field

from copilot import NOTICE, emotions
from copilot.analysis import (
    STAGES,
    Event,
    PromptReady,
    ReadingReady,
    RecordReady,
    SignalReady,
    StageBegun,
    StageProgress,
)
from copilot.eeg.cleaning import Quality
from copilot.engine.base import PromptProgress, Token, Waiting
from copilot.reading import Reading
from copilot.record.record import READOUT_WORDS, percent

BAR_WIDTH = 30
_ERASE = "\r\x1b[2K"


@dataclass
class Progress:
    """Progress on stderr: one line in place on a terminal, else one line a stage.

    Away from a terminal lines are held back until the input has proved good, so that an error stands alone.
    """

    stage: str = ""
    in_place: bool = field(default_factory=lambda: sys.stderr.isatty())
    _shown: bool = False
    _held: list[str] | None = field(default_factory=list)

    def show(self, event: Event) -> None:
        """Tell how far things are, if this event says so."""
        match event:
            case StageBegun():
                self.stage = f"{STAGES[event.stage]} (about {max(1, round(event.estimate_s))} s)"
                self._line(self.stage)
            case StageProgress():
                self._in_place(f"{self.stage} {event.fraction:.0%} {event.detail}")
            case PromptProgress():
                self._in_place(f"{self.stage} {event.done / max(1, event.total):.0%}")
            case Waiting():
                self._in_place("Waiting for another stream of this model")
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
class Report:
    """Prints what a person came for: the signal's quality, probabilities, assessment, answers."""

    _speaking: bool = False

    def show(self, event: Event) -> None:
        """Print this event, if it says something."""
        match event:
            case SignalReady():
                say(quality_words(event.quality))
            case ReadingReady(complete=False):
                say(f"\n{reading_words(event.reading)}\n\nAssessment:")
            case Token():
                # The first token carries the space that parts it from the words before.
                say(event.text if self._speaking else event.text.lstrip(), end="")
                self._speaking = True
            case RecordReady():
                say(f"\n\n{event.record.headline}\n{NOTICE}")


def say(text: str, end: str = "\n") -> None:
    """Print to stdout at once, without what could steer the terminal: a model or a file may hold escape sequences."""
    print("".join(c for c in text if c.isprintable() or c in "\n\t"), end=end, flush=True)


def quality_words(quality: Quality) -> str:
    """The quality report in words."""
    share = f"{quality.clean_seconds} of {quality.clean.size} s are clean ({percent(quality.clean_share)})"
    return "\n".join([f"Quality: {quality.trust}, {share}.", *(f"- {sentence}" for sentence in quality.sentences)])


def reading_words(reading: Reading) -> str:
    """Nine bars, the read-outs, and what to know about them."""
    bars = [
        f"{name:<12} {percent(p):>7}  {'█' * round(BAR_WIDTH * p)}".rstrip()
        for name, p in emotions.by_probability(reading.probabilities)
    ]
    certainty = emotions.confidence(reading.probabilities)
    return "\n".join(
        [
            *bars,
            f"Most probable: {reading.emotion} ({certainty}); {reading.three_class}; valence {reading.valence:+.2f}.",
            f"Probabilities from: {READOUT_WORDS[reading.readout]}; model {reading.model}.",
            *(f"- {note}" for note in reading.notes),
        ]
    )
