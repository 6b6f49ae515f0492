from itertools import islice

import numpy as np
import pytest
from transformers import PreTrainedTokenizerFast

from copilot import emotions, prompt
from copilot.eeg.text_encoding import ABSENT, PATTERN_NAMES, STRENGTHS
from copilot.training import base_model, fit_classifier
from copilot.training.answer_templates import find_other_emotions
from copilot.training.examples import Example, ExampleSource
from copilot.training.faced import SEGMENTS, WHOLE_CLIP
from copilot.training.finetune import collate
from tests.helpers.features_file import simulated_faced


@pytest.fixture(scope="module")
def source() -> ExampleSource:
    faced = simulated_faced(people=10, seed=0, strength=0.3)
    return ExampleSource.prepare(faced, fit_classifier.fit(faced))


@pytest.fixture(scope="module")
def examples(source: ExampleSource) -> list[Example]:
    return list(islice(source.draw_examples(seed=1), 1500))


@pytest.fixture(scope="module")
def tokenizer(examples: list[Example]) -> PreTrainedTokenizerFast:
    return base_model.train_tokenizer(m["content"] for e in examples for m in e.messages)


def test_the_same_seed_gives_the_same_examples(source: ExampleSource, examples: list[Example]) -> None:
    again = list(islice(source.draw_examples(seed=1), 20))
    assert [e.messages for e in again] == [e.messages for e in examples[:20]]


def test_the_answer_names_its_label_and_the_prompt_is_the_one_of_use(examples: list[Example]) -> None:
    for example in examples[:200]:
        assert example.messages[0]["content"] == prompt.SYSTEM
        assert example.messages[1]["content"].startswith(prompt.INSTRUCTION)
        named = example.target.any()
        expected = f"Emotion: {emotions.EMOTIONS[example.label]}\nConfidence: " if named else f"{prompt.NO_EMOTION}\n"
        assert example.messages[2]["content"].startswith(expected)
        assert example.target.sum() == pytest.approx(1 if named else 0)


def test_where_the_evidence_singles_out_none_the_answer_names_none_and_speaks_of_the_states(
    examples: list[Example],
) -> None:
    unnamed = [e for e in examples if "Emotion evidence: none singled out." in e.messages[1]["content"]]
    assert len(unnamed) > 20
    for example in unnamed:
        answer = example.messages[2]["content"]
        assert answer.startswith(prompt.NO_EMOTION)
        assert not find_other_emotions(answer, "none")
        assert ("looks like sleep" in answer) == ("States: asleep" in example.messages[1]["content"])
        assert ("is poor" in answer or "poor quality" in answer) == ("poor signal" in example.messages[1]["content"])


def test_what_the_person_says_knows_nothing_of_the_label(examples: list[Example]) -> None:
    """The paper's first defect: there the appearance gave the answer away."""
    labels = np.array([e.label for e in examples])
    for words in ("tired after work", "sleeps badly", "female", "male,"):
        has = np.array([words in e.messages[1]["content"] for e in examples])
        assert has.sum() > 30
        with_it = np.bincount(labels[has], minlength=9) / has.sum()
        assert np.abs(with_it - np.bincount(labels, minlength=9) / len(labels)).max() < 0.2


def test_a_blank_eeg_is_taught_to_say_nothing(examples: list[Example]) -> None:
    texts = [(e, e.messages[1]["content"]) for e in examples]
    blank = [e for e, text in texts if "EEG: none." in text and "Emotion evidence" not in text]
    assert blank
    assert all(e.target == pytest.approx(emotions.uniform_probabilities()) for e in blank)


def test_only_the_assistant_is_learned_and_the_slot_is_where_the_label_stands(
    examples: list[Example], tokenizer: PreTrainedTokenizerFast
) -> None:
    assert len(collate.find_label_tokens(tokenizer)) == 9
    for example in examples[:50]:
        encoded = collate.encode(example.messages, example.target, tokenizer)
        label = emotions.EMOTIONS[example.label] if example.target.any() else "none"
        assert tokenizer.decode([encoded.ids[encoded.slot]]).strip() == label
        learned = tokenizer.decode([i for i, on in zip(encoded.ids, encoded.learned, strict=True) if on])
        answers = [m["content"] + base_model.TURN_END for m in example.messages if m["role"] == "assistant"]
        assert learned == "".join(answers)


