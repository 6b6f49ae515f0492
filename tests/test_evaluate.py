import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from copilot import emotions
from copilot.engine.base import Message, ModelInfo, PromptProgress, Scores, Token
from copilot.training import evaluate, fit_decoder
from tests.features_file import simulated_faced, write_features


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
        yield Token(f" {emotions.top(scores.logprobs.tolist())}\nConf")

    def close(self) -> None: ...


@pytest.fixture(scope="module")
def rows() -> list[evaluate.Row]:
    decoder = fit_decoder.fit(simulated_faced(people=12, seed=0))
    return evaluate.evaluate(simulated_faced(people=4, seed=5), EvidenceReader(), decoder, lambda _: None)


def find(rows: list[evaluate.Row], **wanted: object) -> evaluate.Row:
    (row,) = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    return row


def test_every_row_has_the_published_keys(rows: list[evaluate.Row]) -> None:
    keys = {"condition", "evidence", "unit", "readout", "classes", "balanced_accuracy", "macro_f1", "ece", "n"}
    assert all(set(row) == keys for row in rows)
    assert {row["condition"] for row in rows} == {
        "baseline", "no-baseline", "eeg-blanked", "eeg-shuffled", "demographics-only"
    }  # fmt: skip
    assert {row["readout"] for row in rows} == {"logits", "greedy", "top-k-50", "decoder"}


def test_a_model_that_reads_the_evidence_scores_like_the_decoder(rows: list[evaluate.Row]) -> None:
    wanted = {"condition": "baseline", "unit": "segment-10s", "classes": 9, "evidence": True}
    decoder, logits, greedy = (find(rows, **wanted, readout=r) for r in ("decoder", "logits", "greedy"))
    assert decoder["balanced_accuracy"] > 0.9
    assert logits["balanced_accuracy"] == pytest.approx(decoder["balanced_accuracy"], abs=0.02)
    assert greedy["balanced_accuracy"] == logits["balanced_accuracy"]
    assert greedy["ece"] is None


@pytest.mark.parametrize("condition", ["eeg-blanked", "eeg-shuffled"])
@pytest.mark.parametrize("unit", ["segment-10s", "clip-30s"])
def test_nothing_is_left_where_the_eeg_says_nothing(rows: list[evaluate.Row], condition: str, unit: str) -> None:
    row = find(rows, condition=condition, unit=unit, classes=9, evidence=True, readout="logits")
    assert row["balanced_accuracy"] < 0.2


def test_without_the_evidence_line_this_model_knows_nothing(rows: list[evaluate.Row]) -> None:
    wanted = {"condition": "baseline", "unit": "segment-10s", "evidence": False, "readout": "logits"}
    assert find(rows, **wanted, classes=9)["balanced_accuracy"] == pytest.approx(1 / 9, abs=1e-3)
    assert find(rows, **wanted, classes=3)["balanced_accuracy"] == pytest.approx(1 / 3, abs=1e-3)


def test_counts_are_people_times_clips_times_segments(rows: list[evaluate.Row]) -> None:
    assert {row["n"] for row in rows if row["unit"] == "segment-10s"} == {4 * 28 * 3}
    assert {row["n"] for row in rows if row["unit"] == "clip-30s"} == {4 * 28}


def test_the_command_writes_a_report_and_prints_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(evaluate, "open_engine", lambda settings: EvidenceReader())
    fit_decoder.fit(simulated_faced(people=6, seed=0)).save(tmp_path / "d.npz")
    features = write_features(tmp_path / "f.npz", simulated_faced(people=2, seed=1))
    report = tmp_path / "out.json"
    arguments = ["--features", str(features), "--decoder", str(tmp_path / "d.npz"), "--report", str(report)]
    assert evaluate.main([*arguments, "--subjects", "101"]) == 0
    written = json.loads(report.read_text())
    assert written["subjects"] == "101"
    assert written["rows"][0]["n"] == 84
    assert "chance is 0.111" in capsys.readouterr().out


def test_bad_input_is_one_sentence_and_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = ["--features", str(tmp_path / "no.npz"), "--report", str(tmp_path / "out.json")]
    assert evaluate.main(missing) == 2
    assert capsys.readouterr().err.count("\n") == 1
