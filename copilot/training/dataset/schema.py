"""Make the paper's records (arXiv 2410.00166): ``prompt``, ``emotion_label``, ``treatment``, and their origin.

The prompt is the user message that ``copilot.prompt`` builds, word for word as in use; the treatment is what our
assistant writes behind the label's line. Facts about a person that the data lack are drawn at random, independently of
the label: in the paper's own example the appearance gave the answer away.
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
    """A labelled segment of one person's EEG in a text encoding.

    Attributes:
        subject: name of the person.
        clip: name of the film, or of the part of the recording.
        span: first second, and the second behind the last, counted from the clip's beginning.
        emotion: index of its label.
        person: what is known of the subject.
        split: ``train`` or ``test``.
        sampling_hz: the recording's sampling rate in Hz, or None where it is unknown.
        eeg_texts: the encoded EEG, one text per prompt.
        compared_with: ``person`` or ``population``.
        probabilities: probabilities of a classifier that was not fitted on this person, shape (9,).
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


def make_records(segment: LabelledSegment, codec: str, seed: int, with_evidence: bool) -> Iterator[Record]:
    """Yield the records of one segment: for each text one without the classifier's line and, if asked for, one with it.

    Args:
        segment: the segment.
        codec: name of its text encoding.
        seed: seeds what is drawn at random.
        with_evidence: add records with the classifier's line.
    """
    label = emotions.EMOTIONS[segment.emotion]
    for number in range(1, len(segment.eeg_texts) + 1):
        for evidence in (False, True) if with_evidence else (False,):
            rng = random.Random(f"{seed} {_segment_key(segment)} {number} {evidence}")
            person = complete_person(segment.person, segment.subject, seed, rng)
            yield {
                "prompt": _build_prompt(segment, person, codec, number, evidence),
                "emotion_label": label,
                "treatment": write_treatment(segment, person, rng),
                "subject": segment.subject,
                "clip": segment.clip,
                "window": list(segment.span),
                "segment": [number, len(segment.eeg_texts)],
                "codec": codec,
                "compared_with": segment.compared_with,
                "evidence": evidence,
                "split": segment.split,
                "sampling_hz": segment.sampling_hz,
            }


def _segment_key(segment: LabelledSegment) -> str:
    """Return a text that is different for every segment and does not depend on its label."""
    return f"{segment.subject} {segment.clip} {segment.span} {segment.compared_with}"


def _build_prompt(segment: LabelledSegment, person: Person, codec: str, number: int, evidence: bool) -> str:
    """Return the user message for the ``number``-th text of a segment, counted from 1."""
    messages = prompt.build_messages(
        person,
        segment.eeg_texts[number - 1],
        codec=codec,
        compared_with=segment.compared_with,
        evidence=segment.probabilities if evidence else None,
        segment=(number, len(segment.eeg_texts)),
    )
    return messages[-1]["content"]


def write_treatment(segment: LabelledSegment, person: Person, rng: random.Random) -> str:
    """Write the answer behind its first line: confidence, assessment and suggestions.

    The confidence is the classifier's where the classifier is right, and ``unclear`` where it is not: that signal does
    not support certainty about that label.

    Args:
        segment: the segment.
        person: whom the answer is about.
        rng: chooses among the sentences.
    """
    label = emotions.EMOTIONS[segment.emotion]
    right = emotions.find_top_emotion(segment.probabilities) == label
    level = emotions.grade_confidence(segment.probabilities) if right else "unclear"
    return f"Confidence: {level}\n{answer_templates.write_answer(label, person, level, rng)}"


def complete_person(known: Person, subject: str, seed: int, rng: random.Random) -> Person:
    """Return a person with the missing facts drawn: gender and age the same each time, own words each time anew.

    Args:
        known: what is known of the person.
        subject: name of the person, which seeds gender and age.
        seed: seeds gender and age, too.
        rng: draws the own words.
    """
    always, now = invent_person(random.Random(f"{seed} {subject}")), invent_person(rng)
    return Person(
        gender=always.gender if known.gender == "unspecified" else known.gender,
        age=always.age if known.age is None else known.age,
        **{name: getattr(known, name) or getattr(now, name) for name in OWN_WORDS},
    )
