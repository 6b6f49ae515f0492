"""The understanding of questions learns from paraphrases and is measured on those that it has not seen."""

import random
import re

import numpy as np
import pytest

from copilot.chat import understanding as reader

fit_understanding = pytest.importorskip("copilot.training.fit_understanding")

SOME = ("eyes", "mains", "caffeine", "delete", "language", "lonely", "outside")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_paraphrases_that_were_held_out_are_understood(language):
    paraphrases = [one for one in fit_understanding.read_paraphrases(language) if one.intent in SOME]
    random.Random(0).shuffle(paraphrases)
    examples = [fit_understanding.read_features(one.text) for one in paraphrases]
    groups = fit_understanding.group_similar(paraphrases, examples)
    held_out = groups % 4 == 0
    model = fit_understanding.fit(
        [example for example, out in zip(examples, held_out, strict=True) if not out],
        [one.intent for one, out in zip(paraphrases, held_out, strict=True) if not out],
        SOME,
        30_000,
    )
    scores = fit_understanding.predict(model, [example for example, out in zip(examples, held_out, strict=True) if out])
    wanted = np.array([SOME.index(one.intent) for one, out in zip(paraphrases, held_out, strict=True) if out])
    figures = fit_understanding.measure(scores, wanted, SOME.index("outside"), -np.inf)
    assert (model.weights != 0).sum() <= 30_100  # of equal ones all are kept
    assert figures["right"] >= 0.85
    assert figures["wrong"] <= 0.1


def test_every_intent_has_many_paraphrases_of_its_own_in_both_languages():
    for language, least, outside in (("en", 40, 250), ("zh", 30, 150)):
        paraphrases = fit_understanding.read_paraphrases(language)
        texts = [one.text.lower() for one in paraphrases]
        assert len(set(texts)) > 0.95 * len(texts)  # two writers may ask the same
        numbers = dict.fromkeys(reader.load_classifier(language == "zh").intents, 0)
        for one in paraphrases:
            numbers[one.intent] += 1
        assert numbers["outside"] >= outside
        assert min(numbers.values()) >= least


def test_names_are_filled_in_and_no_brace_is_left():
    for language in ("en", "zh"):
        for one in fit_understanding.read_paraphrases(language):
            assert not re.search(r"\{[a-z]+2?\}", fit_understanding.fill_in(one.text, language, random.Random(1)))


def test_similar_paraphrases_of_an_intent_are_one_group():
    texts = ["how long was the recording", "how long was my recording", "duration please", "how long was the recording"]
    paraphrases = [fit_understanding.Paraphrase(text, "length") for text in texts[:3]]
    paraphrases.append(fit_understanding.Paraphrase(texts[3], "timing"))
    groups = fit_understanding.group_similar(paraphrases, [fit_understanding.read_features(text) for text in texts])
    assert groups[0] == groups[1]
    assert len(set(groups.tolist())) == 3
