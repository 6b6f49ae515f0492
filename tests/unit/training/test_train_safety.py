"""The training of the models that read for danger, on a few sentences."""

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs requirements-dev.txt")

from copilot.safety import classifier
from copilot.training import train_safety
from copilot.training.train_safety import Chinese, English, Sentence

HARM = ("I want to walk into the sea", "they would be happier without me", "I bought the rope", "he beats me at night")
FINE = ("I want to walk along the sea", "they are happier this year", "I bought the tickets", "he beats the eggs")


def some(count=64):
    harm = [Sentence(f"{HARM[n % 4]} {'now' * (n % 3)}", True, "abc"[n % 3]) for n in range(count)]
    fine = [Sentence(f"{FINE[n % 4]} {'now' * (n % 3)}", False, "abc"[n % 3]) for n in range(count)]
    return [*harm, *fine]


@pytest.fixture(scope="module")
def trained():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_safety, "EPOCHS", 2)
        return English(some())


def test_llama_cpp_scores_as_it_was_trained(trained, tmp_path, monkeypatch):
    weights = trained.write(tmp_path / "english.gguf")
    monkeypatch.setattr(classifier, "ENGLISH", tmp_path / "english.gguf")
    embedder = classifier._load_model.__wrapped__()
    texts = [*HARM, *FINE, "Thank you. See you on Monday!", "naïve café, 12.5 µV (Fp1)"]
    there = [weights[:-1] @ np.array(embedder.embed(text, normalize=True)) + weights[-1] for text in texts]
    here = trained.score([Sentence(text, False, "") for text in texts])
    np.testing.assert_allclose(there, here, atol=0.5)
    assert min(here[:4]) > max(here[4:8])


def test_chinese_learns_sequences_of_characters():
    harm, fine = ("我不想活了", "没有我他们会更好"), ("我不想吃了", "没有雨我们会更好")
    learned = Chinese([Sentence(text, text in harm, "a") for text in (*harm, *fine) * 4])
    scores = learned.score([Sentence(text, False, "") for text in ("真的不想活了", "真的不想吃了")])
    assert scores[0] > 0 > scores[1]


def test_limits_are_drawn_from_writers_that_were_left_out():
    seen = []

    class Noted(Chinese):
        def __init__(self, sentences):
            seen.append({sentence.writer for sentence in sentences})
            super().__init__(sentences)

    low, high, _ = train_safety.find_limits(some(), Noted)
    assert seen == [{"b", "c"}, {"a", "c"}, {"a", "b"}]
    assert low <= high


def test_the_sentences_are_labelled_and_nothing_of_the_unseen_ones_is_among_them():
    sentences = train_safety.read_sentences()
    texts = {sentence.text for sentence in sentences}
    assert len(texts) == len(sentences)
    unseen = train_safety.SENTENCES.parents[2] / "tests" / "data" / "safety_unseen.jsonl"
    assert not texts & {json.loads(line)["text"] for line in unseen.read_text(encoding="utf-8").splitlines()}