def test_a_word_of_the_eeg_is_one_token_wherever_it_stands(tokenizer: PreTrainedTokenizerFast) -> None:
    line = [name + level for level in STRENGTHS + ABSENT for name in PATTERN_NAMES]
    for start in range(0, len(line), len(PATTERN_NAMES)):
        text = " ".join(line[start : start + len(PATTERN_NAMES)])
        assert len(tokenizer(text).input_ids) == len(PATTERN_NAMES)


def test_a_new_model_has_the_words_of_a_pattern_in_order(tokenizer: PreTrainedTokenizerFast) -> None:
    embeddings = base_model.create_model(tokenizer, seed=0).get_input_embeddings().weight.detach()
    words = [tokenizer(f" vi{level}").input_ids[0] for level in STRENGTHS]
    distances = (embeddings[words] - embeddings[words[0]]).norm(dim=1)
    assert (distances.diff() > 0).all()


def test_a_drill_is_an_evidence_line_and_its_label(source: ExampleSource) -> None:
    drills = list(islice(source.draw_examples(seed=0, drills=1.0), 40))
    for drill in drills:
        assert [m["role"] for m in drill.messages] == ["user", "assistant"]
        asked, answer = (m["content"] for m in drill.messages)
        named = not asked.endswith("none singled out.")
        label = emotions.find_top_emotion(drill.target) if named else "none"
        assert answer.startswith(f"Emotion: {label}\n")
    begun = {drill.messages[0]["content"].split(" evidence")[0].split(" recognised")[0] for drill in drills}
    assert begun == {"Emotion", "Film"}


def test_examples_of_letters_show_one_to_three_lines_and_nothing_else(source: ExampleSource) -> None:
    texts = [e.messages[0]["content"].split("\n") for e in islice(source.draw_examples(seed=0, letters=1.0), 100)]
    assert all(lines[0].startswith("EEG, compared with ") for lines in texts)
    assert {len(lines) for lines in texts} == {2, 3, 4}


@pytest.mark.parametrize("compared_with", ["person", "population"])
def test_the_teacher_of_words_reads_the_planted_emotions_of_new_people(
    source: ExampleSource, compared_with: str
) -> None:
    new = simulated_faced(people=2, seed=1, strength=0.3)
    teacher = source.teachers[compared_with]
    for trial in new.trials(SEGMENTS + WHOLE_CLIP):
        normal = new.normals()[trial.subject] if compared_with == "person" else source.classifier.population
        assert teacher.probabilities(source.classifier.measure_patterns(trial.de, normal)).argmax() == trial.emotion


def test_the_teacher_of_words_says_nothing_where_there_are_none(source: ExampleSource) -> None:
    assert source.teachers["person"].probabilities(np.empty((0, 64))) == pytest.approx(emotions.uniform_probabilities())


def test_fewer_electrodes_change_the_words_and_not_their_number(examples: list[Example]) -> None:
    """What absent electrodes would show is estimated from the others, so no word of a recording is absent."""
    for example in examples:
        lines = example.messages[1]["content"].split("\n")
        words = [line.split() for line in lines if line.startswith(PATTERN_NAMES[0])]
        assert all(len(line) == len(PATTERN_NAMES) for line in words)
        assert all(len({word[2] == ABSENT for word in line}) == 1 for line in words)


def test_some_of_the_people_keep_their_own_evidence(source: ExampleSource) -> None:
    some = source.select_subjects(range(3, 5))
    assert some.faced.subjects.tolist() == [3, 4]
    for compared_with, evidence in some.evidence.items():
        assert np.array_equal(evidence, source.evidence[compared_with][3:5])
