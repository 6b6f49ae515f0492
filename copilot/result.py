"""Define the result of one recording: nine probabilities and the prose that belongs to them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from copilot import emotions
from copilot.evidence import Evidence

#: How many times as likely as by chance an emotion has to be to be named, by situation.
NAMED_FROM = {"any": 2.0, "faced-films": 1.5}


@dataclass(frozen=True)
class Result:
    """The result of one recording.

    Attributes:
        probabilities: nine, shape (9,), in the order of ``emotions.EMOTIONS``, calibrated, sum 1.
        readout: where they come from: ``both``, ``model`` or ``decoder``.
        assessment: prose; no label in it contradicts ``emotion``.
        suggestions: short sentences.
        raw: the model's answer, unchanged.
        timings: ``clean_s``, ``first_token_s``, ``total_s`` since the start of the analysis, in seconds.
        model: id of the model file or server model.
        model_sha256: empty for a remote model.
        prompt_sha256: of the rendered messages.
        codec: name of the text encoding.
        notes: what a reader must know about this result (another text encoding, cut short, ...), plain sentences.
        decoder_sha256: of the classifier's file, empty if there is none.
        trust: the recording's quality, ``good``, ``fair`` or ``poor``.
        situation: what the probabilities are calibrated for, one of ``settings.PROTOCOLS``.
        informative: whether what was measured in this situation is better than guessing.
        reliability: how often such a result is right, one sentence.
        states: what the EEG tells about the person's state, empty where the quality is poor.
        calibrated: whether it was measured, for this model and this kind of prompt, how often such probabilities are
            right.
    """

    probabilities: emotions.Probabilities
    readout: str
    assessment: str
    suggestions: tuple[str, ...]
    raw: str
    timings: dict[str, float]
    model: str
    model_sha256: str
    prompt_sha256: str
    codec: str
    notes: tuple[str, ...] = ()
    calibrated: bool = False
    decoder_sha256: str = ""
    trust: str = "good"
    states: tuple[Evidence, ...] = ()
    situation: str = "faced-films"
    informative: bool = True
    reliability: str = ""

    @property
    def emotion(self) -> str:
        """Return the most probable emotion."""
        return emotions.find_top_emotion(self.probabilities)

    @property
    def three_class(self) -> str:
        """Return the most probable of negative, neutral, positive."""
        return emotions.THREE_CLASSES[int(emotions.sum_three_classes(self.probabilities).argmax())]

    @property
    def valence(self) -> float:
        """Return the expected valence, -1 to +1."""
        return emotions.compute_valence(self.probabilities)

    @property
    def confidence(self) -> str:
        """Return ``clear``, ``leaning`` or ``unclear``; see ``grade_result``."""
        return grade_result(self.probabilities, self.situation, self.trust, self.states, informative=self.informative)

    @property
    def asleep(self) -> bool:
        """Return whether the person slept or was drowsy for most of the recording."""
        return is_asleep(self.states)

    @property
    def certain(self) -> bool:
        """Return whether the confidence is ``clear``."""
        return self.confidence == "clear"


def grade_result(
    probabilities: emotions.Probabilities, situation: str, trust: str, states: Iterable[Evidence], *, informative: bool
) -> str:
    """Return how far the first emotion is ahead of the others: ``clear``, ``leaning`` or ``unclear``.

    Nothing is named in sleep, nor where such results are no better than guessing; and of a recording of any kind only
    what is at least twice as likely as by chance.

    Args:
        probabilities: nine, shape (9,).
        situation: what they are calibrated for, one of ``settings.PROTOCOLS``.
        trust: the recording's quality, ``good``, ``fair`` or ``poor``.
        states: what the EEG tells about the person's state.
        informative: whether what was measured in this situation is better than guessing.
    """
    if is_asleep(states) or not informative:
        return "unclear"
    return emotions.grade_confidence(probabilities, trust, NAMED_FROM[situation])


def is_asleep(states: Iterable[Evidence]) -> bool:
    """Return whether the person slept or was drowsy for most of a recording with these states."""
    return any(state.source == "sleep" and state.finding in ("asleep", "drowsy") for state in states)


def parse_answer(text: str) -> tuple[str, tuple[str, ...]]:
    """Split an answer into (assessment, suggestions).

    The expected form is ``Assessment: prose``, then ``Suggestions:`` with one ``- `` line each. Everything else that a
    model writes is kept: prose without headings is all assessment.
    """
    body = _LABEL_LINES.sub("", text)
    head, *rest = _SUGGESTIONS.split(body, maxsplit=1)
    lines = (_BULLET.sub("", line.strip()) for line in (rest[0] if rest else "").splitlines())
    return _ASSESSMENT.sub("", head, count=1).strip(), tuple(line for line in lines if line)


def _heading_pattern(word: str) -> re.Pattern[str]:
    """Return a pattern for ``word`` at the start of a line, with a colon or alone, perhaps in Markdown's bold."""
    return re.compile(rf"^[ \t#*_]*{word}[ \t*_]*(?::[ \t*_]*|$)", re.I | re.M)


#: The first lines of an answer, which repeat what is known from the probabilities.
_LABEL_LINES = re.compile(r"^\s*(?:[#*_]*(?:Emotion|Confidence)[*_]*:[^\n]*(?:\n|$)\s*)+", re.I)
_ASSESSMENT, _SUGGESTIONS = _heading_pattern("assessment"), _heading_pattern("suggestions?")
_BULLET = re.compile(r"^(?:[-*•]|\d+[.)])(?:\s+|$)")
