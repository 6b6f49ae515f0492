"""Draw the signal and its band powers, before any AI text: figures that read at 390 and at 1440 pixels, light or dark.

Figures are made without pyplot, so that two people's requests share nothing.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

from copilot.eeg.electrodes import STANDARD
from copilot.eeg.features import BANDS_HZ
from copilot.eeg.preprocessing.bad_channels import take_seconds
from copilot.eeg.preprocessing.quality import Quality
from copilot.eeg.simulate import TEN_TWENTY
from copilot.eeg.types import SLEEP_STAGES, Recording
from copilot.i18n import N_, Translator, messages

Floats = npt.NDArray[np.floating]

WINDOW_S = 10
MANY_CHANNELS = 32
"""Above this, the 10-20 electrodes and the bad ones are drawn."""
WIDTH_IN = 5.0
"""Letters of 10 points are then 11 pixels high in a page 390 pixels wide."""
DPI = 240
HEAD_M = 0.105
"""Radius of the head that is drawn, metres: MNE's own 0.095 leaves Fp1 and Fp2 outside."""


SLEEP_NAMES = {"W": N_("awake"), "R": "REM", "N1": "N1", "N2": "N2", "N3": "N3"}


@dataclass(frozen=True)
class Theme:
    """Colours of a figure; blue and orange stay apart for colour-blind people."""

    paper: str
    ink: str
    faint: str
    cleaned: str
    estimated: str
    unusable: str


LIGHT = Theme("#ffffff", "#1f2937", "#ccd2da", "#1d4ed8", "#c2410c", "#fecaca")
DARK = Theme("#0b0f19", "#e5e7eb", "#374151", "#60a5fa", "#fb923c", "#5b1f27")


def draw_signal(
    raw: Recording, cleaned: Recording, quality: Quality, *, dark: bool = False, language: str = "en"
) -> Figure:
    """Draw ten seconds of the best stretch, one trace per channel.

    The signal as read is behind, the cleaned one in front; unusable seconds are shaded. Traces are centred on their
    median and cut off where they would cross more than the next channel.

    Args:
        raw: as read.
        cleaned: after cleaning.
        quality: what cleaning found.
        dark: whether to use the dark theme.
        language: of the labels, ``en`` or ``zh``.
    """
    theme, say = DARK if dark else LIGHT, Translator(language)
    bad = {c.name for c in quality.channels if c.flat or c.railed or c.noisy}
    names, start, step = _choose_channels(raw, bad), _find_best_start(quality.clean), _choose_spacing(cleaned)
    figure = _make_figure(theme, 1.1 + 0.24 * len(names))
    axes = figure.add_subplot(facecolor=theme.paper)
    lost = [start + int(i) for i in np.flatnonzero(~quality.clean[start : start + WINDOW_S])]
    for second in lost:
        axes.axvspan(second, second + 1, color=theme.unusable, linewidth=0)
    for row, name in enumerate(names):
        axes.plot(*_compute_trace(raw, name, start, step, -row), color=theme.faint, linewidth=0.5, zorder=1)
        if name in cleaned.channels:
            colour = theme.estimated if name in bad else theme.cleaned
            axes.plot(*_compute_trace(cleaned, name, start, step, -row), color=colour, linewidth=0.8, zorder=2)
    right = start + WINDOW_S
    axes.plot([right + 0.2, right + 0.2], [-0.5, 0.5], color=theme.ink, linewidth=2, clip_on=False)
    axes.text(right + 0.35, 0, f"{step:g} µV", color=theme.ink, fontsize=10, va="center")
    _label_signal(axes, names, bad, start, theme)
    words = N_("seconds") if len(names) == len(raw.channels) else N_("seconds, {shown} of {total} electrodes")
    axes.set_xlabel(say(words, shown=len(names), total=len(raw.channels)), color=theme.ink, fontsize=10)
    _draw_legend(figure, quality, bad, bool(lost), theme, say)
    return set_fonts(figure, language)


