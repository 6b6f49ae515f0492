from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from copilot import emotions, pipeline, prompt
from copilot.eeg import sandbox, simulate
from copilot.eeg.classifier import Classifier
from copilot.eeg.emotion_classifier import EmotionClassifier
from copilot.eeg.states import StateModels
from copilot.eeg.types import RecordingError
from copilot.events import Event, PromptReady, RecordReady, ResultReady, SignalReady, StageBegun
from copilot.llm.base import ModelInfo, Token
from copilot.person import Person
from copilot.settings import Settings, SettingsError
from copilot.training import fit_classifier
from tests.helpers.fake_engine import ANSWER, FakeEngine
from tests.helpers.features_file import simulated_faced

FILMS = Settings(protocol="faced-films")
PERSON = Person(gender="female", age=20)
REAL_PREPARE = sandbox.prepare
PREPARED: dict[Path, list[sandbox.SandboxProgress | sandbox.Prepared]] = {}
MODEL = ModelInfo("fake", metadata={"codec": "bands", "prompt_version": prompt.PROMPT_VERSION})


@pytest.fixture(scope="module")
def decoder() -> Classifier:
    return fit_classifier.fit(simulated_faced(people=6, seed=0, strength=0.5))


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate.write_example("eyes-closed", tmp_path_factory.mktemp("calm"))


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate.write_example("busy", tmp_path_factory.mktemp("busy"))


