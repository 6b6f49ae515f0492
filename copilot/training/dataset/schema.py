"""The paper's record (arXiv 2410.00166): ``prompt``, ``emotion_label``, ``treatment``, and where they come from.

The prompt is the user message that ``copilot.prompt`` builds, word for word as in use; the treatment is what our
assistant writes behind the label's line. What the data does not say about a person is drawn at random, blind to the
label: in the paper's own example the appearance gave the answer away.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from copilot import emotions, prompt
from copilot.person import Person
from copilot.training import answer_templates
from copilot.training.synthetic import OWN_WORDS, invent_person

Record = dict[str, object]


@dataclass(frozen=True)
class LabelledSegment:
    """A labelled stretch of one person's EEG, as a codec wrote it.

    Attributes:
        subject: whose it is.
        clip: which film, or which part of which recording.
        span: its first second and the one behind its last, counted from the clip's beginning.
        emotion: index of its label.
        person: what is known of them.
        split: ``train`` or ``test``.
        sampling_hz: samples a second of the recording, where that is known.
        eeg_texts: what the codec wrote, one text a prompt.
        compared_with: ``person`` or ``population``.
        probabilities: of a decoder that was not fitted on this person, shape (9,).
    """

    subject: str
    clip: str
    span: tuple[int, int]
    emotion: int
    person: Person
    split: str
    sampling_hz: float | None
    eeg_texts: tuple[str, ...]
    compared_with: str
    probabilities: emotions.Probabilities


def records(stretch: LabelledSegment, codec: str, seed: int, with_evidence: bool) -> Iterator[Record]:
    """The records of one stretch: of each text one without the decoder's line and, if asked for, one with it."""
    label = emotions.EMOTIONS[stretch.emotion]
    for number in range(1, len(stretch.eeg_texts) + 1):
        for evidence in (False, True) if with_evidence else (False,):
            rng = random.Random(f"{seed} {_place(stretch)} {number} {evidence}")
            person = introduce(stretch.person, stretch.subject, seed, rng)
            yield {
                "prompt": _prompt(stretch, person, codec, number, evidence),
                "emotion_label": label,
                "treatment": treatment(stretch, person, rng),
                "subject": stretch.subject,
                "clip": stretch.clip,
                "window": list(stretch.span),
                "segment": [number, len(stretch.eeg_texts)],
                "codec": codec,
                "compared_with": stretch.compared_with,
                "evidence": evidence,
                "split": stretch.split,
                "sampling_hz": stretch.sampling_hz,
            }


def _place(stretch: LabelledSegment) -> str:
    """What tells a stretch from all others; its label is no part of it."""
    return f"{stretch.subject} {stretch.clip} {stretch.span} {stretch.compared_with}"


def _prompt(stretch: LabelledSegment, person: Person, codec: str, number: int, evidence: bool) -> str:
    messages = prompt.build_messages(
        person,
        stretch.eeg_texts[number - 1],
        codec=codec,
        compared_with=stretch.compared_with,
        evidence=stretch.probabilities if evidence else None,
        segment=(number, len(stretch.eeg_texts)),
    )
    return messages[-1]["content"]


def treatment(stretch: LabelledSegment, person: Person, rng: random.Random) -> str:
    """The answer behind its first line: confidence, assessment and suggestions.

    The confidence is that of the decoder where the decoder is right, and ``unclear`` where it is not: nobody could
    have been sure of that label from that signal.
    """
    label = emotions.EMOTIONS[stretch.emotion]
    right = emotions.find_top_emotion(stretch.probabilities) == label
    level = emotions.grade_confidence(stretch.probabilities) if right else "unclear"
    return f"Confidence: {level}\n{answer_templates.answer(label, person, level, rng)}"


def introduce(known: Person, subject: str, seed: int, rng: random.Random) -> Person:
    """What is known of a person; the rest is drawn, their gender and age once for all, their words each time anew."""
    always, now = invent_person(random.Random(f"{seed} {subject}")), invent_person(rng)
    return Person(
        gender=always.gender if known.gender == "unspecified" else known.gender,
        age=always.age if known.age is None else known.age,
        **{name: getattr(known, name) or getattr(now, name) for name in OWN_WORDS},
    )
