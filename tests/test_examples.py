from itertools import islice

import numpy as np
import pytest

from copilot import emotions, prompt
from copilot.training import base, finetune
from copilot.training.examples import Example, Material
from tests.features_file import simulated_faced


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    return list(islice(Material.of(simulated_faced(people=10, seed=0)).examples(seed=1), 1500))


def test_the_same_seed_gives_the_same_examples(examples: list[Example]) -> None:
    again = list(islice(Material.of(simulated_faced(people=10, seed=0)).examples(seed=1), 20))
    assert [e.messages for e in again] == [e.messages for e in examples[:20]]


def test_the_answer_names_its_label_and_the_prompt_is_the_one_of_use(examples: list[Example]) -> None:
    for example in examples[:200]:
        assert example.messages[0]["content"] == prompt.SYSTEM
        assert example.messages[1]["content"].startswith(prompt.INSTRUCTION)
        assert example.messages[2]["content"].startswith(f"Emotion: {emotions.EMOTIONS[example.label]}\nConfidence: ")
        assert example.target.sum() == pytest.approx(1)


def test_what_the_person_says_knows_nothing_of_the_label(examples: list[Example]) -> None:
    """The paper's first defect: there the appearance gave the answer away."""
    labels = np.array([e.label for e in examples])
    for words in ("tired after work", "sleeps badly", "female", "male,"):
        has = np.array([words in e.messages[1]["content"] for e in examples])
        assert has.sum() > 30
        with_it = np.bincount(labels[has], minlength=9) / has.sum()
        assert np.abs(with_it - np.bincount(labels, minlength=9) / len(labels)).max() < 0.2


def test_a_blank_eeg_is_taught_to_say_nothing(examples: list[Example]) -> None:
    blank = [e for e in examples if "EEG: none." in e.messages[1]["content"]]
    assert blank
    assert all(e.target == pytest.approx(emotions.uniform()) for e in blank)


def test_only_the_assistant_is_learned_and_the_slot_is_where_the_label_stands(examples: list[Example]) -> None:
    texts = (m["content"] for e in examples for m in e.messages)
    tokenizer = base.train_tokenizer(texts)
    assert len(finetune.label_tokens(tokenizer)) == 9
    for example in examples[:50]:
        encoded = finetune.encode(example, tokenizer)
        assert tokenizer.decode([encoded.ids[encoded.slot]]).strip() == emotions.EMOTIONS[example.label]
        learned = tokenizer.decode([i for i, on in zip(encoded.ids, encoded.learned, strict=True) if on])
        answers = [m["content"] + base.TURN_END for m in example.messages if m["role"] == "assistant"]
        assert learned == "".join(answers)


def test_one_letter_is_one_token(examples: list[Example]) -> None:
    tokenizer = base.train_tokenizer(m["content"] for e in examples for m in e.messages)
    letters = " ".join("klmnopqrstuvwxyz" * 9)
    assert len(tokenizer(letters).input_ids) == 16 * 9


def test_a_drill_is_an_evidence_line_and_its_label() -> None:
    drill = next(Material.of(simulated_faced(people=6, seed=0)).examples(seed=0, drills=1.0))
    assert [m["role"] for m in drill.messages] == ["user", "assistant"]
    assert drill.messages[1]["content"].startswith(f"Emotion: {emotions.top(drill.target)}")