@pytest.fixture(autouse=True)
def _prepared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is really read and cleaned once; later walks get the same events again."""

    def prepare(paths: Sequence[Path], **options: object) -> Iterator[sandbox.SandboxProgress | sandbox.Prepared]:
        if paths[0] not in PREPARED:
            PREPARED[paths[0]] = list(REAL_PREPARE(paths, **options))  # type: ignore[arg-type]
        yield from PREPARED[paths[0]]

    monkeypatch.setattr(sandbox, "prepare", prepare)


def walk(path: Path, decoder: Classifier, engine: FakeEngine | None = None, **options: object) -> list[Event]:
    settings, person = options.pop("settings", FILMS), options.pop("person", PERSON)
    engine = engine or FakeEngine(info=MODEL)
    return list(pipeline.analyse([path], person, engine=engine, classifier=decoder, settings=settings, **options))  # type: ignore[arg-type]


def only(events: list[Event], kind: type) -> list:
    return [event for event in events if isinstance(event, kind)]


def test_the_walk_goes_from_a_file_to_a_record_in_order(calm: Path, decoder: Classifier) -> None:
    events = walk(calm, decoder)
    assert [e.stage for e in only(events, StageBegun)] == list(pipeline.STAGES)
    kinds = [type(e) for e in events]
    assert kinds.index(SignalReady) < kinds.index(PromptReady) < kinds.index(ResultReady) < kinds.index(Token)
    assert isinstance(events[-1], RecordReady)
    first, last = only(events, ResultReady)
    assert (first.complete, last.complete) == (False, True)
    assert first.result.assessment == ""
    assert last.result.emotion == "joy"
    assert last.result.assessment in ANSWER
    assert len(last.result.suggestions) == 2
    timings = last.result.timings
    assert 0 < timings["clean_s"] < timings["first_token_s"] <= timings["total_s"]


def test_probabilities_are_the_models_scores_at_the_files_temperature(calm: Path, decoder: Classifier) -> None:
    scores = {"joy": -1.0, "fear": -2.0}
    warm = replace(MODEL, metadata={**MODEL.metadata, "temperature": "2"})
    plain, tempered = (
        only(walk(calm, decoder, FakeEngine(scores=scores, info=info)), ResultReady)[-1].result
        for info in (MODEL, warm)
    )
    ratio = plain.probabilities[7] / plain.probabilities[2]
    assert ratio == pytest.approx(np.e)
    assert tempered.probabilities[7] / tempered.probabilities[2] == pytest.approx(np.sqrt(np.e))


def test_words_in_letters_that_the_model_never_saw_stand_in_the_record_only(calm: Path, decoder: Classifier) -> None:
    chinese = Person("female", 30, complaint="睡不好，心情低落", history="migraine since spring")
    trained = FakeEngine(info=replace(MODEL, metadata={"codec": "patterns"}))
    events = walk(calm, decoder, trained, person=chinese)
    asked = only(events, PromptReady)[-1].messages[1]["content"]
    assert "睡不好" not in asked
    assert "migraine" in asked
    record = only(events, RecordReady)[-1].record
    assert record.field("complaint").value == "睡不好，心情低落"
    assert any("reads English only" in note for note in record.notes)
    others = walk(calm, decoder, FakeEngine(info=replace(MODEL, metadata={})), person=chinese)
    assert "睡不好" in only(others, PromptReady)[-1].messages[1]["content"]


def test_the_read_out_setting_decides_what_the_model_sees_and_who_decides(calm: Path, decoder: Classifier) -> None:
    readings, prompts = {}, {}
    for readout in ("both", "model", "decoder"):
        events = walk(calm, decoder, settings=Settings(readout=readout, protocol="faced-films"))
        readings[readout] = only(events, ResultReady)[-1].result
        prompts[readout] = only(events, PromptReady)[-1].messages[1]["content"]
    assert "Film recognised" in prompts["both"]
    assert "Film recognised" not in prompts["model"]
    assert readings["both"].emotion == "joy"
    listed = prompts["decoder"].rsplit(", ", 1)[1]
    assert listed.startswith(readings["decoder"].emotion)


def test_two_states_give_different_text_and_different_evidence(calm: Path, busy: Path, decoder: Classifier) -> None:
    texts = [only(walk(path, decoder), PromptReady)[-1].eeg_text for path in (calm, busy)]
    differing = sum(a != b for a, b in zip(texts[0].split(), texts[1].split(), strict=True))
    assert differing > 30


def test_a_baseline_is_used_and_said(calm: Path, busy: Path, decoder: Classifier) -> None:
    (alone,) = only(walk(busy, decoder), PromptReady)
    events = walk(busy, decoder, baselines=[calm])
    (ready,) = only(events, PromptReady)
    assert "the person's own baseline" in ready.messages[1]["content"]
    assert ready.eeg_text != alone.eeg_text
    assert not any("with one the reading" in note for note in only(events, ResultReady)[-1].result.notes)


def test_states_are_in_result_and_record_beside_their_reliability(calm: Path, busy: Path, decoder: Classifier) -> None:
    events = walk(calm, decoder, baselines=[busy])
    found = {state.source: state for state in only(events, ResultReady)[-1].result.states}
    assert found["eyes"].finding == "closed"
    assert "effort" in found
    fields = {field.key: field.value for field in only(events, RecordReady)[0].record.fields}
    assert found["eyes"].sentence in fields["eyes"]
    assert found["eyes"].reliability in fields["eyes"]
    assert "effort" not in {state.source for state in only(walk(calm, decoder), ResultReady)[-1].result.states}


def test_a_poor_recording_has_no_states(decoder: Classifier, tmp_path: Path) -> None:
    poor = simulate.write_example("poor-contact", tmp_path)
    events = walk(poor, decoder)
    if only(events, SignalReady)[0].quality.trust != "poor":
        pytest.fail("the example is meant to be poor")
    assert only(events, ResultReady)[-1].result.states == ()


def test_nothing_is_said_about_emotion_in_sleep(
    calm: Path, decoder: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    asleep = StateModels.load().make_evidence("sleep", "asleep")
    monkeypatch.setattr(pipeline, "find_states", lambda *_: (asleep,))
    engine = FakeEngine(info=MODEL, scores={"joy": 0.0})
    events = walk(calm, decoder, engine)
    result, record = only(events, ResultReady)[-1].result, only(events, RecordReady)[0].record
    assert result.confidence == "unclear"
    assert "Confidence: unclear" in result.raw
    assert any("slept" in note for note in result.notes)
    assert "No emotion stands out" in record.headline


ANY = Settings()


def test_without_a_baseline_nothing_is_told_of_a_recording_of_any_kind(calm: Path, decoder: Classifier) -> None:
    engine = FakeEngine(info=MODEL)
    events = walk(calm, decoder, engine, settings=ANY)
    result, record = only(events, ResultReady)[-1].result, only(events, RecordReady)[0].record
    assert result.probabilities == pytest.approx(np.full(9, 1 / 9))
    assert (result.situation, result.confidence) == ("any", "unclear")
    assert "11 of 100" in result.reliability
    assert "does not single out an emotion" in result.assessment
    assert "Eyes closed" in result.assessment
    assert any("two or three minutes of rest" in line for line in result.suggestions)
    assert engine.calls == []
    assert record.field("emotion").value == "none is singled out"
    assert "11 of 100" in record.field("reliability").value


def test_words_do_not_move_what_the_eeg_says(calm: Path, busy: Path, decoder: Classifier) -> None:
    talkative = Person("male", 60, "trembling", "panic every night", "grief and anger for years")
    found = [
        only(walk(calm, decoder, baselines=[busy], settings=ANY, person=person), ResultReady)[-1].result.probabilities
        for person in (PERSON, Person(), talkative)
    ]
    assert found[0] == pytest.approx(found[1])
    assert found[0] == pytest.approx(found[2])


@pytest.mark.parametrize(
    ("first", "gain", "confidence"),
    [(0.21, 0.2, "unclear"), (0.23, 0.2, "clear"), (0.23, 0.01, "unclear")],
)
def test_an_emotion_is_named_at_twice_chance_where_the_gain_is_above_its_noise(
    calm: Path,
    busy: Path,
    decoder: Classifier,
    monkeypatch: pytest.MonkeyPatch,
    first: float,
    gain: float,
    confidence: str,
) -> None:
    found = np.full(9, (1 - first) / 8)
    found[emotions.EMOTIONS.index("joy")] = first
    fitted = EmotionClassifier.load()
    shaped = replace(fitted, gain=np.full(2, gain), permuted_gain=np.full(2, 0.05))
    monkeypatch.setattr(EmotionClassifier, "load", lambda: shaped)
    monkeypatch.setattr(EmotionClassifier, "predict", lambda *_: found)
    engine = FakeEngine(info=MODEL)
    result = only(walk(calm, decoder, engine, baselines=[busy], settings=ANY), ResultReady)[-1].result
    assert result.confidence == confidence
    assert ("joy" in result.raw) == (confidence != "unclear")
    assert bool(engine.calls) == (confidence != "unclear")


def test_the_evidence_in_the_prompt_is_of_the_same_situation(calm: Path, decoder: Classifier) -> None:
    any_kind, films = (
        only(walk(calm, decoder, settings=settings), PromptReady)[0].messages[-1]["content"]
        for settings in (ANY, FILMS)
    )
    assert any_kind.endswith("Emotion evidence: none singled out.")
    assert "Film recognised, least to most likely" in films


def test_a_bad_baseline_is_named(calm: Path, decoder: Classifier, tmp_path: Path) -> None:
    (tmp_path / "empty.edf").touch()
    with pytest.raises(RecordingError, match="Baseline 1 of 1"):
        walk(calm, decoder, baselines=[tmp_path / "empty.edf"])


@pytest.mark.parametrize(("codec", "prompts"), [("wavelet", 1), ("wavelet-segments", 10)])
def test_the_papers_codecs_are_read_segment_by_segment_and_named_as_untrained(
    calm: Path, decoder: Classifier, codec: str, prompts: int
) -> None:
    engine = FakeEngine(info=MODEL)
    events = walk(calm, decoder, engine, codec=codec)
    assert [call.kind for call in engine.calls] == ["score"] * prompts + ["generate"]
    assert any("not on" in note for note in only(events, ResultReady)[-1].result.notes)


def test_an_unknown_codec_is_a_sentence(calm: Path, decoder: Classifier) -> None:
    with pytest.raises(SettingsError, match="bands, wavelet"):
        walk(calm, decoder, codec="morse")


def test_a_model_without_eeg_keys_is_labelled_as_such(calm: Path, decoder: Classifier) -> None:
    events = walk(calm, decoder, FakeEngine())
    assert any("not trained for EEG" in note for note in only(events, ResultReady)[-1].result.notes)


def test_only_what_was_measured_is_called_calibrated(calm: Path, decoder: Classifier) -> None:
    def calibrated(info: ModelInfo, **options: object) -> bool:
        return bool(only(walk(calm, decoder, FakeEngine(info=info), **options), ResultReady)[-1].result.calibrated)

    measured = replace(MODEL, metadata={**MODEL.metadata, "temperature": "1.1"})
    assert calibrated(measured)
    assert not calibrated(measured, codec="wavelet")
    assert not calibrated(replace(MODEL, metadata={**measured.metadata, "labels": "[]"}))
    assert not calibrated(ModelInfo("some chat model"))


def test_a_small_headset_is_read_from_what_it_has(decoder: Classifier, tmp_path: Path) -> None:
    made = simulate.simulate(30, seed=2, channels=("AF7", "AF8", "TP9", "TP10"))
    np.savez(tmp_path / "muse.npz", data=made.data, sfreq=made.sfreq, channels=np.array(made.channels))
    events = walk(tmp_path / "muse.npz", decoder)
    (ready,) = only(events, PromptReady)
    assert len(ready.eeg_text.replace("z", "").split()) == 4 * 5
    assert "TP9 was read in place of T7." in only(events, ResultReady)[-1].result.notes


def test_electrodes_that_the_models_do_not_know_are_refused(decoder: Classifier, tmp_path: Path) -> None:
    made = simulate.simulate(30, seed=2, channels=("F1", "F2", "C1", "C2", "P1", "P2"))
    np.savez(tmp_path / "odd.npz", data=made.data, sfreq=made.sfreq, channels=np.array(made.channels))
    with pytest.raises(RecordingError, match="Only 0 of the electrodes"):
        walk(tmp_path / "odd.npz", decoder)


def test_an_answer_without_an_end_is_said_to_be_cut_off(calm: Path, decoder: Classifier) -> None:
    engine = FakeEngine(answers=["word " * 1000], info=MODEL)
    assert any("cut off" in note for note in only(walk(calm, decoder, engine), ResultReady)[-1].result.notes)


def test_closing_the_walk_closes_the_engines_stream(calm: Path, decoder: Classifier) -> None:
    engine = FakeEngine(info=MODEL)
    events = pipeline.analyse([calm], PERSON, engine=engine, classifier=decoder, settings=FILMS)
    for event in events:
        if isinstance(event, Token):
            break
    events.close()  # type: ignore[attr-defined]
    assert engine.stopped == 1


def test_the_prompt_alone_needs_no_engine(calm: Path, decoder: Classifier) -> None:
    events: Iterator[Event] = pipeline.prepare_prompt([calm], PERSON, settings=FILMS, metadata={}, classifier=decoder)
    *_, last = events
    assert isinstance(last, PromptReady)
    assert last.codec == "patterns"


@pytest.mark.parametrize("settings", [ANY, FILMS])
def test_words_about_the_person_do_not_move_the_probabilities(
    calm: Path, busy: Path, decoder: Classifier, settings: Settings
) -> None:
    told = Person("male", 70, appearance="in tears", complaint="so sad", history="joy, joy, joy")
    scored, probabilities = [], []
    for person in (Person(), told):
        engine = FakeEngine()
        events = walk(calm, decoder, engine, person=person, settings=settings, baselines=[busy])
        scored.append([call.messages for call in engine.calls if call.kind == "score"])
        probabilities.append(only(events, ResultReady)[-1].result.probabilities)
        if person is told:
            assert "in tears" in only(events, PromptReady)[-1].messages[-1]["content"]
    assert scored[0] == scored[1]
    assert np.array_equal(*probabilities)
