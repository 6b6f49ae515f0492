"""What a report says in words, in the card and in the README, from rows with known figures."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from copilot.training import model_card
from copilot.training.evaluate import report
from copilot.training.evaluate.ablations import LEAKY_RUNS, RUNS, UNITS, Pass
from copilot.training.evaluate.figures import draw
from copilot.training.evaluate.scores import Predictions
from copilot.training.evaluate.summary import REFERENCES, Report, list_findings

MODEL, SPLIT, HELD_OUT = "x.gguf", "subjects 0-79 / 80-99", "subject and clip"
RECEIPT = {
    "parameters": 3_900_000,
    "type": "Q5_0",
    "file_bytes": 2_860_000,
    "bits_per_weight": 5.73,
    "sha256": "ab" * 32,
}


def made(condition: str, evidence: bool, unit: str, readout: str, model: str, split: str, score: float) -> Predictions:
    """Readings of ten people, 90 trials each, right in a share of ``score`` in every emotion."""
    truth, subjects = np.tile(np.arange(9), 100), np.repeat(np.arange(80, 90), 90)
    wrong = (np.arange(900) // 9) % 100 >= round(100 * score)
    named = np.where(wrong, (truth + 4) % 9, truth)
    return Predictions(
        condition, evidence, unit, readout, model, split, 0.8 * np.eye(9)[named] + 0.2 / 9, truth, subjects
    )


STATES = {
    "eyes": {"people": 129, "right": 93, "unclear": 13},
    "effort": {"people": 30, "right": 89, "unclear": 33},
    "sleep": {"people": 8, "right": 99, "guessing": 82, "found": 65},
}


def any_rows() -> list[dict[str, Any]]:
    """Rows of recordings of any kind: 0.17 of nine classes, AUC 0.6, and a control below 0.58."""
    shared = {"condition": "baseline", "situation": "any", "control": "", "auc": 0.6, "bits": 0.04}
    scores = {"balanced_accuracy": 0.17, "ece": 0.02, "low": 0.14, "high": 0.2}
    control = {
        "auc": 0.49,
        "bits": -0.01,
        "auc_95": 0.58,
        "bits_95": 0.02,
        "control": "films' labels permuted 20 times",
    }
    return [shared | scores | {"classes": 9}, shared | scores | {"classes": 3}, shared | control]


def a_report(held_out: float = 0.14, controls: float = 0.11, answers: dict[str, Any] | None = None) -> Report:
    """As the command makes it: 0.7 for clips, 0.5 for ten seconds, references at 0.6 and in new films as given."""

    def score(run: Pass, unit: str) -> float:
        if run.condition in ("eeg-blanked", "eeg-shuffled", "demographics-only", "one-second-late"):
            return controls
        return 0.33 if run.condition == "leaky-prompt" else {"segment-10s": 0.5, "clip-30s": 0.7}[unit]

    readings = [
        made(run.condition, run.evidence, unit, readout, MODEL, SPLIT, score(run, unit))
        for run in (*RUNS, *LEAKY_RUNS)
        for unit in UNITS
        for readout in run.readouts
    ]
    for model in REFERENCES:
        for split, reached in ((SPLIT, 0.6 if model == "ensemble" else 0.4), (HELD_OUT, held_out)):
            readings += [made("baseline", False, unit, "decoder", model, split, reached) for unit in UNITS]
    facts = {"file": MODEL, "name": "X", "sha256": "ab" * 32, "bytes": 2_860_000, "parameters": 3_900_000}
    models = [facts | {"codec": "patterns", "details": report.collect_details(readings), "answers": answers}]
    found = {"features": "f.npz", "subjects": "80-89", "people": 10, "model": "X", "model_sha256": "ab" * 32}
    rows = [row for reading in readings for row in reading.rows()]
    told = {"rows": rows, "models": models, "quantisation": None, "notes": ["Nothing was left out."]}
    told |= {"any_rows": any_rows(), "states": STATES}
    return json.loads(json.dumps(found | told | {"machine": "2 threads, a processor", "prompt_version": "1"}))


def words(text: str) -> str:
    return " ".join(text.split())


def test_the_first_sentences_are_what_nobody_should_miss() -> None:
    any_kind, states, first, second, late, third, *_ = list_findings(a_report())
    assert "any kind" in any_kind
    assert "**17 of 100 (14 to 20)** right, film and person both new; guessing gives 11" in any_kind
    assert "curve 0.60; with the films' labels permuted 95 % of tries stay below 0.58" in any_kind
    assert "eyes open or closed 93 of 100 right, mental effort 89, guessing 50; asleep 99, guessing 82" in states
    assert "**70 of 100 (" in first
    assert "from ten seconds in 50 of 100" in first
    assert "recognising the film" in second
    assert "names 14 of 100" in second
    assert "begin one second later, it names 11 of 100" in late
    assert "it guesses, as it should" in third


@pytest.mark.parametrize(
    ("held_out", "said"),
    [
        (0.11, "names 11 of 100 (0 to 31) right and of three classes 11 of 100 (0 to 31): not told from guessing"),
        (0.5, "right and of three classes 50 of 100 (20 to 80): more than guessing"),
    ],
)
def test_words_about_new_films_follow_the_figure(held_out: float, said: str) -> None:
    told = words(" ".join(list_findings(a_report(held_out=held_out))))
    assert said in told
    assert ("Most of this is recognising the film" in told) is (held_out < 0.2)


def test_a_control_that_knows_something_is_pointed_out() -> None:
    assert "it should guess, and does not quite" in " ".join(list_findings(a_report(controls=0.2)))


def test_the_best_reference_is_named_beside_the_product() -> None:
    assert "the best is `ensemble` for ten seconds, 60 of 100" in words(" ".join(list_findings(a_report())))


def test_failed_answers_are_quoted_in_full() -> None:
    failed = {"emotion": "joy", "faults": ["contradicts its label: angry"], "text": "Emotion: joy\nAn angry day."}
    seconds = {"label": {"mean": 0.1, "median": 0.1}, "answer": {"mean": 0.5, "median": 0.5}}
    told = {"asked": 500, "complete": 500, "contradicting": 1, "failures": [failed], "seconds": seconds}
    text = report.format_report(a_report(answers=told), "out")
    assert "500 written answers 500 make a complete record, and 1 contradict" in words(text)
    assert "Emotion: joy An angry day." in text


def test_a_twin_shows_what_quantisation_costs() -> None:
    readings = [
        made("baseline", True, "clip-30s", "logits", model, SPLIT, score)
        for model, score in ((MODEL, 0.68), ("twin.gguf", 0.7))
    ]
    lost = report.compare_quantisation([row for reading in readings for row in reading.rows()], MODEL, "twin.gguf")
    nine, _ = lost["rows"]
    assert (nine["before"], nine["after"], nine["loss"]) == (0.7, 0.68, 0.02)
    assert lost["largest_loss"] >= 0.02
    assert "costs at most" in " ".join(list_findings(a_report() | {"quantisation": lost}))


def test_the_card_holds_every_score_and_names_only_figures_that_are_drawn(tmp_path: Path) -> None:
    told = a_report()
    text = model_card.format_card(told, RECEIPT)
    draw(told, tmp_path / "evaluation")
    shown = re.findall(r"\]\((evaluation/[^)]+)\)", text)
    assert {tmp_path / name for name in shown} == set((tmp_path / "evaluation").iterdir())
    assert text.count("| x.gguf") == len(told["rows"]) / 2 - 2 * 2 * len(REFERENCES)
    assert f"### {HELD_OUT}" in text


def test_the_card_shows_new_films_and_chance_beside_the_product() -> None:
    lines = {
        line.split("|")[1].strip(): line
        for line in model_card.format_card(a_report(), RECEIPT).splitlines()
        if line.startswith("|")
    }
    assert lines["as it ships, with the person's baseline"].count("0.700 (0.") == 2
    assert lines["the classifier fitted again, film and person both new"].count("0.140 (") == 4
    assert "0.111" in lines["guessing"]


@pytest.fixture
def box(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / model_card.EVALUATION).write_text(json.dumps(a_report()))
    (tmp_path / "models" / model_card.RECEIPT).write_text(json.dumps(RECEIPT))
    (tmp_path / "README.md").write_text(f"Before.\n{model_card.BEGIN}\nstale\n{model_card.END}\nAfter.\n")
    return tmp_path


def test_figures_are_replaced_and_everything_else_stays(box: Path) -> None:
    for _ in range(2):
        assert model_card.main([str(box / "models"), str(box / "README.md")]) == 0
    readme = (box / "README.md").read_text()
    assert readme.startswith("Before.\n")
    assert readme.endswith("After.\n")
    assert "stale" not in readme
    assert readme.count(model_card.format_paragraph(a_report())) == 1
    assert "\n" not in model_card.format_paragraph(a_report())
    assert (box / "models" / "README.md").read_text() == model_card.format_card(a_report(), RECEIPT)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (f"models/{model_card.EVALUATION}", None, "evaluation.json"),
        (f"models/{model_card.EVALUATION}", "{}", "older form"),
        ("README.md", "no place", "no place for figures"),
        ("README.md", None, "README.md"),
    ],
)
def test_what_cannot_be_read_is_one_sentence_and_changes_nothing(
    box: Path, name: str, content: str | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is None:
        (box / name).unlink()
    else:
        (box / name).write_text(content)
    assert model_card.main([str(box / "models"), str(box / "README.md")]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (box / "models" / "README.md").exists()
