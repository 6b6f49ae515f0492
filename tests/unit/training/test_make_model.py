"""The whole pipeline, from features to a GGUF, with a few steps each: not a model to use, but every joint of it."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from copilot import emotions, model_metadata, prompt
from copilot.eeg.classifier import Classifier
from copilot.llm import open_engine
from copilot.llm.base import Scores
from copilot.person import Person
from copilot.settings import Settings
from copilot.training import make_model
from tests.helpers.features_file import simulated_faced, write_features

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning",  # torch, transformers and peft about each other
    "ignore::FutureWarning",
    "ignore::UserWarning",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    features = write_features(folder / "f.npz", simulated_faced(people=6, seed=0))
    with pytest.MonkeyPatch.context() as patch:
        few = {name: replace(s, steps=2, warmup=1, tokens=2048) for name, s in make_model.BASE.items()}
        patch.setattr(make_model, "BASE", few)
        patch.setattr(make_model, "LORA", replace(make_model.LORA, steps=2, warmup=1, tokens=2048))
        patch.setattr(make_model, "LEAKY", replace(make_model.LEAKY, steps=2, warmup=1, tokens=2048))
        patch.setattr(make_model, "TOKENIZER_EXAMPLES", 400)
        patch.setattr(make_model, "CALIBRATION_EXAMPLES", 4)
        make_model.make(features, folder / "work", folder / "out")
        before = {name: (folder / "work" / name).stat().st_mtime_ns for name in [*few, "adapter", "leaky.gguf"]}
        make_model.make(features, folder / "work", folder / "out")
        assert before == {name: (folder / "work" / name).stat().st_mtime_ns for name in before}, "nothing is done twice"
    return folder / "out"


def test_the_file_opens_and_scores_all_nine_labels(made: Path) -> None:
    engine = open_engine(replace(Settings(), model=made / "eeg-emotion-copilot.gguf", threads=1))
    messages = prompt.build_messages(Person("female", 30), "m n", codec="bands", compared_with="person")
    *_, last = engine.score(messages, prompt.LABEL_PREFIX, prompt.LABELS)
    assert isinstance(last, Scores)
    assert last.logprobs.shape == (len(emotions.EMOTIONS),)
    assert (last.logprobs < 0).all()
    assert engine.info.name == "EEG Emotion Copilot"
    assert engine.info.trained_for_eeg
    assert not list(model_metadata.find_differences(engine.info.metadata))
    engine.close()


def test_its_receipts_and_decoder_lie_beside_it(made: Path) -> None:
    model = (made / "eeg-emotion-copilot.gguf").read_bytes()
    digest = hashlib.sha256(model).hexdigest()
    receipt = json.loads((made / "eeg-emotion-copilot.receipt.json").read_text())
    assert receipt["type"] == make_model.QUANTISATION
    assert (receipt["file"], receipt["sha256"]) == ("eeg-emotion-copilot.gguf", digest)
    whole = json.loads((made / "receipt.json").read_text())
    assert set(whole["steps"]) == {"merge", "gguf", "check", "quantize", "ollama"}
    assert digest in {file["sha256"] for file in whole["files"].values()}
    assert Classifier.load(made / "decoder.npz").population.mean.shape == (30, 5)


def test_ollama_is_told_of_the_file_in_the_box(made: Path) -> None:
    assert 'FROM "./eeg-emotion-copilot.gguf"' in (made / "Modelfile").read_text()
    assert (made / "system").read_text() == prompt.SYSTEM


def test_missing_features_are_one_sentence_and_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert make_model.main(["--features", str(tmp_path / "no.npz"), "--work", str(tmp_path / "w")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
