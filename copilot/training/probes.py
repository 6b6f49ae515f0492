"""Conversations that a quantised model is measured on: ``python -m copilot.training.probes > convert/probes.jsonl``.

The product's own prompts and answers, about people who do not exist, with letters of EEG and decoder's evidence drawn
by chance: nobody's data, so the file can be shipped. The same bytes every time, until the prompt changes.
"""

import json
import random
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from copilot import emotions, prompt
from copilot.eeg.codecs import bands_text
from copilot.eeg.features import BANDS_HZ, ELECTRODES, Array, Normal
from copilot.training import texts
from copilot.training.invention import NINETEEN, invent_evidence, invent_person

COUNT = 48
SEED = 20260000
#: Every so many-th conversation has no evidence, and every so many-th only the 19 usual electrodes.
WITHOUT_EVIDENCE, WITH_FEWER_ELECTRODES = 4, 3

SHAPE = (len(ELECTRODES), len(BANDS_HZ))


def probes() -> Iterator[dict[str, Any]]:
    """The conversations: ``messages``, ``prefix`` of the answer, ``labels`` scored behind it, and the ``answer``."""
    rng = random.Random(SEED)
    for number in range(COUNT):
        person, evidence = invent_person(rng), invent_evidence(rng)
        source = rng.choice(("person", "population"))
        entropy = invent_entropy(rng, fewer=number % WITH_FEWER_ELECTRODES == 0)
        messages = prompt.build(
            person,
            bands_text(entropy, Normal(np.zeros(SHAPE, np.float32), np.ones(SHAPE, np.float32), source)),
            codec="bands",
            compared_with=source,
            evidence=None if number % WITHOUT_EVIDENCE == 0 else evidence,
        )
        emotion, level = emotions.top(evidence), emotions.confidence(evidence)
        answer = f" {emotion}\nConfidence: {level}\n{texts.answer(emotion, person, level, rng)}"
        yield {"messages": messages, "prefix": prompt.LABEL_PREFIX, "labels": prompt.LABELS, "answer": answer}


def invent_entropy(rng: random.Random, *, fewer: bool) -> Array:
    """Standard deviations from normal, shape (30, 1, 5): each band has a level that its electrodes share."""
    shared = [rng.gauss(0, 0.5) for _ in BANDS_HZ]
    entropy = np.array([[[level + rng.gauss(0, 0.7) for level in shared]] for _ in ELECTRODES], np.float32)
    if fewer:
        entropy[[name not in NINETEEN for name in ELECTRODES]] = np.nan
    return entropy


def main() -> None:
    """Write them to standard output, one a line."""
    for probe in probes():
        sys.stdout.write(json.dumps(probe, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
