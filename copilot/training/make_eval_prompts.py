"""Write the conversations that a quantised model is measured on.

``python -m copilot.training.make_eval_prompts > convert/eval_prompts.jsonl``

They are the product's own prompts and answers about invented people, with random words of EEG and random evidence: the
file contains no person's data, so that it can be shipped. It is the same to the byte until the prompt changes.
"""

import json
import random
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from copilot import emotions, prompt
from copilot.command_line import Parser, command
from copilot.eeg.text_encoding import PATTERN_LINES, PATTERNS, format_patterns
from copilot.pipeline import EncodedEeg
from copilot.training import answer_templates
from copilot.training.synthetic import invent_evidence, invent_person, invent_states

COUNT = 48
SEED = 20260000
#: One conversation in so many has no evidence.
WITHOUT_EVIDENCE = 4


def draw_eval_prompts() -> Iterator[dict[str, Any]]:
    """Yield conversations: ``messages``, ``prefix`` of the answer, ``labels`` scored behind it, and the ``answer``."""
    rng = random.Random(SEED)
    for number in range(COUNT):
        person, evidence = invent_person(rng), invent_evidence(rng)
        source = rng.choice(("person", "population"))
        strengths = np.array([[rng.gauss(0, 1) for _ in range(PATTERNS)] for _ in range(rng.randint(1, PATTERN_LINES))])
        eeg = EncodedEeg(
            (format_patterns(strengths),), "patterns", source, evidence, states=invent_states(rng, unusable=False)
        )
        (messages,) = eeg.build_prompts(person, with_evidence=number % WITHOUT_EVIDENCE != 0)
        emotion, level = emotions.find_top_emotion(evidence), emotions.grade_confidence(evidence)
        answer = (
            f" {emotion}\nConfidence: {level}\n{answer_templates.write_answer(emotion, person, level, rng, eeg.states)}"
        )
        yield {"messages": messages, "prefix": prompt.LABEL_PREFIX, "labels": prompt.LABELS, "answer": answer}


@command()
def main(arguments: Sequence[str] | None = None) -> None:
    """Write the conversations to standard output, one per line."""
    Parser(prog="python -m copilot.training.make_eval_prompts", description=__doc__).parse_args(arguments)
    for conversation in draw_eval_prompts():
        sys.stdout.write(json.dumps(conversation, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main())
