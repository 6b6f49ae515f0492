"""Format the report of an evaluation: plain values for programs, Markdown for people, both from the same rows."""

from collections.abc import Iterator, Sequence
from typing import Any

from convert.report import format_table, in_millions
from copilot import emotions
from copilot.training.evaluate.figures import FIGURES
from copilot.training.evaluate.model import LEAKS
from copilot.training.evaluate.scores import Predictions, ReportRow
from copilot.training.evaluate.summary import CLIP, Report, list_findings

HEADINGS = (
    *("model", "EEG", "evidence", "unit", "read-out", "nine", "three"),
    *("F1, nine", "F1, three", "ECE", "n"),
)

EXPLANATION = """\
`EEG` is what the prompt held: `baseline` compares with all of the person's own clips (where clips are held out, with
those that are scored), `baseline-N` with N others and the trial itself, `no-baseline` with other people; `eeg-blanked`,
`eeg-shuffled`, `demographics-only` and `one-second-late` are controls. `evidence` says whether the decoder's line was
in the prompt; the read-out `decoder` is a decoder by itself. `nine` and `three` are balanced accuracies with 95 %
intervals (1,000 resamples of people); chance is 0.111 and 0.333. F1 is the mean over the classes; ECE the expected
calibration error over 15 bins. Everything was calibrated on new people and known clips: where clips are held out, ECE
shows what that is worth."""


ANY_KIND = """\
The classifier that reads recordings of any kind by default, fitted again without the films and the people that are
scored. `baseline` compares with all other clips of the person, `baseline-1` with one of them, `no-baseline` with none.
The control does the same after the films' labels were permuted: what it reaches is chance with 28 films."""

STATES = """\
States, measured on people that nothing was fitted on (`fit_states`): how often a named state is right, what guessing
reaches (50 where nothing stands), how often none is named, and how much of all sleep is found."""


def collect_details(predictions: Sequence[Predictions]) -> list[dict[str, Any]]:
    """Return the details of a model's predictions with the person's baseline, which rows do not contain."""
    return [r.details() for r in predictions if (r.condition, r.readout) == ("baseline", "logits")]


def compare_quantisation(rows: Sequence[ReportRow], model: str, unquantised: str) -> dict[str, Any]:
    """Compare a model's scores with those of the same model before quantisation.

    Args:
        rows: rows of both models.
        model: file name of the quantised model.
        unquantised: file name of the model before quantisation.
    """
    whole = {(*_row_key(row), row["classes"]): row["balanced_accuracy"] for row in rows if row["model"] == unquantised}
    compared: list[dict[str, Any]] = []
    for row in rows:
        before = whole.get((*_row_key(row), row["classes"]))
        if row["model"] == model and before is not None:
            loss = round(before - row["balanced_accuracy"], 4)
            keys = {key: value for key, value in row.items() if key in ("condition", "evidence", "unit", "classes")}
            compared.append(keys | {"before": before, "after": row["balanced_accuracy"], "loss": loss})
    return {"against": unquantised, "largest_loss": max(row["loss"] for row in compared), "rows": compared}


def _row_key(row: ReportRow) -> tuple[object, ...]:
    """Return what rows of nine and three classes, or of a model before and after quantisation, have in common."""
    return row["split"], row["condition"], row["evidence"], row["unit"], row["readout"]


def format_report(report: Report, folder: str) -> str:
    """Return the whole report as Markdown; the figures are in ``folder`` beside it."""
    title = f"# What {report['model']} can tell, and what it cannot\n"
    parts = [title, describe_measurement(report), *(f"- {finding}" for finding in list_findings(report)), ""]
    parts += [f"![{words}]({folder}/{name})\n" for name, words in FIGURES.items()]
    parts += ["## All scores\n", EXPLANATION, ""]
    parts += [f"{part}\n" for part in format_tables(report)]
    parts += ["## Recordings of any kind\n", format_any_kind(report), ""]
    headings = ("file", "codec", "MB", "million parameters", "label, s", "answer, s", "valence r, clip", "sha256")
    lines = []
    for model in report["models"]:
        seconds = (model.get("answers") or {}).get("seconds", {})
        valence = [d["valence_correlation"] for d in model["details"] if d["unit"] == CLIP and d["evidence"]]
        lines.append(
            [
                *(model["file"], model["codec"], in_millions(model["bytes"]), in_millions(model["parameters"])),
                *(f"{seconds[key]['mean']:.3f}" if key in seconds else "" for key in ("label", "answer")),
                f"{valence[0]:.2f}" if valence and valence[0] is not None else "",
                f"`{model['sha256'][:12]}`",
            ]
        )
    parts += ["## Models\n", format_table(headings, lines, padded=True), ""]
    (detail,) = [d for d in report["models"][0]["details"] if d["unit"] == CLIP and d["evidence"]]
    counts = [[name, *map(str, row)] for name, row in zip(emotions.EMOTIONS, detail["confusion_nine"], strict=True)]
    parts += [f"## What clips were taken for: {report['models'][0]['file']}, with baseline and evidence\n"]
    parts += [format_table(("shown / named", *emotions.EMOTIONS), counts, padded=True), ""]
    failed = [failure for model in report["models"] for failure in (model.get("answers") or {}).get("failures", [])]
    quoted = [f"- {', '.join(f['faults'])} ({f['emotion']}): {' '.join(f['text'].split())}" for f in failed]
    parts += ["## Answers that failed\n", *quoted, ""] if failed else []
    parts += ["## Left out\n", *(f"- {note}" for note in report["notes"]), ""] if report["notes"] else []
    return "\n".join(parts)


