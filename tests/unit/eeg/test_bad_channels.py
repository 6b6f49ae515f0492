"""Each limit of the judgement of channels, with a case just inside and one just outside."""

import numpy as np
import pytest

from copilot.eeg.preprocessing import bad_channels
from copilot.eeg.preprocessing.bad_channels import find_bad_channels
from copilot.eeg.simulate import simulate

SFREQ = 250
SECONDS = 40


@pytest.fixture
def signal():
    """Microvolts, shape (19, samples): a good recording."""
    made = simulate(seconds=SECONDS, sfreq=SFREQ, blinks_per_minute=0, line_uv=0, seed=11)
    return made.data.astype(np.float64)


def judge(data):
    return find_bad_channels(data, SFREQ, data, SFREQ)


def seconds(count):
    return slice(0, round(count * SFREQ))


def test_a_good_recording_has_no_bad_channel(signal):
    assert not judge(signal).bad.any()


@pytest.mark.parametrize(("lost", "bad"), [(0.225, False), (0.275, True)])
def test_an_electrode_that_is_dead_for_a_quarter_of_the_time_is_bad(signal, lost, bad):
    signal[3, seconds(lost * SECONDS)] = 0
    assert judge(signal).flat[3] == bad


@pytest.mark.parametrize(("span_uv", "flat"), [(0.45, True), (0.8, False)])
def test_a_second_spans_half_a_microvolt_or_is_flat(signal, span_uv, flat):
    wave = np.sin(2 * np.pi * 10 * np.arange(signal.shape[1]) / SFREQ)
    signal[3] = wave * span_uv / 2
    assert judge(signal).lost[3].all() == flat


@pytest.mark.parametrize(("clipped", "lost"), [(0.06, False), (0.16, True)])
def test_a_second_that_is_at_the_rail_for_a_tenth_of_its_samples_is_lost(signal, clipped, lost):
    rail = 2 * np.abs(signal).max()
    window = slice(5 * SFREQ, 5 * SFREQ + round(clipped * SFREQ))
    signal[3, window] = rail
    assert judge(signal).lost[3, 5] == lost


@pytest.mark.parametrize(("correlation", "noisy"), [(0.36, True), (0.44, False)])
def test_an_electrode_like_no_other_is_noisy(signal, correlation, noisy):
    """Another recording is mixed in until the best correlation with another electrode is as wanted."""
    other = simulate(seconds=SECONDS, sfreq=SFREQ, blinks_per_minute=0, line_uv=0, seed=12).data[10].astype(np.float64)
    own, other = signal[3].copy(), other * signal[3].std() / other.std()
    low, high = 0.0, 1.0
    for _ in range(20):
        share = (low + high) / 2
        signal[3] = share * own + np.sqrt(1 - share**2) * other
        alike = bad_channels.correlate_channels(bad_channels.cut_seconds(signal, SFREQ))
        best = np.median(alike.max(axis=2), axis=0)[3]
        low, high = (share, high) if best < correlation else (low, share)
    assert best == pytest.approx(correlation, abs=0.01)
    assert judge(signal).noisy[3] == noisy


@pytest.mark.parametrize(("times", "noisy"), [(2, False), (8, True)])
def test_an_electrode_much_louder_than_the_others_is_noisy(signal, times, noisy):
    signal[3] *= times
    assert judge(signal).noisy[3] == noisy


@pytest.mark.parametrize(("channels", "common"), [(14, False), (16, True)])
def test_a_second_lost_on_four_fifths_of_the_channels_was_lost_by_the_recorder(signal, channels, common):
    signal[:channels, 5 * SFREQ : 6 * SFREQ] = 0
    assert judge(signal).common[5] == common