def draw_band_power(cleaned: Recording, quality: Quality, *, dark: bool = False, language: str = "en") -> Figure:
    """Draw the RMS of FACED's five bands over the scalp in the usable seconds; bars with fewer than 4 channels.

    Args:
        cleaned: after cleaning.
        quality: what cleaning found.
        dark: whether to use the dark theme.
        language: of the labels, ``en`` or ``zh``.
    """
    from scipy.signal import welch

    theme, say = DARK if dark else LIGHT, Translator(language)
    usable = take_seconds(cleaned.data, quality.clean, cleaned.sfreq)
    hz, power = welch(usable, cleaned.sfreq, nperseg=round(cleaned.sfreq), axis=1)
    powers = [np.sqrt(power[:, (hz >= low) & (hz < high)].sum(axis=1)) for low, high in BANDS_HZ.values()]
    if len(cleaned.channels) < 4:
        return set_fonts(_draw_bars(powers, cleaned.channels, theme, say), language)
    figure = _make_figure(theme, 4.0)
    grid = figure.subplots(2, 3).ravel()
    for axes, (name, (low, high)), values in zip(grid, BANDS_HZ.items(), powers, strict=False):
        image = _draw_scalp_map(axes, values, cleaned, theme)
        span = {"low": low, "high": high, "least": values.min(), "most": values.max()}
        axes.set_title(
            say(N_("{band}, {low:g}-{high:g} Hz\n{least:.1f} to {most:.1f} µV"), band=messages.BANDS[name], **span),
            fontsize=10,
            color=theme.ink,
        )
    grid[5].axis("off")
    bar = figure.colorbar(image, cax=grid[5].inset_axes((0.05, 0.55, 0.9, 0.07)), orientation="horizontal", ticks=[])
    bar.outline.set_edgecolor(theme.ink)
    bar.set_label(say(N_("weakest to strongest\nin each band")), color=theme.ink, fontsize=10)
    return set_fonts(figure, language)


def draw_hypnogram(recording: Recording, *, dark: bool = False, language: str = "en") -> Figure:
    """Draw the sleep stages that the file states over time, awake on top (Iber et al. 2007, AASM manual).

    Args:
        recording: with stages.
        dark: whether to use the dark theme.
        language: of the labels, ``en`` or ``zh``.
    """
    theme, say = DARK if dark else LIGHT, Translator(language)
    figure = _make_figure(theme, 1.9)
    axes = figure.add_subplot(facecolor=theme.paper)
    in_hours = recording.seconds > 2 * 3600
    unit_s = 3600 if in_hours else 60
    edges: list[float] = []
    rows: list[float] = []
    for start, seconds, stage in recording.stages:
        if edges and start > edges[-1] * unit_s + 1:  # nothing was scored between
            edges, rows = [*edges, np.nan], [*rows, np.nan]
        edges += [start / unit_s, (start + seconds) / unit_s]
        rows += [-SLEEP_STAGES.index(stage)] * 2
    axes.plot(edges, rows, color=theme.cleaned, linewidth=1.5)
    axes.set_yticks([-row for row in range(len(SLEEP_STAGES))], [say(SLEEP_NAMES[stage]) for stage in SLEEP_STAGES])
    axes.set_xlim(0, recording.seconds / unit_s)
    axes.set_ylim(-len(SLEEP_STAGES) + 0.5, 0.5)
    axes.set_xlabel(say(N_("hours") if in_hours else N_("minutes")), color=theme.ink, fontsize=10)
    axes.tick_params(colors=theme.ink, labelsize=10, length=0)
    axes.spines[:].set_visible(False)
    return set_fonts(figure, language)


def encode_png(figure: Figure) -> bytes:
    """Return the figure as PNG bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, facecolor=figure.get_facecolor())
    return buffer.getvalue()


def _make_figure(theme: Theme, height: float) -> Figure:
    layout = ConstrainedLayoutEngine(h_pad=0.06, w_pad=0.06)
    figure = Figure(figsize=(WIDTH_IN, height), facecolor=theme.paper, layout=layout)
    FigureCanvasAgg(figure)
    return figure


def set_fonts(figure: Figure, language: str) -> Figure:
    """Set fonts that have the characters of the language, beside matplotlib's own, and return the figure."""
    if language == "zh":
        for text in figure.findobj(Text):
            text.set_fontfamily(["DejaVu Sans", _find_chinese_family()])
    return figure


@cache
def _find_chinese_family() -> str:
    """Register the Chinese font and return its name in matplotlib."""
    from matplotlib.font_manager import FontProperties, fontManager

    from copilot.i18n.fonts import chinese_font

    fontManager.addfont(chinese_font())
    return str(FontProperties(fname=chinese_font()).get_name())


def _choose_channels(raw: Recording, bad: set[str]) -> list[str]:
    """Return the names of the channels to draw, in the recording's order."""
    if len(raw.channels) <= MANY_CHANNELS:
        return list(raw.channels)
    known = [name for name in raw.channels if name in TEN_TWENTY or name in bad]
    return known[:MANY_CHANNELS] or list(raw.channels[:MANY_CHANNELS])