def describe_measurement(report: Report) -> str:
    """Return a sentence on whom and how the model was measured."""
    leaks = report["rows"][0]["split"].endswith(LEAKS)
    whom = "some of whom it was fitted on, so that these figures are too good" if leaks else "it never saw"
    return (
        f"Measured on {report['people']} people {whom} (subjects {report['subjects']} of {report['features']}), "
        "through the model file and the prompt alone. In brackets: 95 % intervals over people.\n"
    )


def format_tables(report: Report) -> Iterator[str]:
    """Yield a table for each split, below its name."""
    for split in dict.fromkeys(row["split"] for row in report["rows"]):
        yield f"### {split}\n\n{format_rows([row for row in report['rows'] if row['split'] == split])}"


def format_any_kind(report: Report) -> str:
    """Return what was measured for recordings of any kind as text and Markdown tables: emotion, then states."""
    lines = []
    for row in report["any_rows"]:
        scores = [f"{row[key]:.3f}" if key in row else "" for key in ("balanced_accuracy", "ece")]
        told = [f"{row['auc']:.3f}", f"{row['bits']:+.3f}"]
        if row["control"]:
            told = [f"{told[0]} (95 % below {row['auc_95']:.3f})", f"{told[1]} (95 % below {row['bits_95']:+.3f})"]
        lines.append([row["control"] or row["condition"], str(row.get("classes", "")), *scores, *told])
    headings = ("recordings of the person", "classes", "balanced accuracy", "ECE", "AUC, valence", "bits")
    emotion = format_table(headings, lines, padded=True) if lines else "Not measured in this report (`--splits` does)."
    states = [
        [name, *(str(figures.get(key, "")) for key in ("people", "right", "guessing", "unclear", "found"))]
        for name, figures in report["states"].items()
    ]
    return f"{ANY_KIND}\n\n{emotion}\n\n{STATES}\n\n" + format_table(
        ("state", "people", "right of 100", "guessing", "says nothing", "finds of 100"), states, padded=True
    )


def format_rows(rows: Sequence[ReportRow]) -> str:
    """Return rows as a Markdown table, nine classes and three on one line."""
    lines = []
    for nine, three in pair_rows(rows):
        f1, ece = [f"{row['macro_f1']:.3f}" for row in (nine, three)], nine["ece"]
        seen = [nine["model"], nine["condition"], "yes" if nine["evidence"] else "no", nine["unit"], nine["readout"]]
        scores = [format_score(nine), format_score(three), *f1, "" if ece is None else f"{ece:.3f}", str(nine["n"])]
        lines.append(seen + scores)
    return format_table(HEADINGS, lines, padded=True)


def pair_rows(rows: Sequence[ReportRow]) -> Iterator[tuple[ReportRow, ReportRow]]:
    """Yield each row of nine classes together with its row of three."""
    three = {(row["model"], *_row_key(row)): row for row in rows if row["classes"] == 3}
    yield from ((row, three[row["model"], *_row_key(row)]) for row in rows if row["classes"] == 9)


def format_score(row: ReportRow) -> str:
    """Return a balanced accuracy with its interval, such as ``0.760 (0.720-0.800)``."""
    bounds = "" if row["low"] is None or row["high"] is None else f" ({row['low']:.3f}-{row['high']:.3f})"
    return f"{row['balanced_accuracy']:.3f}{bounds}"
