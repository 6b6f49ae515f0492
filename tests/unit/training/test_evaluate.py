import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from copilot import emotions
from copilot.eeg.classifier import Classifier
from copilot.eeg.text_encoding import PATTERN_NAMES
from copilot.llm.base import Message, ModelInfo, PromptProgress, Scores, Token
from copilot.training import evaluate, fit_classifier
from copilot.training.evaluate import ablations, published_baselines
from copilot.training.evaluate.model import ModelUnderTest, count_readouts, split_name
from copilot.training.evaluate.scores import ReportRow
from copilot.training.faced import CorpusError, Faced
from tests.helpers.features_file import simulated_faced, write_features

KEYS = {
    *("condition", "evidence", "unit", "readout", "classes", "balanced_accuracy", "macro_f1", "ece", "n"),
    *("model", "split", "low", "high"),
}


class EvidenceReader:
    """Stands for a language model that believes the evidence line, and knows nothing without one."""

    info = ModelInfo(name="reader")

    def score(
        self, messages: Sequence[Message], prefix: str, labels: Sequence[str]
    ) -> Iterator[PromptProgress | Scores]:
        percents = dict(re.findall(r"(\w+) (\d+)%", messages[-1]["content"]))
        yield Scores(np.log([int(percents.get(label.strip(), 11)) + 0.5 for label in labels]))

    def generate(self, messages: Sequence[Message], prefix: str = "", **_: object) -> Iterator[Token]:
        *_, scores = self.score(messages, prefix, emotions.EMOTIONS)
        assert isinstance(scores, Scores)
        yield Token(f" {emotions.find_top_emotion(scores.logprobs.tolist())}\nConf")

    def close(self) -> None: ...


class LeakReader(EvidenceReader):
    """Stands for one that was trained on prompts that tell the class of the label; inside the class it guesses."""

    def score(
        self, messages: Sequence[Message], prefix: str, labels: Sequence[str]
    ) -> Iterator[PromptProgress | Scores]:
        told = re.search(r"seems (\w+)", messages[-1]["content"])
        inside = [emotions.THREE_CLASSES[k] == (told[1] if told else "") for k in emotions.CLASS_OF]
        yield Scores(np.where(inside, 0.0, -9.0) + np.eye(9)[4] * 0.1)


def read(engine: EvidenceReader, faced: Faced, decoder: Classifier, runs: Sequence[ablations.Pass]) -> list[ReportRow]:
    done: list[int] = []
    readings = ModelUnderTest("reader.gguf", engine, decoder).predict(faced, runs, done.append)
    rows = [row for reading in readings for row in reading.rows()]
    assert sum(done) == count_readouts(faced, runs), "the bar arrives at its end"
    return rows


@pytest.fixture(scope="module")
def decoder() -> Classifier:
    return fit_classifier.fit(simulated_faced(people=12, seed=0))


@pytest.fixture(scope="module")
def rows(decoder: Classifier) -> list[ReportRow]:
    return read(EvidenceReader(), simulated_faced(people=4, seed=5), decoder, ablations.RUNS)


def find(rows: list[ReportRow], **wanted: object) -> ReportRow:
    (row,) = [row for row in rows if wanted.items() <= row.items()]
    return row


def test_every_row_has_the_published_keys(rows: list[ReportRow]) -> None:
    assert all(set(row) == KEYS for row in rows)
    assert {row["condition"] for row in rows} == {
        *("baseline", "no-baseline", "eeg-blanked", "eeg-shuffled", "demographics-only", "one-second-late"),
        *(f"baseline-{count}" for count in (1, 2, 4, 8, 27)),
    }
    assert {row["readout"] for row in rows} == {"logits", "greedy", "top-k-50", "decoder"}
    assert {row["model"] for row in rows} == {"reader.gguf"}
    assert {row["split"] for row in rows} == {"subjects 0-79 / 500-503"}


def test_every_interval_holds_its_score(rows: list[ReportRow]) -> None:
    assert all(row["low"] <= row["balanced_accuracy"] + 1e-4 for row in rows if row["low"] is not None)
    assert all(row["high"] >= row["balanced_accuracy"] - 1e-4 for row in rows if row["high"] is not None)
    assert all(row["low"] is not None for row in rows)


def test_a_model_that_reads_the_evidence_scores_like_the_decoder(rows: list[ReportRow]) -> None:
    wanted = {"condition": "baseline", "unit": "segment-10s", "classes": 9, "evidence": True}
    decoder, logits, greedy = (find(rows, **wanted, readout=r) for r in ("decoder", "logits", "greedy"))
    assert decoder["balanced_accuracy"] > 0.8
    assert logits["balanced_accuracy"] == pytest.approx(decoder["balanced_accuracy"], abs=0.02)
    assert greedy["balanced_accuracy"] == logits["balanced_accuracy"]
    assert greedy["ece"] is None


