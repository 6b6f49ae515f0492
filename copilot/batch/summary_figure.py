"""Draw the figure of a summary: how often each emotion came first, and the quality of the recordings."""

from collections.abc import Mapping
from typing import Any

from copilot.i18n import Translator, messages
from copilot.i18n.terms import term

#: Number of recordings by emotion and by confidence.
Counts = Mapping[str, Mapping[str, int]]

_CONFIDENCE = {"clear": "#1d4ed8", "leaning": "#93b4f5", "unclear": "#ccd2da"}
_TRUST = {"good": "#1d4ed8", "fair": "#fb923c", "poor": "#7f1d1d"}


def draw_summary(counts: Counts, trusts: Mapping[str, int], translate: Translator) -> bytes:
    """Draw bars and return a PNG file with a white background.

    Args:
        counts: number of recordings by most probable emotion and by confidence.
        trusts: number of recordings by quality.
        translate: translator for the language of the labels.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    from copilot.eeg import plots

    figure = Figure(figsize=(7.5, 3.6), layout="constrained", facecolor="white")
    left, right = figure.subplots(1, 2, width_ratios=(3, 1.2))
    _draw_emotions(left, counts, translate)
    colours = [_TRUST[trust] for trust in trusts]
    right.barh(
        [translate(term("quality", trust)) for trust in trusts], list(trusts.values()), height=0.3, color=colours
    )
    right.set_title(translate(messages.BATCH_QUALITY), fontsize=10)
    for axes in (left, right):
        axes.invert_yaxis()  # the first on top
        axes.set_xlabel(translate(messages.BATCH_RECORDINGS), fontsize=9)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=9)
        axes.set_xlim(0, max(1.0, axes.get_xlim()[1]))
    figure.legend(loc="outside lower left", ncols=3, fontsize=9, frameon=False)
    return plots.encode_png(plots.set_fonts(figure, translate.language))


def _draw_emotions(axes: Any, counts: Counts, translate: Translator) -> None:
    """Draw one stacked bar per emotion, with one colour per confidence."""
    names, before = [translate(term("emotion", name)) for name in counts], [0] * len(counts)
    for how, colour in _CONFIDENCE.items():
        here = [counted[how] for counted in counts.values()]
        axes.barh(names, here, left=before, color=colour, label=translate(messages.BATCH_CONFIDENCE[how]))
        before = [b + h for b, h in zip(before, here, strict=True)]
    axes.set_title(translate(messages.BATCH_EMOTION), fontsize=10)
