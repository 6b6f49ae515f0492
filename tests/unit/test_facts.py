"""Every fact about a result is there, true, and translated."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from copilot import emotions, pipeline
from copilot.eeg import sandbox, simulate
from copilot.eeg.classifier import Classifier
from copilot.eeg.emotion_classifier import EmotionClassifier
from copilot.eeg.preprocessing.clean import clean
from copilot.eeg.states import REGIONS, StateModels
from copilot.events import RecordReady, ResultReady
from copilot.facts import Facts
from copilot.facts.signal import name_level
from copilot.i18n import Translator, messages
from copilot.llm.base import ModelInfo
from copilot.person import Person
from copilot.prompt import PROMPT_VERSION
from copilot.record import review
from copilot.record.model import Record
from copilot.settings import Settings
from tests.helpers.fake_engine import FakeEngine
from tests.helpers.records import NOW, REVIEWER

KEYS = {
    *(f"probability.{name}" for name in emotions.EMOTIONS),
    *(f"rank.{number}" for number in range(1, 10)),
    *(f"state.{name}{end}" for name in ("sleep", "eyes", "effort") for end in ("", ".reliability")),
    *(f"band.{region}.{band}" for region in REGIONS for band in ("delta", "theta", "alpha", "beta", "gamma")),
    *("emotion", "order", "confidence", "confidence.meaning", "situation", "reliability", "three_class", "valence"),
    *("valence.meaning", "states", "quality", "usable_seconds", "bad_channels", "mains", "removed", "length", "rate"),
    *("channels", "channels.absent", "channels.estimated", "rhythm", "where", "compared_with", "why", "meaning"),
    *(
        "better",
        "words",
        "person",
        "model",
        "model.file",
        "encoding",
        "prompt",
        "timing",
        "storage",
        "purpose",
        "notes",
    ),
}
PERSON = Person("female", 20, complaint="sleeps badly")
MODEL = ModelInfo("fake", "f" * 64, metadata={"codec": "patterns", "prompt_version": PROMPT_VERSION})
POOR = {"T7": "noisy", "P4": "flat", "F8": "railed", "Fz": "noisy"}
HEADSET = ("AF7", "AF8", "TP9", "TP10")
RECORDINGS = {
    "closed": {"seconds": 40, "alpha_uv": 14, "blinks_per_minute": 1, "seed": 1},
    "open": {"seconds": 40, "alpha_uv": 2, "seed": 2},
    "open again": {"seconds": 40, "alpha_uv": 2, "seed": 7},
    "short": {"seconds": 15, "alpha_uv": 2, "seed": 3},
    "flat": {"seconds": 40, "alpha_uv": 14, "bad_channels": {"O1": "flat", "O2": "flat"}, "seed": 4},
    "poor": {"seconds": 40, "line_uv": 30, "bad_channels": POOR, "seed": 5},
    "headset": {"seconds": 40, "channels": HEADSET, "line_uv": 0, "blinks_per_minute": 1, "seed": 6},
}
ANY, FILMS = Settings(), Settings(protocol="faced-films")


@cache
def prepare(name: str) -> sandbox.Prepared:
    raw = replace(simulate.simulate(**RECORDINGS[name]), rate_read=250.0, rate_from=messages.RATE_TYPED)  # type: ignore[arg-type]
    return sandbox.Prepared(raw, *clean(raw), read_s=0.0, clean_s=0.0)


@pytest.fixture(scope="module")
def decoder() -> Classifier:
    return Classifier.load(ANY.decoder)


@pytest.fixture(autouse=True)
def _simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    """A path is the name of a simulated recording, which is cleaned once."""
    monkeypatch.setattr(sandbox, "prepare", lambda paths, **_: iter([prepare(paths[0].name)]))
    monkeypatch.setattr(pipeline, "find_recording_files", lambda path: [path])


def analyse(decoder: Classifier, name: str, *others: str, **options: object) -> Iterator[object]:
    given = {"engine": FakeEngine(info=MODEL), "settings": ANY, "person": PERSON, **options}
    person = given.pop("person")
    return pipeline.analyse([Path(name)], person, classifier=decoder, baselines=[*map(Path, others)], **given)  # type: ignore[arg-type]


def last(decoder: Classifier, name: str, *others: str, **options: object) -> RecordReady:
    *_, event = analyse(decoder, name, *others, **options)
    assert isinstance(event, RecordReady)
    return event


def collect(decoder: Classifier, name: str, *others: str, **options: object) -> Facts:
    return last(decoder, name, *others, **options).facts


def predict(monkeypatch: pytest.MonkeyPatch, first: float) -> None:
    """Let the classifier find joy with this probability, the rest divided among the others."""
    found = np.full(9, (1 - first) / 8)
    found[emotions.EMOTIONS.index("joy")] = first
    monkeypatch.setattr(EmotionClassifier, "predict", lambda *_: found)


SITUATIONS = {
    "any alone": ("closed", (), ANY),
    "any with baseline": ("closed", ("open",), ANY),
    "faced-films": ("closed", (), FILMS),
    "poor": ("poor", (), ANY),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_key_is_there_with_a_sentence_in_english_and_chinese(decoder: Classifier, situation: str) -> None:
    name, others, settings = SITUATIONS[situation]
    facts = collect(decoder, name, *others, settings=settings)
    assert {key for key in facts if not key.startswith("bad.")} == KEYS
    say = Translator("zh")
    names = {*simulate.TEN_TWENTY, *untranslated_names(facts), "FACED", "Hz", "SHA", "fake", "eeg-copilot prompt"}
    for fact in facts.values():
        assert fact.sentence.endswith((".", "!")), fact
        assert "{" not in fact.sentence, fact
        chinese = say(fact.sentence)
        for word in sorted(names, key=len, reverse=True):
            chinese = chinese.replace(word, "")
        assert re.findall("[A-Za-z]{2,}", chinese) == [], (fact.key, chinese)
        assert re.search("[\u4e00-\u9fff]", chinese), fact


def untranslated_names(facts: Facts) -> set[str]:
    """Names of electrodes, of the codec and the beginnings of hashes, which no language translates."""
    absent = facts["channels.absent"].value
    assert isinstance(absent, tuple)
    return {*absent, "Fpz", "patterns", str(facts["prompt"].value), "f" * 12}


def test_alpha_is_higher_with_closed_eyes_than_in_the_other_recording(decoder: Classifier) -> None:
    facts = collect(decoder, "closed", "open")
    alpha = facts["band.occipital.alpha"]
    assert isinstance(alpha.value, float)
    assert alpha.value > 2
    assert alpha.sentence.startswith("Alpha (8-14 Hz) at the back of the head was much higher")
    assert "the other recording of this person" in alpha.sentence
    assert facts["rhythm"].value == "occipital.alpha"
    assert "stood out most: Alpha" in facts["rhythm"].sentence
    assert "not read from single electrodes" in facts["where"].sentence
    opposite = collect(decoder, "open", "closed")["band.occipital.alpha"]
    assert isinstance(opposite.value, float)
    assert opposite.value < -2
    assert "much lower" in opposite.sentence


def test_without_another_recording_rhythms_are_compared_with_people_who_watched_films(decoder: Classifier) -> None:
    facts = collect(decoder, "closed")
    assert all("other people, who watched films" in fact.sentence for fact in facts.with_prefix("band."))
    assert (facts["compared_with"].value, "FACED" in facts["compared_with"].sentence) == ("population", True)
    assert collect(decoder, "closed", "open")["compared_with"].value == "person"


def test_a_recording_like_the_other_has_bands_about_as_usual(decoder: Classifier) -> None:
    facts = collect(decoder, "open again", "open")
    values = {key.removeprefix("band."): facts[key].value for key in facts if key.startswith("band.")}
    sizes = {key: abs(value) for key, value in values.items() if isinstance(value, float)}
    assert len(sizes) == 25
    assert np.mean([size < 1 for size in sizes.values()]) > 0.7
    strongest = max(sizes, key=lambda key: sizes[key])
    assert facts["rhythm"].value == ("none" if sizes[strongest] < 1 else strongest)


@pytest.mark.parametrize(
    ("z", "words"),
    [
        (-2.0, "much lower"),
        (-1.9, "lower"),
        (-1.0, "lower"),
        (-0.9, "about as usual"),
        (0.0, "about as usual"),
        (0.9, "about as usual"),
        (1.0, "higher"),
        (1.9, "higher"),
        (2.0, "much higher"),
        (9.0, "much higher"),
    ],
)
def test_words_for_a_distance(z: float, words: str) -> None:
    assert name_level(z) == words


def test_a_flat_electrode_is_named_and_its_estimate_is_not_compared(decoder: Classifier) -> None:
    facts = collect(decoder, "flat")
    assert facts["bad_channels"].value == ("O1", "O2")
    assert facts["bad.O1"].value == ("flat", "interpolated")
    assert facts["bad.O1"].sentence.startswith("O1 was a bad electrode: it gave no signal.")
    assert "estimated from its neighbours" in facts["bad.O1"].sentence
    assert facts["channels.estimated"].value == ("O1", "O2")
    assert facts["band.occipital.alpha"].value is None
    assert "no usable electrode" in facts["band.occipital.alpha"].sentence
    assert "All 19 electrodes" in collect(decoder, "closed")["bad_channels"].sentence


def test_a_small_headset_says_what_it_lacks_and_what_is_read_instead(decoder: Classifier) -> None:
    facts = collect(decoder, "headset")
    absent = facts["channels.absent"].value
    assert isinstance(absent, tuple)
    assert len(absent) == 26
    assert {"Cz", "O1"} < set(absent)
    assert "TP9 for T7" in facts["channels.estimated"].sentence
    assert "needs an electrode over the back of the head" in facts["state.eyes"].sentence
    assert "too few electrodes" in facts["removed"].sentence


def test_probabilities_and_their_order_are_those_of_the_result(decoder: Classifier) -> None:
    *_, ready, event = analyse(decoder, "closed", settings=FILMS)
    assert isinstance(ready, ResultReady)
    assert isinstance(event, RecordReady)
    facts, result = event.facts, ready.result
    assert [fact.value for fact in facts.with_prefix("probability.")] == pytest.approx(list(result.probabilities))
    order = [name for name, _ in emotions.sort_by_probability(result.probabilities)]
    assert list(facts["order"].value or ()) == order == [facts[f"rank.{n}"].value for n in range(1, 10)]
    assert facts["emotion"].value == order[0] == "joy"
    assert f"joy, with {100 * max(result.probabilities):.1f} %" in facts["rank.1"].sentence
    assert facts["valence"].value == pytest.approx(result.valence, abs=0.005)
    assert "for joy" in facts["meaning"].sentence


def test_alone_no_emotion_is_named_and_nothing_is_told(decoder: Classifier) -> None:
    facts = collect(decoder, "closed")
    assert facts["emotion"].value == "none"
    assert "No emotion is named" in facts["emotion"].sentence
    assert {fact.value for fact in facts.with_prefix("rank.")} == {None}
    for key in ("rank.1", "rank.9", "order", "probability.anger", "valence"):
        assert "11.1 %" in facts[key].sentence
        assert "guessing" in facts[key].sentence
    assert "no other recording" in facts["why"].sentence
    assert "two or three minutes of rest" in facts["better"].sentence
    assert "11 of 100" in facts["reliability"].sentence
    assert "No language model was asked" in facts["prompt"].sentence
    assert "Fixed rules wrote" in facts["model"].sentence


def test_other_reasons_why_no_emotion_is_named(decoder: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "less than 20 usable seconds" in collect(decoder, "closed", "short")["why"].sentence
    assert "too poor" in collect(decoder, "poor")["why"].sentence
    assert "touches the skin" in collect(decoder, "poor")["better"].sentence
    asleep = StateModels.load().make_evidence("sleep", "asleep")
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "find_states", lambda *_: (asleep,))
        facts = collect(decoder, "closed", "open")
        assert "slept" in facts["why"].sentence
        assert "awake" in facts["better"].sentence
        assert "not measured" in facts["reliability"].sentence
    predict(monkeypatch, 0.21)
    facts = collect(decoder, "closed", "open")
    assert facts["emotion"].value == "none"
    assert "at least twice as likely" in facts["why"].sentence
    assert facts["rank.1"].value == "joy"
    assert "21.0 %" in facts["probability.joy"].sentence
    assert "no emotion is named" in facts["probability.joy"].sentence
    predict(monkeypatch, 1 / 9)
    assert "differs from the others" in collect(decoder, "closed", "open")["why"].sentence


def test_an_emotion_at_twice_chance_is_named_with_what_was_measured(
    decoder: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict(monkeypatch, 0.3)
    facts = collect(decoder, "closed", "open")
    assert facts["emotion"].value == "joy"
    assert "30.0 %" in facts["emotion"].sentence
    assert "at least twice" in facts["why"].sentence
    assert "16 of 100, guessing 11" in facts["reliability"].sentence
    assert "2.7 times" in facts["confidence"].sentence
    assert "wrote the assessment" in facts["model"].sentence
    assert "No language model" not in facts["prompt"].sentence


def test_reliability_is_never_better_than_was_measured(decoder: Classifier) -> None:
    def reliability(settings: Settings, **metadata: str) -> str:
        engine = FakeEngine(info=replace(MODEL, metadata={**MODEL.metadata, **metadata}))
        return collect(decoder, "closed", "open", settings=settings, engine=engine)["reliability"].sentence

    assert "was not measured for this model" in reliability(FILMS)
    assert reliability(FILMS, temperature="1.1", decoder_sha256=decoder.sha256) == messages.CALIBRATED
    alone = Settings(readout="model")
    assert "was not measured for this model" in reliability(alone, temperature="1.1", decoder_sha256=decoder.sha256)
    poor = collect(decoder, "poor", settings=FILMS)
    assert poor["emotion"].value == "none"
    assert "treat this reading as a guess" in poor["reliability"].sentence


@pytest.mark.parametrize("settings", [ANY, FILMS])
def test_words_never_move_the_numbers(decoder: Classifier, settings: Settings) -> None:
    facts = collect(decoder, "closed", settings=settings)
    assert facts["words"].value == "no"
    assert facts["person"].value == ("gender", "age", "complaint")
    assert "female" in facts["person"].sentence
    assert "20" in facts["person"].sentence
    assert not any("sleeps badly" in fact.sentence for fact in facts.values())


def test_states_say_what_is_told_and_what_is_missing(decoder: Classifier) -> None:
    facts = collect(decoder, "closed")
    assert facts["state.eyes"].value == "closed"
    assert "eyes closed" in facts["states"].sentence
    assert "93 times in 100" in facts["state.eyes.reliability"].sentence
    assert facts["state.effort"].value is None
    assert "another recording of the same person" in facts["state.effort"].sentence
    assert "too poor" in collect(decoder, "poor")["states"].sentence


def test_numbers_of_the_recording(decoder: Classifier) -> None:
    facts = collect(decoder, "closed")
    assert (facts["length"].value, facts["length"].unit) == (40.0, "s")
    assert facts["rate"].value == 250.0
    assert "as typed" in facts["rate"].sentence
    assert facts["mains"].value == 50.0
    assert collect(decoder, "headset")["mains"].sentence == "No mains hum was found."
    assert facts["channels"].value == simulate.TEN_TWENTY
    assert facts["timing"].value == pytest.approx(float(re.findall(r"[\d.]+", facts["timing"].sentence)[0]), abs=0.06)


def test_storage_says_where_records_are_kept_only_if_they_are(decoder: Classifier, tmp_path: Path) -> None:
    facts = collect(decoder, "closed")
    assert facts["storage"].value is None
    assert "not kept" in facts["storage"].sentence
    assert "server" not in facts["storage"].sentence
    kept = collect(decoder, "closed", settings=Settings(store=True, data=tmp_path, keep_days=30))["storage"]
    assert kept.value == str(tmp_path)
    assert "30 days" in kept.sentence
    served = collect(decoder, "closed", settings=Settings(server="http://127.0.0.1:1/v1"))["storage"]
    assert "model server" in served.sentence


def test_facts_are_plain_json_in_each_language(decoder: Classifier) -> None:
    facts = collect(decoder, "closed")
    told = json.loads(json.dumps(facts.to_json(Translator("zh"))))
    assert [one["key"] for one in told] == list(facts)
    assert told[0] == {
        "key": "emotion",
        "value": "none",
        "unit": "",
        "sentence": Translator("zh")(facts["emotion"].sentence),
    }
    assert next(one for one in told if one["key"] == "channels")["value"] == list(simulate.TEN_TWENTY)


def edited(record: Record, **texts: str) -> Record:
    for key, text in texts.items():
        record = review.edit(record, key, text, REVIEWER, NOW)
    return record


def test_a_corrected_record_changes_its_facts_and_no_other(decoder: Classifier) -> None:
    event = last(decoder, "flat", settings=FILMS)
    facts, record = event.facts, event.record
    assert facts.correct(review.accept(record, "emotion", REVIEWER, NOW)) == facts
    corrected = facts.correct(edited(record, emotion="calm", bad_channels="O1 only", mains="", eyes="open, as seen"))
    assert list(corrected) == list(facts)
    assert corrected["emotion"].value == "calm"
    assert corrected["emotion"].sentence == "Corrected in the record by a clinician, under Film recognised: calm"
    assert "calm" in corrected["why"].sentence
    assert "O1 only" in corrected["bad.O2"].sentence
    assert corrected["mains"].value is None
    assert "a clinician deleted" in corrected["mains"].sentence
    assert "open, as seen" in corrected["states"].sentence
    assert "病历中已更正" in Translator("zh")(corrected["mains"].sentence)
    changed = {key for key in facts if corrected[key] != facts[key]}
    eyes = {"state.eyes", "states"}
    bad = {"bad_channels", "bad.O1", "bad.O2"}
    assert changed == {"emotion", "confidence", "why", "meaning", "mains", *eyes, *bad}


def test_corrected_probabilities_replace_every_number(decoder: Classifier) -> None:
    event = last(decoder, "closed", settings=FILMS)
    corrected = event.facts.correct(edited(event.record, probabilities="joy 40 %\nfear 60 %"))
    for fact in (*corrected.with_prefix("probability."), *corrected.with_prefix("rank."), corrected["order"]):
        assert fact.sentence.endswith("joy 40 %, fear 60 %")
