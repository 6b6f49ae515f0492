"""Write whole answers and check them: complete, with three suggestions, and never contradicting their own label.

People are invented; trials and evidence are real, from people who were not in the training. Each answer is written as
in use: the labels are scored first, then comes the text behind the most probable one, then a draft record from both.
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
from copilot.eeg.preprocessing.quality import Quality
from copilot.eeg.types import Recording
from copilot.person import Person
from copilot.record.draft import draft
from copilot.result import Result, parse_answer
from copilot.training.answer_templates import find_other_emotions
from copilot.training.evaluate.ablations import UNITS, make_prompted_trials
from copilot.training.evaluate.model import ModelUnderTest
from copilot.training.faced import Faced
from copilot.training.synthetic import invent_person

SEED = 5
SENTENCE_END = (".", "!", "?")
SUGGESTIONS = 3
LEAST_SENTENCES = 2
#: Placeholder for the recording that the features came from; a record needs one.
RECORDING = Recording(np.zeros((1, 250), np.float32), 250.0, ("Cz",), "features")
QUALITY = Quality((), None, 0.0, np.ones(1, bool), {}, "good", ())


@dataclass(frozen=True)
class Answer:
    """One written answer.

    Attributes:
        emotion: its label.
        text: the whole text, the label included.
        faults: its faults, in a few words each.
        label_s: seconds until the label was known.
        written_s: seconds until the text was complete.
    """

    emotion: str
    text: str
    faults: tuple[str, ...]
    label_s: float
    written_s: float


def write_answers(model: ModelUnderTest, faced: Faced, count: int) -> Iterator[Answer]:
    """Yield answers to prompts with baseline and evidence, drawn at random; the same ones every time.

    Args:
        model: the model that writes.
        faced: features of the people whose trials are drawn.
        count: number of answers.
    """
    trials = [
        trial
        for unit in UNITS
        for trial in make_prompted_trials(faced, unit, "baseline", model.classifier, model.codec)
    ]
    rng = random.Random(SEED)
    for _ in range(count):
        trial = rng.choice(trials)
        of_nobody, begun = trial.messages(with_evidence=True), time.perf_counter()
        probabilities = pipeline.run_to_end(pipeline.predict(model.engine, [of_nobody])).probabilities
        label_s = time.perf_counter() - begun
        trial = replace(trial, person=invent_person(rng))
        answer = pipeline.run_to_end(pipeline.write(model.engine, trial.messages(with_evidence=True), probabilities))
        written_s = time.perf_counter() - begun
        faults = [*find_faults(answer.text, trial.person, probabilities), *(["does not end"] if answer.cut_off else [])]
        yield Answer(emotions.find_top_emotion(probabilities), answer.text, tuple(faults), label_s, written_s)


def find_faults(text: str, person: Person, probabilities: emotions.Probabilities) -> Iterator[str]:
    """Yield what makes an answer an incomplete record, or contradicts its label.

    Args:
        text: the whole answer.
        person: whom the answer is about.
        probabilities: of the nine emotions, shape (9,); the largest decides the label.
    """
    assessment, suggestions = parse_answer(text)
    sentences = re.findall(r"[^.!?]+[.!?]", assessment)
    if len(sentences) < LEAST_SENTENCES or not assessment.endswith(SENTENCE_END):
        yield "assessment is not of whole sentences"
    if len(suggestions) != SUGGESTIONS or not all(line.endswith(SENTENCE_END) for line in suggestions):
        yield f"{len(suggestions)} suggestions, or unfinished ones"
    result = Result(probabilities, "both", assessment, suggestions, "", {}, "", "", "", "")
    record = draft(person, RECORDING, QUALITY, result, now=datetime.now(UTC))
    if empty := [f.label for f in record.fields if f.origin.kind == "suggested" and not f.value]:
        yield f"record without {', '.join(empty)}"
    if others := find_other_emotions(" ".join([assessment, *suggestions]), emotions.find_top_emotion(probabilities)):
        yield f"contradicts its label: {', '.join(others)}"


def summarise(answers: list[Answer]) -> dict[str, Any]:
    """Return counts, times in seconds and the answers that failed."""
    contradicting = [a for a in answers if any(fault.startswith("contradicts") for fault in a.faults)]
    incomplete = [a for a in answers if any(not fault.startswith("contradicts") for fault in a.faults)]
    failures = [{"emotion": a.emotion, "faults": list(a.faults), "text": a.text} for a in answers if a.faults]
    return {
        "asked": len(answers),
        "complete": len(answers) - len(incomplete),
        "contradicting": len(contradicting),
        "failures": failures,
        "seconds": {
            name: {"mean": round(mean(seconds), 4), "median": round(median(seconds), 4)}
            for name, seconds in (("label", [a.label_s for a in answers]), ("answer", [a.written_s for a in answers]))
        },
    }
