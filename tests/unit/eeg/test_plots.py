"""Figures show every channel, what was bad and what is unusable, in both themes, without pyplot."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from copilot.eeg.plots import DARK, LIGHT, draw_band_power, draw_signal, encode_png
from copilot.eeg.preprocessing.clean import clean
from copilot.eeg.simulate import TEN_TWENTY, simulate, simulate_example


@pytest.fixture(scope="module")
def poor():
    recording = simulate_example("poor-contact")
    return recording, *clean(recording)


def labels(figure):
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def traces(figure, colour):
    return [line for line in figure.axes[0].lines if line.get_color() == colour and len(line.get_xdata()) > 2]


def test_every_channel_is_drawn_and_bad_ones_stand_out(poor):
    figure = draw_signal(*poor)
    assert labels(figure) == list(TEN_TWENTY)
    assert len(traces(figure, LIGHT.faint)) == 19
    assert len(traces(figure, LIGHT.estimated)) == 4
    coloured = {label.get_text() for label in figure.axes[0].get_yticklabels() if label.get_color() == LIGHT.estimated}
    assert coloured == {"T7", "P4", "F8", "Fz"}
    assert "bad, estimated from neighbours" in legend(figure)
    assert any(text.get_text().endswith("µV") for text in figure.axes[0].texts)


def test_ten_seconds_of_the_best_stretch_are_shown(poor):
    raw, cleaned, quality = poor
    usable = np.zeros(90, dtype=bool)
    usable[31:44] = True
    figure = draw_signal(raw, cleaned, replace(quality, clean=usable))
    time = traces(figure, LIGHT.faint)[0].get_xdata()
    assert time.min() >= 31
    assert time.max() <= 44
    assert "unusable second" not in legend(figure)


def test_unusable_seconds_are_shaded(poor):
    raw, cleaned, quality = poor
    usable = np.tile([True, True, False], 30)
    figure = draw_signal(raw, cleaned, replace(quality, clean=usable))
    assert len(figure.axes[0].patches) in (3, 4)
    assert "unusable second" in legend(figure)


@pytest.mark.parametrize(("dark", "theme"), [(False, LIGHT), (True, DARK)])
def test_both_themes_draw_on_their_paper(poor, dark, theme):
    for figure in (draw_signal(*poor, dark=dark), draw_band_power(*poor[1:], dark=dark)):
        assert figure.get_facecolor()[:3] == to_rgb(theme.paper)
        assert encode_png(figure).startswith(b"\x89PNG")


def test_five_scalp_maps_name_their_bands(poor):
    titles = [axes.get_title() for axes in draw_band_power(*poor[1:]).axes if axes.get_title()]
    assert [title.split(",")[0] for title in titles] == ["Delta", "Theta", "Alpha", "Beta", "Gamma"]
    assert titles[2].startswith("Alpha, 8-14 Hz\n")


def test_few_channels_become_bars_of_known_height():
    recording = simulate(seconds=30, channels=("Pz", "O1"), alpha_uv=12, blinks_per_minute=0, line_uv=0)
    figure = draw_band_power(*clean(recording))
    heights = [bar.get_height() for bar in figure.axes[0].containers[1]]
    assert np.argmax(heights) == 2
    assert heights[2] == pytest.approx(12, rel=0.15)


def test_left_out_channel_is_drawn_as_read_only():
    recording = simulate(seconds=30, channels=("TP9", "AF7", "AF8", "TP10"), bad_channels={"AF8": "flat"})
    figure = draw_signal(recording, *clean(recording))
    assert labels(figure) == ["TP9", "AF7", "AF8", "TP10"]
    assert len(traces(figure, LIGHT.cleaned)) == 3
    assert "bad, left out" in legend(figure)


def test_wide_cap_shows_the_ten_twenty_electrodes_and_the_bad_ones():
    between = [f"{place}{side}" for place in ("AF", "FC", "CP", "PO") for side in (3, 4, 7, 8)]
    wide = (*TEN_TWENTY, *(name for name in between if name not in ("FC7", "FC8", "CP7", "CP8")), "Oz", "FC1", "CP5")
    recording = simulate(seconds=20, channels=wide, bad_channels={"CP5": "flat"})
    figure = draw_signal(recording, *clean(recording))
    assert labels(figure) == [*TEN_TWENTY, "CP5"]
    assert figure.axes[0].get_xlabel() == "seconds, 20 of 34 electrodes"


def test_pyplot_holds_no_figure(poor):
    from matplotlib import pyplot

    draw_band_power(*poor[1:])
    assert pyplot.get_fignums() == []
