"""Define evidence: what one source says about the person or the recording, and how often such findings are right."""

from dataclasses import dataclass

from copilot.i18n import Message


@dataclass(frozen=True)
class Evidence:
    """A finding, with its reliability.

    Attributes:
        source: the question, such as ``eyes`` or ``effort``.
        finding: the answer, one of the source's values; ``unclear`` where the EEG does not tell.
        probability: of the finding, calibrated; None where a rule gives it.
        sentence: the finding in plain words.
        reliability: on whom it was measured, how often it was right there, and what guessing would reach; a sentence
            that needs no statistics.
    """

    source: str
    finding: str
    probability: float | None
    sentence: Message
    reliability: Message
