"""A poor recording names no emotion as clear anywhere: page, command line, prompt, chat and record know its quality."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from copilot import emotions, pipeline, prompt
from copilot.cli_output import describe_result
from copilot.eeg import simulate
from copilot.eeg.classifier import Classifier
from copilot.eeg.sandbox import Prepared
from copilot.events import Event, ResultReady
from copilot.i18n import N_, Translator
from copilot.i18n.terms import term
from copilot.llm.base import ModelInfo
from copilot.person import Person
from copilot.settings import Settings
from copilot.training import fit_classifier
from copilot.web.results import render_emotion
from tests.helpers.fake_engine import FakeEngine
from tests.helpers.features_file import simulated_faced
from tests.helpers.records import drafted, quality, reading

SURE = {"joy": -0.01}
TRAINED = ModelInfo("fake", metadata={"codec": "bands", "prompt_version": prompt.PROMPT_VERSION})
FOREIGN = ModelInfo("fake", sha256="f" * 64)
say = Translator("en")


@pytest.fixture(scope="module")
def decoder() -> Classifier:
    return fit_classifier.fit(simulated_faced(people=6, seed=0, strength=0.5))


@pytest.fixture
def walk(monkeypatch: pytest.MonkeyPatch, decoder: Classifier):  # type: ignore[no-untyped-def]
    """The events of one analysis of a recording of some quality, by a model that is sure of joy."""

    def run(trust: str, info: ModelInfo = TRAINED) -> tuple[list[Event], FakeEngine]:
        recording = simulate.simulate(seconds=20)
        prepared = Prepared(recording, recording, replace(quality(trust), clean=np.ones(20, bool)), 0.1, 0.1)
        monkeypatch.setattr(pipeline.sandbox, "prepare", lambda *_, **__: iter([prepared]))
        engine = FakeEngine(info=info, scores=SURE, floor=-9.0)
        events = pipeline.analyse(
            [Path("a")], Person(), engine=engine, settings=Settings(protocol="faced-films"), classifier=decoder
        )
        return list(events), engine

    return run


def test_however_sure_a_model_is_a_poor_recording_is_unclear() -> None:
    sure = [0.02] * 7 + [0.84, 0.02]
    assert emotions.grade_confidence(sure) == "clear"
    assert emotions.grade_confidence(sure, "fair") == "clear"
    assert emotions.grade_confidence(sure, "poor") == "unclear"
    assert not reading(joy=0.9, trust="poor").certain
    assert prompt.begin_answer(sure, "poor") == "Emotion: joy\nConfidence: unclear\nAssessment:"


@pytest.mark.parametrize(("trust", "confidence"), [("good", "clear"), ("fair", "clear"), ("poor", "unclear")])
def test_prose_and_record_follow_the_recordings_quality(walk, trust: str, confidence: str) -> None:  # type: ignore[no-untyped-def]
    events, engine = walk(trust)
    read = [event.result for event in events if isinstance(event, ResultReady)]
    assert [one.confidence for one in read] == [confidence, confidence]
    assert f"Confidence: {confidence}" in engine.calls[-1].prefix
    record = events[-1].record
    assert record.findings.confidence == confidence
    assert ("Poor recording" in record.headline) == (trust == "poor")
    stated = next(field.value for field in record.fields if field.key == "emotion")
    assert stated.startswith("none stands out" if trust == "poor" else "joy")


@pytest.mark.parametrize("info", [TRAINED, FOREIGN], ids=["trained", "foreign"])
@pytest.mark.parametrize("trust", ["good", "poor"])
def test_only_a_foreign_model_reads_in_its_prompt_that_the_signal_is_poor(walk, info, trust) -> None:  # type: ignore[no-untyped-def]
    asked = walk(trust, info)[1].calls[0].messages[-1]["content"]
    assert ("Signal quality: poor" in asked) == (trust == "poor" and info is FOREIGN)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_page_and_command_line_name_no_emotion(language: str) -> None:
    voice = Translator(language)
    poor = reading(joy=0.9, trust="poor")
    page, line = render_emotion(voice, poor), describe_result(poor, voice)
    assert voice(N_("The recording is too poor to name an emotion")) in page
    assert voice(N_("Too poor a recording to name an emotion; the numbers above are hardly more than a guess.")) in line
    for told in (page, line):
        assert voice(N_("Film recognised: {emotion}"), emotion=term("emotion", "joy")) not in told
        assert "Most probable" not in told
    headline = page.split('<ol class="bars"')[0]
    assert voice(term("emotion", "joy")) not in headline
    assert "svg" not in headline
    assert voice(N_("Film recognised: {emotion}"), emotion=term("emotion", "joy")) in render_emotion(
        voice, reading(joy=0.9)
    )


def test_a_poor_record_is_never_clear_whatever_the_reading_says() -> None:
    record = drafted(trust="poor", joy=0.9)
    assert record.findings.confidence == "unclear"
    assert record.headline.startswith("Poor recording: do not rely on")