def _find_best_start(clean: npt.NDArray[np.bool_]) -> int:
    """Return the first of the ten seconds with the most usable ones; of equals the one nearest the middle."""
    if clean.size <= WINDOW_S:
        return 0
    counts = np.convolve(clean, np.ones(WINDOW_S, dtype=int), mode="valid")
    best = np.flatnonzero(counts == counts.max())
    return int(best[np.abs(best - counts.size // 2).argmin()])


def _choose_spacing(cleaned: Recording) -> float:
    """Return the microvolts between two traces, a round number: about eight times the usual amplitude."""
    usual = float(np.median(np.abs(cleaned.data))) * 1.4826
    return min((10.0, 20.0, 50.0, 100.0, 200.0, 500.0), key=lambda step: abs(np.log(step / max(8 * usual, 1.0))))


def _compute_trace(recording: Recording, name: str, start: int, step: float, level: float) -> tuple[Floats, Floats]:
    """Return time, seconds, and height, rows, of one channel's window, each of shape (samples,)."""
    samples = slice(round(start * recording.sfreq), round((start + WINDOW_S) * recording.sfreq))
    wave = recording.data[recording.channels.index(name), samples]
    height = np.clip((wave - np.median(wave)) / step, -1.2, 1.2)
    return start + np.arange(wave.size) / recording.sfreq, level + height


def _label_signal(axes: Any, names: Sequence[str], bad: set[str], start: int, theme: Theme) -> None:
    axes.set_yticks([-row for row in range(len(names))], names, fontsize=10)
    for label in axes.get_yticklabels():
        label.set_color(theme.estimated if label.get_text() in bad else theme.ink)
    axes.set_xlim(start, start + WINDOW_S + 0.3)
    axes.set_ylim(-len(names), 1)
    axes.set_xticks(range(start, start + WINDOW_S + 1, 2))
    axes.tick_params(colors=theme.ink, labelsize=10, length=0, axis="x")
    axes.tick_params(length=0, axis="y")
    axes.spines[:].set_visible(False)


def _draw_legend(
    figure: Figure, quality: Quality, bad: set[str], any_lost: bool, theme: Theme, say: Translator
) -> None:
    """Draw a legend with only what is in the figure."""
    entries: list[Line2D | Patch] = [
        Line2D([], [], color=theme.faint, label=say(N_("as read"))),
        Line2D([], [], color=theme.cleaned, label=say(N_("cleaned"))),
    ]
    if bad:
        kept = any(c.interpolated for c in quality.channels)
        words = N_("bad, estimated from neighbours") if kept else N_("bad, left out")
        entries.append(Line2D([], [], color=theme.estimated, label=say(words)))
    if any_lost:
        entries.append(Patch(color=theme.unusable, label=say(N_("unusable second"))))
    figure.legend(handles=entries, loc="outside upper left", ncols=2, frameon=False, fontsize=10, labelcolor=theme.ink)


def _draw_scalp_map(axes: Any, values: Floats, cleaned: Recording, theme: Theme) -> Any:
    """Draw one scalp map.

    MNE draws head and electrodes black whatever the background, so they are coloured afterwards.
    """
    from mne import create_info
    from mne.viz import plot_topomap

    info = create_info(list(cleaned.channels), cleaned.sfreq, "eeg")
    info.set_montage(STANDARD)
    limits = (float(values.min()), float(values.max()))
    image, _ = plot_topomap(values, info, axes=axes, show=False, contours=0, cmap="viridis", sphere=HEAD_M, vlim=limits)
    for line in axes.lines:
        line.set_color(theme.ink)
    return image


def _draw_bars(powers: Sequence[Floats], channels: Sequence[str], theme: Theme, say: Translator) -> Figure:
    figure = _make_figure(theme, 3.0)
    axes = figure.add_subplot(facecolor=theme.paper)
    width = 0.8 / len(channels)
    for i, name in enumerate(channels):
        places = np.arange(len(powers)) + (i - (len(channels) - 1) / 2) * width
        axes.bar(places, [values[i] for values in powers], width * 0.9, label=name)
    labels = [f"{say(messages.BANDS[name])}\n{low:g}-{high:g} Hz" for name, (low, high) in BANDS_HZ.items()]
    axes.set_xticks(range(len(powers)), labels, fontsize=10)
    axes.set_ylabel(say(N_("µV (RMS)")), color=theme.ink)
    axes.tick_params(colors=theme.ink)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(theme.ink)
    axes.legend(frameon=False, labelcolor=theme.ink)
    return figure
