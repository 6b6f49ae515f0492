"""Present the clusters: a map of the records, a table, and what these can show.

The nine colours are colour-blind safe (Paul Tol's muted scheme), and each has a shape of its own, too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from convert.report import align_columns, format_table
from copilot.emotions import EMOTIONS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#332288", "#88CCEE", "#44AA99", "#117733", "#999933", "#DDCC77", "#CC6677", "#882255", "#AA4499")
SHAPES = "osD^v<>PX"

MEANING = (
    "Such a map shows whether texts, or a model's states over them, fall into groups, and the index whether these are "
    "the emotions; it is no evidence that anybody read EEG, because a treatment is written for its emotion and names "
    "it, and a prompt may carry a decoder's evidence."
)
COLUMNS = {
    "silhouette_clusters": "silhouette of clusters",
    "silhouette_emotions": "of emotions",
    "silhouette_by_chance": "by chance",
    "ari": "adjusted Rand index",
    "ari_by_chance": "by chance",
}

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def draw(path: Path, points: Floats, emotions: Ints, clusters: Mapping[str, Ints], title: str) -> None:
    """Write the same map as a PNG, once coloured by emotion and once by the clusters of each method.

    Args:
        path: file to write.
        points: positions in the map, shape (records, 2).
        emotions: indices into ``EMOTIONS``, shape (records,).
        clusters: method -> number of each record's cluster, shape (records,).
        title: text, model and number of records.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(13, 5.6), dpi=120, layout="constrained")
    panels = drawn.subplots(1, 1 + len(clusters), squeeze=False)[0]
    _draw_panel(panels[0], points, emotions, EMOTIONS, "coloured by emotion")
    for axes, (method, groups) in zip(panels[1:], clusters.items(), strict=True):
        names = [f"cluster {k + 1}" for k in range(len(EMOTIONS))]
        _draw_panel(axes, points, groups, names, f"coloured by cluster, {method}")
    drawn.suptitle(title, fontsize=12)
    drawn.supxlabel("t-SNE: neighbours stay near; far distances and the axes mean nothing", fontsize=9)
    FigureCanvasAgg(drawn).print_png(path)


def _draw_panel(axes: Axes, points: Floats, groups: Ints, names: Sequence[str], title: str) -> None:
    """Draw the map once, coloured by ``groups`` (records,), whose names are in the legend."""
    for k, name in enumerate(names):
        x, y = points[groups == k].T
        axes.scatter(x, y, s=14, c=COLOURS[k], marker=SHAPES[k], linewidths=0, alpha=0.8, label=name)
    axes.set(title=title, xticks=[], yticks=[])
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=3, fontsize=9, frameon=False)


def figure_name(embedding: str, text: str) -> str:
    """Return the file name of a figure, which has letters, digits, dots and hyphens only."""
    return f"{re.sub(r'[^A-Za-z0-9.]+', '-', f'{embedding} {text}')}.png"


def format_report(result: Mapping[str, Any]) -> str:
    """Return the whole report as Markdown, with the figures."""
    head = ["embedding", "text", "clusters by", *COLUMNS.values(), "cut"]
    figures = dict.fromkeys((row["embedding"], row["text"]) for row in result["rows"])
    return "\n".join(
        [
            "# Do the clusters follow the emotions?",
            "",
            *_describe_data(result),
            "",
            format_table(head, [_format_cells(row) for row in result["rows"]]),
            "",
            *(f"![{text}, read by {name}]({figure_name(name, text)})\n" for name, text in figures),
        ]
    )


def format_lines(result: Mapping[str, Any]) -> str:
    """Return the rows as a table for a terminal, and below it the data that they were measured on."""
    head = ["embedding", "text", "clusters by", "silhouette", "of emotions", "by chance", "ARI", "by chance", "cut"]
    rows = align_columns([head, *map(_format_cells, result["rows"])], right=False)
    return "\n".join([*rows, "", *_describe_data(result)])


def _format_cells(row: Mapping[str, Any]) -> list[str]:
    scores = [f"{row[name]:z.3f}" for name in COLUMNS]
    return [row["embedding"], row["text"], row["method"], *scores, f"{row['cut']} of {row['n']}"]


def _describe_data(result: Mapping[str, Any]) -> list[str]:
    """Return sentences on the data, the scores and their meaning."""
    splits = ", ".join(f"{count} {name}" for name, count in sorted(result["splits"].items()))
    return [
        f"{result['records']} of {result['of']} records of {result['corpus']} ({splits}), drawn at random; "
        f"{result['clusters']} clusters, seed {result['seed']}.",
        "Silhouettes and the adjusted Rand index are 1 at best, and about 0 or below where there is nothing. By chance:"
        " 95 % of shuffled emotions stay below. Cut: texts longer than the model reads, which lost their middle.",
        result["meaning"],
    ]
