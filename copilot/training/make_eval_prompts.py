"""Write the conversations that a quantised model is measured on.

``python -m copilot.training.make_eval_prompts > convert/eval_prompts.jsonl``

The product's own prompts and answers, about people who do not exist, with words of EEG and decoder's evidence drawn
by chance: nobody's data, so the file can be shipped. The same bytes every time, until the prompt changes.
"""

import json
import random
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from copilot import emotions, prompt
from copilot.eeg.text_encoding import PATTERN_LINES, PATTERNS, patterns_text
from copilot.training import answer_templates
from copilot.training.synthetic import invent_evidence, invent_person

COUNT = 48
SEED = 20260000
#: Every so many-th conversation has no evidence.
WITHOUT_EVIDENCE = 4


def probes() -> Iterator[dict[str, Any]]:
    """The conversations: ``messages``, ``prefix`` of the answer, ``labels`` scored behind it, and the ``answer``."""
    rng = random.Random(SEED)
    for number in range(COUNT):
        person, evidence = invent_person(rng), invent_evidence(rng)
        source = rng.choice(("person", "population"))
        strengths = np.array([[rng.gauss(0, 1) for _ in range(PATTERNS)] for _ in range(rng.randint(1, PATTERN_LINES))])
        messages = prompt.build_messages(
            person,
            patterns_text(strengths),
            codec="patterns",
            compared_with=source,
            evidence=None if number % WITHOUT_EVIDENCE == 0 else evidence,
        )
        emotion, level = emotions.find_top_emotion(evidence), emotions.grade_confidence(evidence)
        answer = f" {emotion}\nConfidence: {level}\n{answer_templates.answer(emotion, person, level, rng)}"
        yield {"messages": messages, "prefix": prompt.LABEL_PREFIX, "labels": prompt.LABELS, "answer": answer}


def main() -> None:
    """Write them to standard output, one a line."""
    for probe in probes():
        sys.stdout.write(json.dumps(probe, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
