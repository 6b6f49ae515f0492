"""Write the model card from the evaluation's own figures: ``python -m copilot.training.model_card models README.md``.

The command reads ``evaluation.json`` and the model's receipt in that folder. It writes the folder's ``README.md`` and
replaces the figures in the project's README; no figure is typed by hand.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from convert.files import ConvertError, read_json
from convert.report import format_table, in_millions, render_template
from copilot.command_line import Parser, command
from copilot.files import write_atomically
from copilot.training.evaluate.ablations import LATE
from copilot.training.evaluate.figures import FIGURES
from copilot.training.evaluate.report import (
    EXPLANATION,
    describe_measurement,
    format_any_kind,
    format_score,
    format_tables,
)
from copilot.training.evaluate.summary import (
    CLIP,
    HELD_OUT,
    SEGMENT,
    Report,
    find_references,
    find_row,
    list_findings,
    list_headlines,
)

EVALUATION, RECEIPT = "evaluation.json", "eeg-emotion-copilot.receipt.json"
BEGIN, END = "<!-- figures: written by copilot.training.model_card -->", "<!-- end of figures -->"

#: Rows of the small table: words, condition, whether the classifier's line is in the prompt, and the read-out.
SUMMARY = (
    ("as it ships, with the person's baseline", "baseline", True, "logits"),
    ("as it ships, without a baseline", "no-baseline", True, "logits"),
    ("EEG blanked", "eeg-blanked", True, "logits"),
    ("EEG shuffled over people and clips", "eeg-shuffled", True, "logits"),
    ("demographics only", "demographics-only", False, "logits"),
    ("as it ships, the film one second later", LATE, True, "logits"),
    ("language model alone, with the person's baseline", "baseline", False, "logits"),
    ("the classifier by itself, with the person's baseline", "baseline", True, "decoder"),
)
#: And its columns.
COLUMNS = {
    "10-s segments, nine": (SEGMENT, 9),
    "10-s segments, three": (SEGMENT, 3),
    "whole clips, nine": (CLIP, 9),
    "whole clips, three": (CLIP, 3),
}


def format_summary(report: Report) -> str:
    """Return the headlines and a small table, as in the card (the training notebook shows them)."""
    headlines = "\n".join(f"- {finding}" for finding in list_headlines(report))
    return f"{describe_measurement(report)}\n{headlines}\n\n{_format_small_table(report)}"


def format_card(report: Report, receipt: dict[str, Any]) -> str:
    """Return the text of the model card.

    Args:
        report: contents of ``evaluation.json``.
        receipt: contents of the quantised file's receipt.
    """
    return render_template(
        Path(__file__).with_name("model_card.md.j2"),
        parameters=in_millions(receipt["parameters"]),
        quantisation=receipt["type"],
        megabytes=in_millions(receipt["file_bytes"]),
        bits=f"{receipt['bits_per_weight']:.2f}",
        sha=receipt["sha256"],
        measured=describe_measurement(report),
        findings=list_findings(report),
        table=_format_small_table(report),
        images={words: f"{Path(EVALUATION).stem}/{name}" for name, words in FIGURES.items()},
        explanation=EXPLANATION,
        tables="\n\n".join(format_tables(report)),
        any_kind=format_any_kind(report),
    )


def format_paragraph(report: Report) -> str:
    """Return the figures of the project's README: one paragraph."""
    return " ".join([describe_measurement(report).strip(), *list_headlines(report)])


def _format_small_table(report: Report) -> str:
    return format_table(["balanced accuracy", *COLUMNS], list(_make_rows(report)), padded=True)


def _make_rows(report: Report) -> Iterator[list[str]]:
    """Yield the rows of the small table: the product, then the classifier fitted for new films and new people."""
    for words, condition, evidence, readout in SUMMARY:
        rows = [
            find_row(report, condition, unit, evidence=evidence, readout=readout, classes=classes)
            for unit, classes in COLUMNS.values()
        ]
        yield [words, *(format_score(row) if row else "" for row in rows)]
    decoders = [
        [row for row in find_references(report, unit, HELD_OUT, classes) if row["model"] == "decoder"]
        for unit, classes in COLUMNS.values()
    ]
    if all(decoders):
        yield ["the classifier fitted again, film and person both new", *(format_score(row) for (row,) in decoders)]
    yield ["guessing", *(f"{1 / classes:.3f}" for _, classes in COLUMNS.values())]


def insert_figures(readme: str, figures: str) -> str:
    """Return the README with the text between its two marks replaced by ``figures``.

    Raises:
        ConvertError: the README lacks one of the two marks.
    """
    if BEGIN not in readme or END not in readme:
        raise ConvertError(f"The README has no place for figures; put the lines {BEGIN} and {END} into it.")
    before, after = readme.split(BEGIN)[0], readme.split(END)[1]
    return f"{before}{BEGIN}\n{figures}\n{END}{after}"


@command()
def main(arguments: Sequence[str] | None = None) -> None:
    """Write the card into the models' folder and the figures into the project's README."""
    parser = Parser(prog="python -m copilot.training.model_card", description=__doc__)
    parser.add_argument("models", type=Path, help=f"folder with {EVALUATION} and {RECEIPT}; its README.md is written")
    parser.add_argument("readme", type=Path, help="the project's README, whose figures are replaced")
    options = parser.parse_args(arguments)
    try:
        report, receipt = (read_json(options.models / name) for name in (EVALUATION, RECEIPT))
        texts = {
            options.readme: insert_figures(options.readme.read_text(encoding="utf-8"), format_paragraph(report)),
            options.models / "README.md": format_card(report, receipt),
        }
        for path, text in texts.items():
            with write_atomically(path) as partial:
                partial.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConvertError(str(error)) from error
    except KeyError as error:
        raise ConvertError(
            f"{EVALUATION} or {RECEIPT} is of an older form: {error} is missing. Evaluate again."
        ) from error


if __name__ == "__main__":
    sys.exit(main())
