"""What the copilot says about one recording: nine probabilities and the prose that goes with them."""

import re
from dataclasses import dataclass, field

from copilot import emotions


@dataclass(frozen=True)
class Reading:
    """The answer, as everything after the engine sees it.

    Attributes:
        probabilities: nine, in the order of ``emotions.EMOTIONS``, calibrated, sum 1.
        readout: where they come from: ``both``, ``model`` or ``decoder``.
        assessment: prose, no label contradicting ``emotion``.
        suggestions: short sentences.
        raw: the model's answer as it came.
        timings: ``clean_s``, ``first_token_s``, ``total_s`` since the start of the walk, in seconds.
        model: id of the model file or server model.
        model_sha256: empty for a remote model.
        prompt_sha256: of the rendered messages.
        codec: name of the EEG text's codec.
        notes: what a reader must know about this reading (codec not trained, cut short, ...), plain sentences.
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
    notes: tuple[str, ...] = field(default=())

    @property
    def emotion(self) -> str:
        """The most probable emotion."""
        return emotions.top(self.probabilities)

    @property
    def three_class(self) -> str:
        """The most probable of negative, neutral, positive."""
        return emotions.THREE_CLASSES[int(emotions.three_classes(self.probabilities).argmax())]

    @property
    def valence(self) -> float:
        """Expected valence, -1 to +1."""
        return emotions.valence(self.probabilities)

    @property
    def confidence(self) -> str:
        """``clear``, ``leaning`` or ``unclear``; see ``emotions.confidence``."""
        return emotions.confidence(self.probabilities)

    @property
    def certain(self) -> bool:
        """Whether the first emotion stands out from the others."""
        return self.confidence == "clear"


def parse_answer(text: str) -> tuple[str, tuple[str, ...]]:
    """Split an answer into (assessment, suggestions).

    The expected form is ``Assessment: prose``, then ``Suggestions:`` with one ``- `` line each; whatever else a model
    writes is kept: prose without headings is all assessment.
    """
    body = re.sub(r"^\s*(?:(?:Emotion|Confidence):[^\n]*(?:\n|$)\s*)+", "", text, flags=re.I)
    head, *rest = re.split(r"^\W*suggestions?\W*$|\n\W*suggestions?\W*:|^\W*suggestions?\W*:", body, maxsplit=1, flags=re.I | re.M)
    assessment = re.sub(r"^\W*assessment\W*:\s*", "", head.strip(), flags=re.I).strip()
    lines = (re.sub(r"^(?:[-*•]|\d+[.)])\s*", "", line.strip()) for line in (rest[0] if rest else "").splitlines())
    return assessment, tuple(line for line in lines if line)
