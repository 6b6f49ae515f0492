import random
import re
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from copilot import emotions, prompt
from copilot.llm.base import Message, Token
from copilot.person import Person
from copilot.training import answer_templates, fit_classifier
from copilot.training.evaluate import answers
from copilot.training.evaluate.model import ModelUnderTest
from tests.helpers.features_file import simulated_faced
from tests.unit.training.test_evaluate import EvidenceReader

PERSON = Person("female", 20, complaint="sleeps badly")
GOOD = (
    "Assessment: The reading leans towards joy. It describes minutes, not a person.\n"
    "Suggestions:\n- Keep a diary of this day.\n- Repeat the recording.\n- Talk to a friend."
)


def certain_of(emotion: str) -> emotions.Probabilities:
    return np.where(np.arange(9) == emotions.EMOTIONS.index(emotion), 0.6, 0.05)


def faults(body: str, emotion: str = "joy") -> list[str]:
    prefix = prompt.begin_answer(certain_of(emotion)).removesuffix("Assessment:")
    return list(answers.find_faults(prefix + body, PERSON, certain_of(emotion)))


@pytest.mark.parametrize("emotion", emotions.EMOTIONS)
def test_the_projects_own_texts_have_no_fault(emotion: str) -> None:
    for seed in range(20):
        assert faults(answer_templates.write_answer(emotion, PERSON, "clear", random.Random(seed)), emotion) == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (GOOD, []),
        (GOOD.replace("not a person.", "not a"), ["assessment is not of whole sentences"]),
        (GOOD.replace("\n- Talk to a friend.", ""), ["2 suggestions, or unfinished ones"]),
        (GOOD.replace("a friend.", "a"), ["3 suggestions, or unfinished ones"]),
        (GOOD.replace("minutes", "an angry minute"), ["contradicts its label: angry"]),
        (GOOD.replace("a diary", "a diary of sad moments"), ["contradicts its label: sad"]),
        (
            "Assessment:",
            [
                "assessment is not of whole sentences",
                "0 suggestions, or unfinished ones",
                "record without Assessment, Suggestions",
            ],
        ),
    ],
)
def test_what_is_wrong_is_named(body: str, said: list[str]) -> None:
    assert faults(body) == said


class Writer(EvidenceReader):
    """Writes the project's own texts about the label it is given, but no third suggestion to people under twenty."""

    def generate(self, messages: Sequence[Message], prefix: str = "", **_: object) -> Iterator[Token]:
        (emotion,) = re.findall(r"Emotion: (\w+)", prefix)
        text = answer_templates.write_answer(emotion, PERSON, "clear", random.Random(0)).removeprefix("Assessment:")
        young = re.search(r", 1?\d years", messages[-1]["content"])
        yield Token(text.rpartition("\n")[0] if young else text)


def test_people_are_invented_and_failures_are_counted_and_quoted() -> None:
    model = ModelUnderTest("x.gguf", Writer(), fit_classifier.fit(simulated_faced(people=6, seed=0)))
    faced = simulated_faced(people=2, seed=1)
    written = list(answers.write_answers(model, faced, 60))
    told = answers.summarise(written)
    assert told["asked"] == 60
    assert 0 < len(told["failures"]) == 60 - told["complete"] < 60
    assert told["contradicting"] == 0
    assert {fault for failure in told["failures"] for fault in failure["faults"]} == {
        "2 suggestions, or unfinished ones"
    }
    assert [a.text for a in answers.write_answers(model, faced, 60)] == [a.text for a in written], (
        "the same draws every time"
    )
    assert told["seconds"]["answer"]["mean"] >= told["seconds"]["label"]["mean"] > 0