@pytest.mark.parametrize("condition", ["eeg-blanked", "eeg-shuffled"])
@pytest.mark.parametrize("unit", ["segment-10s", "clip-30s"])
def test_nothing_is_left_where_the_eeg_says_nothing(rows: list[ReportRow], condition: str, unit: str) -> None:
    row = find(rows, condition=condition, unit=unit, classes=9, evidence=True, readout="logits")
    assert row["balanced_accuracy"] < 0.2


def test_without_the_evidence_line_this_model_knows_nothing(rows: list[ReportRow]) -> None:
    wanted = {"condition": "baseline", "unit": "segment-10s", "evidence": False, "readout": "logits"}
    assert find(rows, **wanted, classes=9)["balanced_accuracy"] == pytest.approx(1 / 9, abs=1e-3)
    assert find(rows, **wanted, classes=3)["balanced_accuracy"] == pytest.approx(1 / 3, abs=1e-3)


def test_counts_are_people_times_clips_times_segments(rows: list[ReportRow]) -> None:
    assert {row["n"] for row in rows if row["unit"] == "segment-10s"} == {4 * 28 * 3}
    assert {row["n"] for row in rows if row["unit"] == "clip-30s"} == {4 * 28}


def test_all_other_clips_of_a_person_are_the_whole_baseline(rows: list[ReportRow]) -> None:
    wanted = {"unit": "clip-30s", "classes": 9, "evidence": True, "readout": "logits"}
    one, all_of_them, whole = (find(rows, **wanted, condition=f"baseline{n}") for n in ("-1", "-27", ""))
    assert all_of_them["balanced_accuracy"] == whole["balanced_accuracy"]
    assert one["balanced_accuracy"] < whole["balanced_accuracy"]


def test_a_baseline_of_some_clips_never_holds_a_clip_twice_and_grows(decoder: Classifier) -> None:
    faced = simulated_faced(people=1, seed=5)
    trial = next(faced.trials(ablations.UNITS["segment-10s"]))
    one, eight = (ablations.choose_other_clips(faced.de[0], trial, count) for count in (1, 8))
    assert len(one) == 1
    assert len(eight) == 8
    assert np.array_equal(one[0], eight[0])
    everything = [*ablations.choose_other_clips(faced.de[0], trial, 27), faced.de[0, trial.clip]]
    assert len({clip.tobytes() for clip in everything}) == 28


def test_a_prompt_that_tells_the_label_is_worth_all_three_classes_and_a_third_of_nine(decoder: Classifier) -> None:
    faced = replace(simulated_faced(people=2, seed=5), de=np.zeros((2, 28, 30, 30, 5), np.float32))  # nothing to read
    leaky = read(LeakReader(), faced, decoder, ablations.LEAKY_RUNS)
    wanted = {"condition": "leaky-prompt", "unit": "clip-30s", "readout": "logits", "evidence": False}
    assert find(leaky, **wanted, classes=3)["balanced_accuracy"] == 1
    assert find(leaky, **wanted, classes=9)["balanced_accuracy"] == pytest.approx(1 / 3, abs=0.01)


def test_no_other_condition_tells_the_label(decoder: Classifier) -> None:
    faced = simulated_faced(people=1, seed=5)
    for condition in dict.fromkeys(run.condition for run in ablations.RUNS):
        items = ablations.make_prompted_trials(faced, "clip-30s", condition, decoder, "bands")
        assert len({item.person for item in items}) == 1
        assert "seems" not in items[0].messages(with_evidence=True)[-1]["content"]


def test_a_model_is_fed_its_own_codec(decoder: Classifier) -> None:
    faced = simulated_faced(people=1, seed=5)
    patterns, bands = (
        ablations.make_prompted_trials(faced, "clip-30s", "baseline", decoder, codec)[0].eeg.texts[0]
        for codec in ("patterns", "bands")
    )
    assert [word[:2] for word in patterns.split()[:64]] == list(PATTERN_NAMES)
    assert patterns.count("\n") == 2, "the course over thirty seconds"
    assert len(bands.split()) == 150


def test_a_codec_that_needs_the_raw_signal_is_refused_in_one_sentence(decoder: Classifier) -> None:
    with pytest.raises(CorpusError, match="wavelet"):
        ablations.make_prompted_trials(simulated_faced(people=1, seed=5), "clip-30s", "baseline", decoder, "wavelet")


def test_a_split_that_scores_people_it_was_fitted_on_says_that_it_leaks() -> None:
    assert split_name(np.array([80, 81, 99])) == "subjects 0-79 / 80-81, 99"
    assert split_name(np.array([79, 80])) == "subjects 0-79 / 79-80 (leaks)"


