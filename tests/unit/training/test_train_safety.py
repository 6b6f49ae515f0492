"""The training of the models that read for danger, on a few sentences."""

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs requirements-dev.txt")

from copilot.safety import classifier
from copilot.training import train_safety
from copilot.training.train_safety import SafetyModel, Sentence

HARM = ("I want to walk into the sea", "they would be happier without me", "I bought the rope", "he beats me at night")
FINE = ("I want to walk along the sea", "they are happier this year", "I bought the tickets", "he beats the eggs")


def some(count=64):
    harm = [Sentence(f"{HARM[n % 4]} {'now' * (n % 3)}", True, "abc"[n % 3]) for n in range(count)]
    fine = [Sentence(f"{FINE[n % 4]} {'now' * (n % 3)}", False, "abc"[n % 3]) for n in range(count)]
    return [*harm, *fine]


@pytest.fixture(scope="module")
def trained():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_safety, "LAYERS", 2)
        patch.setattr(train_safety, "EPOCHS", 4)
        return SafetyModel(some())


TEXTS = (
    *(
        "Thank you. See you on Monday!",
        "naïve café, 12.5 µV (Fp1)",
        "DON\u2019T  do\tthat",
        "\U0001f600 fine \U0001f600\U0001f600",
    ),
    *("我 不想活了。", "我想自殺", "死にたい", "Ich will nicht mehr leben", "안녕", ""),
)


def test_llama_cpp_reads_and_scores_as_it_was_trained(trained, tmp_path, monkeypatch):
    weights = trained.write(tmp_path / "danger.gguf")
    monkeypatch.setattr(classifier, "MODEL", tmp_path / "danger.gguf")
    embedder = classifier._load_model.__wrapped__()
    texts = [classifier.normalise(text) for text in (*HARM, *FINE, *TEXTS)]
    for text in texts:
        assert embedder.tokenize(text.encode()) == trained.tokenizer.encode(text).ids, text
    there = [weights[:-1] @ np.array(embedder.embed(text, normalize=True)) + weights[-1] for text in texts]
    here = trained.score([Sentence(text, False, "") for text in texts])
    np.testing.assert_allclose(there, here, atol=0.5)
    assert min(here[:4]) > max(here[4:8])


def test_disguises_capitals_and_traditional_characters_change_nothing():
    assert classifier.normalise("  I CAN\u2019T\u200b go\non ") == "i can't go on"
    assert classifier.normalise("我想自殺") == classifier.normalise("我想自杀")


def test_limits_are_drawn_from_writers_that_were_left_out(monkeypatch):
    seen = []

    class Noted:
        def __init__(self, sentences):
            seen.append({sentence.writer for sentence in sentences})

        def score(self, sentences):
            return np.arange(len(sentences), dtype=float)

    monkeypatch.setattr(train_safety, "SafetyModel", Noted)
    chinese = [Sentence("我不想活了" if n % 2 else "我不想吃了", bool(n % 2), "abcde"[n % 5]) for n in range(40)]
    limits = train_safety.find_limits([*some(), *chinese])
    assert seen == [{"b", "c", "d"}], "every fourth writer is left out"
    assert all(low <= high for low, high, _ in limits.values())


def test_the_sentences_are_labelled_and_nothing_of_the_unseen_ones_is_among_them():
    sentences = train_safety.read_sentences()
    texts = {sentence.text for sentence in sentences}
    assert len(texts) == len(sentences)
    unseen = train_safety.SENTENCES.parents[2] / "tests" / "data" / "safety_unseen.jsonl"
    assert not texts & {json.loads(line)["text"] for line in unseen.read_text(encoding="utf-8").splitlines()}
