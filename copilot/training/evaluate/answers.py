"""Whole answers, checked as a reader would: complete, of three suggestions, and never against their own label.

People are invented, trials and evidence are real ones that nobody was fitted on. Each answer is written as in use:
labels scored first, prose behind the winning one, then a draft record out of both.
"""

import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from statistics import mean, median
from typing import Any

import numpy as np

from copilot import emotions, pipeline
from copilot.eeg.preprocessing.clean import Quality
from copilot.eeg.types import Recording
from copilot.person import Person
from copilot.record.draft import draft
from copilot.result import Result, parse_answer
from copilot.training.answer_templates import other_emotions
from copilot.training.evaluate.ablations import UNITS, PromptedTrial, make_items
from copilot.training.evaluate.model import ModelUnderTest
from copilot.training.faced import Faced
from copilot.training.synthetic import invent_person

SEED = 5
SENTENCE_END = (".", "!", "?")
SUGGESTIONS = 3
LEAST_SENTENCES = 2
#: Stands for the recording that the features came from; a record needs one.
RECORDING = Recording(np.zeros((1, 250), np.float32), 250.0, ("Cz",), "features")
QUALITY = Quality((), None, 0.0, np.ones(1, bool), {}, "good", ())


@dataclass(frozen=True)
class Answer:
    """One written answer.

    Attributes:
        emotion: its label.
        text: all of it, the label included.
        faults: what is wrong with it, in a few words each.
        label_s: seconds until the label was known; written_s: until the text was whole.
    """

    emotion: str
    text: str
    faults: tuple[str, ...]
    label_s: float
    written_s: float


def ask(candidate: ModelUnderTest, faced: Faced, count: int) -> Iterator[Answer]:
    """Answers to prompts drawn at random, with baseline and evidence; the same ones every time."""
    items = [item for unit in UNITS for item in make_items(faced, unit, "baseline", candidate.decoder, candidate.codec)]
    rng = random.Random(SEED)
    for _ in range(count):
        yield _answer(candidate, replace(rng.choice(items), person=invent_person(rng)))


def _answer(candidate: ModelUnderTest, item: PromptedTrial) -> Answer:
    messages, begun = item.messages(with_evidence=True), time.perf_counter()
    probabilities = pipeline.run_to_end(pipeline.predict(candidate.engine, [messages])).probabilities
    label_s = time.perf_counter() - begun
    answer = pipeline.run_to_end(pipeline.write(candidate.engine, messages, probabilities))
    written_s = time.perf_counter() - begun
    found = list(faults(answer.text, item.person, probabilities))
    if answer.cut_off:
        found.append("does not end")
    return Answer(emotions.find_top_emotion(probabilities), answer.text, tuple(found), label_s, written_s)


def faults(text: str, person: Person, probabilities: emotions.Probabilities) -> Iterator[str]:
    """What keeps an answer from being a complete record, or speaks against its label."""
    assessment, suggestions = parse_answer(text)
    sentences = re.findall(r"[^.!?]+[.!?]", assessment)
    if len(sentences) < LEAST_SENTENCES or not assessment.endswith(SENTENCE_END):
        yield "assessment is not of whole sentences"
    if len(suggestions) != SUGGESTIONS or not all(line.endswith(SENTENCE_END) for line in suggestions):
        yield f"{len(suggestions)} suggestions, or unfinished ones"
    if empty := _empty_fields(person, probabilities, assessment, suggestions):
        yield f"record without {', '.join(empty)}"
    if others := other_emotions(" ".join([assessment, *suggestions]), emotions.find_top_emotion(probabilities)):
        yield f"contradicts its label: {', '.join(others)}"


def _empty_fields(
    person: Person, probabilities: emotions.Probabilities, assessment: str, suggestions: tuple[str, ...]
) -> list[str]:
    """What the model should have filled in a record and did not."""
    reading = Result(probabilities, "both", assessment, suggestions, "", {}, "", "", "", "")
    record = draft(person, RECORDING, QUALITY, reading, now=datetime.now(UTC))
    return [field.label for field in record.fields if field.origin.kind == "suggested" and not field.value]


def summary(answers: list[Answer]) -> dict[str, Any]:
    """Counts, times and the answers that failed."""
    contradicting = [a for a in answers if any(fault.startswith("contradicts") for fault in a.faults)]
    incomplete = [a for a in answers if any(not fault.startswith("contradicts") for fault in a.faults)]
    failures = [{"emotion": a.emotion, "faults": list(a.faults), "text": a.text} for a in answers if a.faults]
    return {
        "asked": len(answers),
        "complete": len(answers) - len(incomplete),
        "contradicting": len(contradicting),
        "failures": failures,
        "seconds": {
            name: {"mean": round(mean(each), 4), "median": round(median(each), 4)}
            for name, each in (("label", [a.label_s for a in answers]), ("answer", [a.written_s for a in answers]))
        },
    }
