"""The model in the box, as it is shipped."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from copilot import emotions, prompt
from copilot.eeg.classifier import Classifier
from copilot.eeg.text_encoding import PATTERN_NAMES
from copilot.llm import open_engine
from copilot.llm.base import Engine, Scores, Token
from copilot.person import Person
from copilot.result import parse_answer
from copilot.settings import Settings
from copilot.training import model_card
from copilot.training.answer_templates import find_other_emotions

SETTINGS = Settings(threads=2, protocol="faced-films")
MODELS = SETTINGS.model.parent
WORDS = " ".join(name + "defg"[k % 4] for k, name in enumerate(PATTERN_NAMES))


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = open_engine(SETTINGS)
    yield engine
    engine.close()


def probabilities(engine: Engine, evidence: emotions.Probabilities) -> emotions.Probabilities:
    messages = prompt.build_messages(
        Person("female", 20), WORDS, codec="patterns", compared_with="person", evidence=evidence
    )
    *_, scores = engine.score(messages, prompt.LABEL_PREFIX, prompt.LABELS)
    assert isinstance(scores, Scores)
    powers = np.exp(scores.logprobs)
    return powers / powers.sum()


def test_everything_in_the_box_is_small() -> None:
    assert sum(path.stat().st_size for path in MODELS.rglob("*") if path.is_file()) < 16e6


def test_the_file_says_how_to_feed_it(engine: Engine) -> None:
    metadata = engine.info.metadata
    assert engine.info.trained_for_eeg
    assert metadata["codec"] == "patterns"
    assert metadata["prompt_version"] == prompt.PROMPT_VERSION
    assert json.loads(metadata["labels"]) == list(emotions.EMOTIONS)
    assert 0.2 < float(metadata["temperature"]) < 5


def test_the_receipt_and_the_evaluation_are_of_this_file(engine: Engine) -> None:
    for name, key in ((model_card.RECEIPT, "sha256"), (model_card.EVALUATION, "model_sha256")):
        assert json.loads((MODELS / name).read_text())[key] == engine.info.sha256


@pytest.mark.parametrize("emotion", emotions.EMOTIONS)
def test_it_believes_strong_evidence(engine: Engine, emotion: str) -> None:
    place, largest = emotions.EMOTIONS.index(emotion), []
    for others in np.random.default_rng(place).dirichlet(np.ones(8), 8):  # as a classifier gives them: not all the same
        p = probabilities(engine, np.insert(0.4 * others, place, 0.6))
        assert emotions.find_top_emotion(p) == emotion
        largest.append(p.max())
    assert min(largest) > 0.4
    assert 0.5 < np.mean(largest) < 0.75


@pytest.mark.parametrize("emotion", emotions.EMOTIONS)
def test_it_names_the_first_of_evidence_whose_others_are_all_the_same(engine: Engine, emotion: str) -> None:
    evidence = np.full(9, 0.05)
    evidence[emotions.EMOTIONS.index(emotion)] = 0.6
    assert emotions.find_top_emotion(probabilities(engine, evidence)) == emotion


def test_flat_evidence_stays_uncertain(engine: Engine) -> None:
    assert probabilities(engine, emotions.uniform_probabilities()).max() < 0.3


@pytest.mark.parametrize("emotion", emotions.EMOTIONS)
def test_it_writes_a_complete_answer_that_keeps_to_its_label(engine: Engine, emotion: str) -> None:
    evidence = np.full(9, 0.06)
    evidence[emotions.EMOTIONS.index(emotion)] = 0.52
    for person in (Person("female", 20), Person("male", 71, complaint="cannot sleep"), Person(history="none")):
        messages = prompt.build_messages(person, WORDS, codec="patterns", compared_with="person", evidence=evidence)
        prefix = prompt.begin_answer(evidence)
        text = "".join(e.text for e in engine.generate(messages, prefix, max_tokens=320) if isinstance(e, Token))
        assessment, suggestions = parse_answer(prefix + text)
        assert len(assessment.split()) > 25
        assert assessment.endswith(".")
        assert len(suggestions) == 3
        assert not find_other_emotions(assessment, emotion)


def test_it_answers_the_usual_questions(engine: Engine) -> None:
    evidence = np.full(9, 0.06)
    evidence[emotions.EMOTIONS.index("joy")] = 0.52
    messages = prompt.build_messages(
        Person("female", 20), WORDS, codec="patterns", compared_with="person", evidence=evidence
    )
    prefix = prompt.begin_answer(evidence)
    text = "".join(e.text for e in engine.generate(messages, prefix, max_tokens=320) if isinstance(e, Token))
    messages += [
        {"role": "assistant", "content": prefix + text},
        {"role": "user", "content": prompt.format_question("Is this a diagnosis?", prefix + text)},
    ]
    answer = "".join(e.text for e in engine.generate(messages, max_tokens=200) if isinstance(e, Token))
    assert re.search(r"\b(no|not|never|cannot)\b", answer, re.I)
    assert "diagnos" in answer.lower()


def test_the_decoder_in_the_box_reads_thirty_electrodes() -> None:
    decoder = Classifier.load(SETTINGS.decoder)
    assert decoder.population.mean.shape == (30, 5)
    silent = np.full((30, 10, 5), np.nan, np.float32)
    assert decoder.predict(silent, decoder.population) == pytest.approx(emotions.uniform_probabilities())


def test_ollama_is_told_the_same_system_message() -> None:
    modelfile = (Path(MODELS) / "Modelfile").read_text()
    assert f'SYSTEM """{prompt.SYSTEM}"""' in modelfile
    for token in ("<|im_end|>", "<|endoftext|>"):
        assert f'PARAMETER stop "{token}"' in modelfile


def test_card_and_readme_show_the_figures_of_the_evaluation_and_no_others() -> None:
    report, receipt = (json.loads((MODELS / name).read_text()) for name in (model_card.EVALUATION, model_card.RECEIPT))
    assert (MODELS / "README.md").read_text() == model_card.format_card(report, receipt)
    readme = (MODELS.parent / "README.md").read_text()
    assert readme == model_card.insert_figures(readme, model_card.format_paragraph(report))
