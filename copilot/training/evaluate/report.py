"""The report of an evaluation: plain values for machines, Markdown for people. Both come from the same rows."""

from collections.abc import Iterator, Sequence
from typing import Any

from copilot import emotions
from copilot.training.evaluate.figures import FIGURES
from copilot.training.evaluate.model import LEAKS
from copilot.training.evaluate.rows import Predictions, ReportRow
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


def collect_details(predictions: Sequence[Predictions]) -> list[dict[str, Any]]:
    """What rows have no room for, of a model's readings with the person's baseline."""
    return [r.details() for r in predictions if (r.condition, r.readout) == ("baseline", "logits")]


def compare_quantisation(rows: Sequence[ReportRow], model: str, twin: str) -> dict[str, Any]:
    """How much a model loses against its unquantised twin, score by score."""
    whole = {(*_row_key(row), row["classes"]): row["balanced_accuracy"] for row in rows if row["model"] == twin}
    compared: list[dict[str, Any]] = []
    for row in rows:
        before = whole.get((*_row_key(row), row["classes"]))
        if row["model"] == model and before is not None:
            loss = round(before - row["balanced_accuracy"], 4)
            keys = {key: value for key, value in row.items() if key in ("condition", "evidence", "unit", "classes")}
            compared.append(keys | {"before": before, "after": row["balanced_accuracy"], "loss": loss})
    return {"against": twin, "largest_loss": max(row["loss"] for row in compared), "rows": compared}


def _row_key(row: ReportRow) -> tuple[object, ...]:
    """What makes a row of nine classes and one of three, or of a model and its twin, one line of a table."""
    return row["split"], row["condition"], row["evidence"], row["unit"], row["readout"]


def format_report(report: Report, folder: str) -> str:
    """The whole report; the figures lie in ``folder`` beside it."""
    title = f"# What {report['model']} can tell, and what it cannot\n"
    parts = [title, describe_measurement(report), *(f"- {finding}" for finding in list_findings(report)), ""]
    parts += [f"![{words}]({folder}/{name})\n" for name, words in FIGURES.items()]
    parts += ["## All scores\n", EXPLANATION, ""]
    parts += [f"{part}\n" for part in format_tables(report)]
    parts += ["## Models\n", _format_models(report["models"]), ""]
    parts += _format_confusion(report)
    parts += _format_failures(report)
    parts += ["## Left out\n", *(f"- {note}" for note in report["notes"]), ""] if report["notes"] else []
    return "\n".join(parts)


def describe_measurement(report: Report) -> str:
    """On whom, and how."""
    leaks = report["rows"][0]["split"].endswith(LEAKS)
    whom = "some of whom it was fitted on, so that these figures are too good" if leaks else "it never saw"
    return (
        f"Measured on {report['people']} people {whom} (subjects {report['subjects']} of {report['features']}), "
        "through the model file and the prompt alone. In brackets: 95 % intervals over people.\n"
    )


def format_tables(report: Report) -> Iterator[str]:
    """All rows, a table for each split under its name."""
    for split in dict.fromkeys(row["split"] for row in report["rows"]):
        yield f"### {split}\n\n{format_rows([row for row in report['rows'] if row['split'] == split])}"


def format_rows(rows: Sequence[ReportRow]) -> str:
    """Rows as a Markdown table, nine classes and three on one line."""
    return format_table(HEADINGS, [_format_cells(nine, three) for nine, three in pair_rows(rows)])


def pair_rows(rows: Sequence[ReportRow]) -> Iterator[tuple[ReportRow, ReportRow]]:
    """Rows of nine classes, each with that of three."""
    three = {(row["model"], *_row_key(row)): row for row in rows if row["classes"] == 3}
    yield from ((row, three[row["model"], *_row_key(row)]) for row in rows if row["classes"] == 9)


def _format_cells(nine: ReportRow, three: ReportRow) -> list[str]:
    ece = "" if nine["ece"] is None else f"{nine['ece']:.3f}"
    seen = [nine["model"], nine["condition"], "yes" if nine["evidence"] else "no", nine["unit"], nine["readout"]]
    return [
        *seen,
        format_score(nine),
        format_score(three),
        f"{nine['macro_f1']:.3f}",
        f"{three['macro_f1']:.3f}",
        ece,
        str(nine["n"]),
    ]


def format_score(row: ReportRow) -> str:
    """A balanced accuracy with its interval."""
    bounds = "" if row["low"] is None or row["high"] is None else f" ({row['low']:.3f}-{row['high']:.3f})"
    return f"{row['balanced_accuracy']:.3f}{bounds}"


def format_table(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns are aligned as text, too."""
    widths = [max(map(len, column)) for column in zip(headings, *lines, strict=True)]
    body = [headings, ["-" * width for width in widths], *lines]
    rows = [[cell.ljust(width) for cell, width in zip(cells, widths, strict=True)] for cells in body]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _format_models(models: Sequence[dict[str, Any]]) -> str:
    headings = ("file", "codec", "MB", "million parameters", "label, s", "answer, s", "valence r, clip", "sha256")
    return format_table(headings, [list(_format_model_cells(model)) for model in models])


def _format_model_cells(model: dict[str, Any]) -> Iterator[str]:
    yield from (model["file"], model["codec"], f"{model['bytes'] / 1e6:.1f}", f"{model['parameters'] / 1e6:.1f}")
    seconds = (model.get("answers") or {}).get("seconds", {})
    yield from (f"{seconds[key]['mean']:.3f}" if key in seconds else "" for key in ("label", "answer"))
    valence = [d["valence_correlation"] for d in model["details"] if d["unit"] == CLIP and d["evidence"]]
    yield f"{valence[0]:.2f}" if valence and valence[0] is not None else ""
    yield f"`{model['sha256'][:12]}`"


def _format_confusion(report: Report) -> list[str]:
    """Of the first model: what each emotion's clips were taken for."""
    (detail,) = [d for d in report["models"][0]["details"] if d["unit"] == CLIP and d["evidence"]]
    lines = [[name, *map(str, row)] for name, row in zip(emotions.EMOTIONS, detail["confusion_nine"], strict=True)]
    heading = f"## What clips were taken for: {report['models'][0]['file']}, with baseline and evidence\n"
    return [heading, format_table(("shown / named", *emotions.EMOTIONS), lines), ""]


def _format_failures(report: Report) -> list[str]:
    failed = [failure for model in report["models"] for failure in (model.get("answers") or {}).get("failures", [])]
    if not failed:
        return []
    told = [f"- {', '.join(f['faults'])} ({f['emotion']}): {' '.join(f['text'].split())}" for f in failed]
    return ["## Answers that failed\n", *told, ""]
