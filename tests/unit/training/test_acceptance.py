"""What ends ``make model``: a report that misses what is asked of the bundled model."""

from typing import Any

import pytest

from copilot.training.evaluate.acceptance import list_shortfalls, refuse_report
from copilot.training.evaluate.summary import Report
from copilot.training.faced import CorpusError
from tests.unit.training.test_model_card import a_report

GOOD = {"asked": 2, "complete": 2, "contradicting": 0}


def accepted(**changed: Any) -> Report:
    """A report that reaches everything, but for what is changed: 0.7 for clips, 0.5 for ten seconds, ECE 0.02."""
    found = a_report(answers=GOOD)
    for row in found["rows"]:
        row["ece"] = None if row["ece"] is None else 0.02
    lost = {"rows": [{"evidence": True, "loss": 0.01}, {"evidence": False, "loss": 0.2}]}
    for row in found["rows"]:
        if row["model"] == "ensemble" and row["unit"] == "segment-10s":
            row["balanced_accuracy"] = 0.52
    return found | {"quantisation": lost} | changed


def test_a_report_that_reaches_everything_is_accepted() -> None:
    assert list(list_shortfalls(accepted())) == []
    refuse_report(accepted())


def with_rows(report: Report, wanted: dict[str, Any], **values: Any) -> Report:
    rows = [row | values if wanted.items() <= row.items() else row for row in report["rows"]]
    return report | {"rows": rows}


PRODUCT = {"model": "x.gguf", "evidence": True, "readout": "logits"}


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (with_rows(accepted(), PRODUCT | {"condition": "no-baseline", "classes": 9}, balanced_accuracy=0.21), "0.21"),
        (with_rows(accepted(), PRODUCT | {"condition": "eeg-shuffled", "classes": 9}, balanced_accuracy=0.14), "0.14"),
        (with_rows(accepted(), PRODUCT | {"condition": "baseline", "unit": "clip-30s"}, ece=0.051), "calibration"),
        (with_rows(accepted(), {"model": "ensemble", "classes": 9}, balanced_accuracy=0.73), "behind the best"),
        (accepted(quantisation={"rows": [{"evidence": True, "loss": 0.011}]}), "quantisation costs 0.011"),
        (accepted(quantisation=None), "an unknown part"),
        (with_rows(accepted(), {"split": "subject and clip"}, split="another"), "--splits adds them"),
    ],
)
def test_what_is_missed_is_named(report: Report, said: str) -> None:
    with pytest.raises(CorpusError, match="not what is asked") as error:
        refuse_report(report)
    assert said in str(error.value)


@pytest.mark.parametrize("answers", [None, GOOD | {"complete": 1}, GOOD | {"contradicting": 1}])
def test_an_answer_that_is_not_complete_or_contradicts_its_label_is_named(answers: dict[str, int] | None) -> None:
    report = accepted()
    report["models"][0]["answers"] = answers
    (said,) = list_shortfalls(report)
    assert "answers" in said