def test_people_of_two_files_are_taken_once() -> None:
    learned, read = simulated_faced(people=3, seed=0), simulated_faced(people=2, seed=1)
    both = evaluate.merge_people(read, learned)
    assert evaluate.merge_people(both, learned).subjects.tolist() == [100, 101, 0, 1, 2]
    ([(train, test)],) = published_baselines.make_folds(both, read, all_splits=False).values()
    assert both.subjects[train.any(axis=1)].tolist() == [0, 1, 2]
    assert both.subjects[test.all(axis=1)].tolist() == [100, 101]
    with pytest.raises(CorpusError, match="other clips"):
        evaluate.merge_people(read, Faced(learned.de, learned.subjects, learned.emotions[::-1]))


def test_references_that_cannot_be_fitted_are_left_out_and_said_to_be() -> None:
    read = simulated_faced(people=2, seed=1)
    wanted = published_baselines.make_folds(read, read, all_splits=False)
    assert wanted == {}
    notes = published_baselines.list_left_out(wanted, read)
    assert ["--train" in note or "--splits" in note for note in notes] == [True, True]


def test_too_few_people_to_fit_references_on_are_a_note_and_no_fault() -> None:
    faced = simulated_faced(people=2, seed=0)
    found, (note,) = published_baselines.compare(faced, published_baselines.make_folds(faced, faced, all_splits=False))
    assert found == []
    assert "2 people" in note


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A decoder, and features without and with the people that references are fitted on."""
    folder = tmp_path_factory.mktemp("data")
    learned, kept_back = simulated_faced(people=6, seed=0), simulated_faced(people=2, seed=1)
    fit_classifier.fit(learned).save(folder / "d.npz")
    write_features(folder / "f.npz", kept_back)
    write_features(folder / "both.npz", evaluate.merge_people(kept_back, learned))
    return folder


Command = Callable[..., int]


@pytest.fixture
def command(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command in a folder of its own, with a stand-in for the model."""
    monkeypatch.setattr(evaluate, "open_engine", lambda settings: EvidenceReader())
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, features: str = "f.npz") -> int:
        given = ["--features", str(data / features), "--decoder", str(data / "d.npz"), "--report", "out.json"]
        return evaluate.main([*given, "--answers", "2", *arguments])

    return run


def test_the_command_writes_a_report_and_prints_a_table(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--subjects", "101") == 0
    written = json.loads(Path("out.json").read_text())
    assert written["subjects"] == "101"
    assert written["rows"][0]["n"] == 84
    assert written["rows"][0]["low"] is None, "one person allows no interval"
    (model,) = written["models"]
    assert {"file", "sha256", "bytes", "parameters", "codec"} <= set(model)
    assert [(d["unit"], d["evidence"]) for d in model["details"]] == [
        *(("segment-10s", True), ("segment-10s", False), ("clip-30s", True), ("clip-30s", False))
    ]
    assert np.array(model["details"][2]["confusion_nine"]).sum(axis=1).tolist() == [3, 3, 3, 3, 4, 3, 3, 3, 3]
    assert (model["answers"]["asked"], model["answers"]["complete"]) == (2, 0), "this stand-in writes no prose"
    out = capsys.readouterr().out
    assert "chance is 0.111" in out
    assert "nobody was fitted on was not measured" in " ".join(out.split())


def test_markdown_and_figures_lie_beside_the_report(command: Command) -> None:
    assert command() == 0
    text = Path("out.md").read_text()
    shown = re.findall(r"!\[.+\]\((out/.+\.png)\)", text)
    assert len(shown) == 4
    assert all(Path(name).read_bytes().startswith(b"\x89PNG") for name in shown)
    assert not list(Path().rglob("*.partial"))


def test_references_stand_in_the_same_table(command: Command) -> None:
    assert command("--subjects", "100-101", features="both.npz") == 0
    rows = json.loads(Path("out.json").read_text())["rows"]
    assert all(set(row) == KEYS for row in rows)
    assert {row["model"] for row in rows} >= {"majority", "lda", "network", "ensemble"}
    assert {row["split"] for row in rows} == {"subjects 0-79 / 100-101"}
    majority = find(rows, model="majority", condition="baseline", unit="clip-30s", classes=9)
    assert majority["balanced_accuracy"] == pytest.approx(1 / 9, abs=1e-4)


def test_an_interrupted_run_leaves_nothing_and_says_one_sentence(
    command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> Iterator[Scores]:
        raise KeyboardInterrupt

    monkeypatch.setattr(EvidenceReader, "score", interrupted)
    assert command() == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--features", "no.npz"], "no.npz does not exist"),
        (["--subjects", "7"], "None of the subjects"),
        (["--subjects", "all"], "80-99"),
        (["--train", "no.npz"], "no.npz does not exist"),
        (["--report", "out"], ".json"),
        (["--model", "a/x.gguf", "--model", "b/x.gguf"], "same file name"),
        (["--model", "no.gguf"], "no.gguf"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(
    command: Command, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(*arguments) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
