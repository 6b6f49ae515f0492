"""Draw the figures of an evaluation's report: light background, colour-blind safe colours, 390 pixels wide."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from copilot import emotions
from copilot.eeg.plots import DPI, LIGHT, WIDTH_IN
from copilot.files import write_atomically
from copilot.training.evaluate.ablations import BASELINES, LATE
from copilot.training.evaluate.scores import ReportRow
from copilot.training.evaluate.summary import CHANCE, CLIP, HELD_OUT, SEGMENT, Report, find_references, find_row

#: Unit -> its colour, marker and words.
UNIT_STYLES = {SEGMENT: (LIGHT.cleaned, "o", "ten seconds"), CLIP: (LIGHT.estimated, "s", "whole clip")}
#: Lines of the first figure for the product and its controls: words, condition, evidence, read-out.
LINES = (
    ("as it ships", "baseline", True, "logits"),
    ("person unknown", "no-baseline", True, "logits"),
    ("classifier alone", "baseline", True, "decoder"),
    ("language model alone", "baseline", False, "logits"),
    ("EEG blanked", "eeg-blanked", True, "logits"),
    ("EEG shuffled", "eeg-shuffled", True, "logits"),
    ("no EEG", "demographics-only", False, "logits"),
    ("one second late", LATE, True, "logits"),
)


FIGURES = {
    "scores.png": "Balanced accuracy of nine emotions beside controls and references",
    "confusion.png": "What clips were taken for",
    "calibration.png": "How often it is right when it says so many percent",
    "baseline.png": "How much other recordings of the person help",
}
"""File name -> what the figure shows."""


def draw(report: Report, folder: Path) -> None:
    """Draw every figure into a folder, which is made if needed.

    Raises:
        FileError: a file cannot be written.
    """
    for name, drawn_by in zip(FIGURES, (plot_scores, plot_confusion, plot_calibration, plot_baseline), strict=True):
        with write_atomically(folder / name) as partial:
            FigureCanvasAgg(drawn_by(report)).print_png(str(partial))


def plot_scores(report: Report) -> Figure:
    """Plot the scores of the product, its controls and the references, one line each, with intervals."""
    lines = list(_collect_lines(report))
    figure, axes = _make_figure(0.42 * len(lines) + 1.2)
    for place, (_, rows) in enumerate(lines):
        for unit, row in rows.items():
            colour, marker, _ = UNIT_STYLES[unit]
            apart = place + (0.12 if unit == CLIP else -0.12)
            axes.errorbar(
                row["balanced_accuracy"], apart, xerr=_error_lengths(row), color=colour, marker=marker, capsize=3, ls=""
            )
    axes.set_yticks(range(len(lines)), [words for words, _ in lines])
    axes.margins(y=0.02)
    axes.invert_yaxis()
    axes.axvline(CHANCE[9], color=LIGHT.ink, ls=":", lw=1)
    axes.set_xlim(0, 1.02)  # a whole marker at 1
    axes.set_xlabel("balanced accuracy (dotted: guessing)")
    _add_legend(axes)
    return figure


def _collect_lines(report: Report) -> Iterator[tuple[str, dict[str, ReportRow]]]:
    """Yield the words of each line of the first figure, and its rows by unit."""
    product = find_row(report, "baseline", SEGMENT)
    for words, condition, evidence, readout in LINES:
        rows = {unit: find_row(report, condition, unit, evidence=evidence, readout=readout) for unit in UNIT_STYLES}
        yield words, {unit: row for unit, row in rows.items() if row}
    for split, words in ((product["split"] if product else "", "reference: {}"), (HELD_OUT, "new films: {}")):
        units = {unit: {row["model"]: row for row in find_references(report, unit, split)} for unit in UNIT_STYLES}
        for model in [name for name in units[CLIP] if name != "majority"]:  # it guesses, and there is a line for that
            yield words.format(model), {unit: rows[model] for unit, rows in units.items() if model in rows}


def plot_confusion(report: Report) -> Figure:
    """Plot the confusion matrix in percent of each emotion's clips; whole clips with baseline and evidence."""
    counts = np.array(_find_detail(report, CLIP)["confusion_nine"])
    percent = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, axes = _make_figure(WIDTH_IN)
    axes.imshow(percent, cmap="Blues", vmin=0, vmax=100)
    for (row, column), value in np.ndenumerate(percent):
        if value >= 0.5:
            axes.text(column, row, f"{value:.0f}", ha="center", va="center", color="white" if value > 50 else LIGHT.ink)
    axes.set_xticks(range(9), emotions.EMOTIONS, rotation=60, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(9), emotions.EMOTIONS)
    axes.set_xlabel("named")
    axes.set_ylabel("shown, % of its clips")
    return figure


def plot_calibration(report: Report) -> Figure:
    """Plot the share that is right over the stated probability; a dot's area grows with its number of trials."""
    figure, axes = _make_figure(3.6)
    axes.plot([0, 1], [0, 1], color=LIGHT.ink, ls=":", lw=1)
    for unit, (colour, marker, _) in UNIT_STYLES.items():
        bins = _find_detail(report, unit)["calibration"]
        stated, right, n = (np.array([b[key] for b in bins]) for key in ("stated", "right", "n"))
        axes.plot(stated, right, color=colour, lw=1)
        axes.scatter(stated, right, s=10 + 200 * n / n.sum(), color=colour, marker=marker, alpha=0.7)
    axes.set(xlim=(0, 1.04), ylim=(0, 1.04), xlabel="probability it states", ylabel="share that is right")
    _add_legend(axes)
    return figure


def plot_baseline(report: Report) -> Figure:
    """Plot the score over the number of the person's other recordings."""
    figure, axes = _make_figure(3.2)
    counts = {0: "no-baseline"} | {count: f"baseline-{count}" for count in BASELINES}
    for unit, (colour, marker, _) in UNIT_STYLES.items():
        rows = [(str(count), find_row(report, condition, unit)) for count, condition in counts.items()]
        for count, row in rows:
            if row:
                axes.errorbar(
                    count, row["balanced_accuracy"], yerr=_error_lengths(row), color=colour, marker=marker, capsize=3
                )
        known = [(count, row["balanced_accuracy"]) for count, row in rows if row]
        axes.plot(*zip(*known, strict=True), color=colour, lw=1)
    axes.axhline(CHANCE[9], color=LIGHT.ink, ls=":", lw=1)
    axes.set(ylim=(0, 1), xlabel="other recordings of the person (dotted: guessing)", ylabel="balanced accuracy, nine")
    _add_legend(axes)
    return figure


def _find_detail(report: Report, unit: str) -> dict[str, Any]:
    """Return the first model's details of a unit, with baseline and evidence."""
    details: list[dict[str, Any]] = report["models"][0]["details"]
    return next(d for d in details if d["unit"] == unit and d["evidence"])


def _error_lengths(row: ReportRow) -> list[list[float]]:
    """Return the lengths of an error bar to both sides, shape (2, 1)."""
    middle, low, high = row["balanced_accuracy"], row["low"], row["high"]
    return [[0.0 if low is None else max(0.0, middle - low)], [0.0 if high is None else max(0.0, high - middle)]]


def _make_figure(height: float) -> tuple[Figure, Axes]:
    """Return a figure of the given height in inches, and its axes."""
    figure = Figure(figsize=(WIDTH_IN, height), dpi=DPI, layout="constrained", facecolor=LIGHT.paper)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _add_legend(axes: Axes) -> None:
    """Add a legend of both units above the axes, so that it hides nothing."""
    for colour, marker, words in UNIT_STYLES.values():
        axes.plot([], [], color=colour, marker=marker, ls="", label=words)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
