"""What is no EEG, or spoilt, is refused or called poor with the sentence that says why; EEG stays as good as it is."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from copilot import pipeline
from copilot.eeg.classifier import Classifier
from copilot.eeg.preprocessing.clean import clean
from copilot.eeg.preprocessing.quality import ChannelQuality, Quality, is_same_signal, rate_trust
from copilot.eeg.reader import read
from copilot.eeg.simulate import TEN_TWENTY, simulate, simulate_example
from copilot.eeg.types import Recording, RecordingError
from copilot.person import Person
from copilot.settings import Settings
from tests.helpers import not_eeg
from tests.helpers.eeg_files import write_edf
from tests.helpers.not_eeg import INSIGHT, MUSE, SEVEN, recording, spoilt, white

Make = Callable[[], Recording]


def judged(make: Make) -> tuple[str, str]:
    """``refused``, ``poor``, ``fair`` or ``good``, and what is said about it."""
    try:
        quality = clean(make())[1]
    except RecordingError as refusal:
        return "refused", str(refusal)
    return quality.trust, " ".join(quality.sentences)


def slipped(data):
    """Every channel has the name of the one before."""
    return np.roll(data, 1, axis=0)


def in_a_row(data):
    """Samples of 19 channels, one channel behind the other, read as if one sample of each came after the other."""
    return data.reshape(-1, len(data)).T


def one_behind_the_other(data):
    """The other way round."""
    return np.ascontiguousarray(data.T).reshape(data.shape)


NOISE = "no brain signal is left"
NOT_A_HEAD = "not as alike as on a head"

NO_EEG: dict[str, tuple[Make, str]] = {
    "a headset on a table": (not_eeg.on_a_table, NOISE),
    "on a table, little hum": (lambda: not_eeg.on_a_table(3, 10, 20), NOISE),
    "on a table, no hum": (lambda: not_eeg.on_a_table(0.7, 0, 30, seed=8), NOISE),
    "a generator's sine": (not_eeg.generator, NOISE),
    "a generator's square wave": (lambda: not_eeg.generator("square", 1.3), NOISE),
    "a generator at 2 Hz": (lambda: not_eeg.generator("sine", 2, noise_uv=3), NOISE),
    "a generator, unlike gains": (
        lambda: recording(np.outer(np.linspace(0.5, 1.5, 19), 30 * np.sin(58 * not_eeg.times())) + white(19)),
        "hold the same signal",
    ),
    "four signals copied": (not_eeg.copied, "same signal as others"),
    "seven signals copied": (lambda: not_eeg.copied(7), "same signal as others"),
    "random walks": (lambda: recording(not_eeg.walks(19)), NOT_A_HEAD),
    "random walks on eight": (lambda: recording(not_eeg.walks(8), TEN_TWENTY[:8]), NOT_A_HEAD),
    "eight sources mixed": (lambda: not_eeg.mixed(not_eeg.pink(8)), NOT_A_HEAD),
    "music": (lambda: not_eeg.mixed(not_eeg.swinging_sines()), "same signal as others"),
    "muscles alone": (not_eeg.tense, NOISE),
    "names mixed up": (not_eeg.shuffled, NOT_A_HEAD),
    "names slipped by one": (lambda: spoilt(slipped), "names and signals have likely slipped"),
    "channels in a row": (lambda: spoilt(in_a_row), NOISE),
    "channels not in a row": (lambda: spoilt(one_behind_the_other), NOT_A_HEAD),
    "the same second again and again": (lambda: spoilt(lambda data: np.tile(data[:, :250], 60)), "repeats the same"),
    "the same five seconds": (lambda: spoilt(lambda data: np.tile(data[:, :1250], 12)), "repeats the same"),
    "z-scores": (lambda: spoilt(lambda d: (d - d.mean(1)[:, None]) / d.std(1)[:, None]), "values were normalised"),
    "from 0 to 1": (lambda: spoilt(lambda d: (d - d.min(1)[:, None]) / np.ptp(d, 1)[:, None]), "were normalised"),
    "a tenth of its size": (lambda: spoilt(lambda data: data / 10), "less than EEG has: the unit"),
    "22 times too small": (lambda: spoilt(lambda data: data / 22), "less than EEG has: the unit"),
    "ten times its size": (lambda: spoilt(lambda data: data * 10), "more than EEG has, so check the unit"),
    "a thousand times": (lambda: spoilt(lambda data: data * 1000), "more than EEG has, so check the unit"),
    "steps of 5 uV": (lambda: not_eeg.in_steps(5), "steps of 5 µV"),
    "steps of 20 uV": (lambda: not_eeg.in_steps(20), "steps of 20 µV"),
    "alpha alone": (lambda: not_eeg.filtered(8, 13), "Delta, Theta, Beta, Gamma"),
    "up to 15 Hz": (lambda: not_eeg.filtered(1, 15), "as after a filter: Beta, Gamma"),
    "up to 30 Hz": (lambda: not_eeg.filtered(0.5, 30), "as after a filter: Gamma"),
    "from 4 Hz": (lambda: not_eeg.filtered(4, 45), "as after a filter: Delta"),
    "half bridged": (lambda: not_eeg.with_dropouts(0.5), "seconds hold no signal"),
    "a quarter bridged": (lambda: not_eeg.with_dropouts(0.25), "seconds hold no signal"),
    "bridged second by second": (lambda: not_eeg.with_dropouts(0.4, stretch=1), "seconds hold no signal"),
    "railway": (lambda: not_eeg.with_line(16.7, 100), "Interference at 16.75 Hz"),
    "loud railway": (lambda: not_eeg.with_line(16.7, 500), "interference at 16.75 Hz drowns"),
    "hum at 49 Hz": (lambda: not_eeg.with_line(49, 500), "Interference at 49 Hz"),
    "hum that aliases to 40 Hz": (lambda: not_eeg.with_line(40, 100), "Interference at 40 Hz"),
    "hum that aliases to 28 Hz": (lambda: not_eeg.with_line(28, 50), "Interference at 28 Hz"),
    "a line at 25 Hz": (lambda: not_eeg.with_line(25, 20), "Interference at 25 Hz"),
    "a swinging line": (lambda: not_eeg.with_line(16.7, 50, swing=0.5), "Interference at 16.75 Hz"),
    "four dead electrodes": (lambda: not_eeg.dead(4), "C3 (no signal), P7 (no signal), P8 (no signal), O2 (no signal)"),
    "six dead electrodes": (lambda: not_eeg.dead(6), "6 of 19 electrodes gave no usable signal"),
    "six dead, louder": (lambda: not_eeg.dead(6, noise_uv=3), "6 of 19 electrodes gave no usable signal"),
    "six dead, near zero": (lambda: not_eeg.dead(6, noise_uv=0.01), "6 of 19 electrodes gave no usable signal"),
    "bridged in pairs": (lambda: spoilt(lambda data: data[np.arange(19) // 2 * 2]), "Connected with each other"),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_EEG)
def test_what_is_no_eeg_is_refused_or_poor_and_says_why(name: str) -> None:
    make, words = NO_EEG[name]
    trust, said = judged(make)
    assert trust in ("refused", "poor"), said
    assert words in said


FEW: dict[str, tuple[Callable[[tuple[str, ...]], Recording], str]] = {
    "white noise": (lambda names: recording(1.5 * white(len(names)), names), "as strong as slow ones"),
    "loud white noise": (lambda names: recording(20 * white(len(names)), names), "nothing in common"),
    "noise and hum": (lambda names: not_eeg.on_a_table(1.5, 300, 0, names), "as strong as slow ones"),
    "on a table": (lambda names: not_eeg.on_a_table(channels=names), "nearly the same signal"),
    "random walks": (lambda names: recording(not_eeg.walks(len(names)) / 3, names), "nothing in common"),
    "independent sources": (lambda names: recording(10 * not_eeg.pink(len(names)), names), "nothing in common"),
    "one sine": (lambda names: not_eeg.generator(channels=names), "nearly the same signal"),
    "one square wave": (lambda names: not_eeg.generator("square", 1.3, channels=names), "nearly the same signal"),
    "copies": (lambda names: not_eeg.copied(1, names), "nearly the same signal"),
    "copies of two": (lambda names: not_eeg.copied(2, names), "Connected with each other"),
}


@pytest.mark.parametrize("names", [MUSE, INSIGHT, SEVEN], ids=["4", "5", "7"])
@pytest.mark.parametrize("name", FEW)
def test_few_electrodes_have_checks_of_their_own(name: str, names: tuple[str, ...]) -> None:
    make, words = FEW[name]
    trust, said = judged(lambda: make(names))
    assert trust in ("refused", "poor"), said
    assert words in said


def slow_eeg() -> Recording:
    more = simulate(seed=9, alpha_uv=0, line_uv=0, blinks_per_minute=0).data
    return spoilt(lambda data: data + 1.5 * not_eeg.slow(more), alpha_uv=2)


STAYS: dict[str, tuple[Make, str]] = {
    "ordinary": (simulate, "good"),
    "another": (lambda: simulate(seed=2), "good"),
    "100 Hz": (lambda: simulate(seconds=30, sfreq=100, line_uv=0), "good"),
    "2048 Hz": (lambda: simulate(seconds=20, sfreq=2048), "good"),
    "loud hum": (lambda: simulate(seconds=30, line_uv=60, line_hz=60), "good"),
    "average reference": (lambda: spoilt(lambda data: data - data.mean(axis=0)), "good"),
    "ears as reference": (lambda: spoilt(lambda data: data - 0.9 * (data[7] + data[11]) / 2), "good"),
    "Cz as reference": (
        lambda: recording(np.delete(simulate().data - simulate().data[9], 9, axis=0), np.delete(TEN_TWENTY, 9)),
        "good",
    ),
    "strong alpha": (lambda: simulate(alpha_uv=30), "fair"),
    "strong theta": (lambda: simulate(alpha_uv=15, alpha_hz=5.5), "good"),
    "much beta": (lambda: simulate(alpha_uv=2, beta_uv=6), "good"),
    "drowsy": (slow_eeg, "good"),
    "tense": (lambda: simulate(muscle_uv=30), "fair"),
    "up to 40 Hz": (lambda: not_eeg.filtered(1, 40), "good"),
    "fourteen electrodes": (
        lambda: simulate(
            channels=("AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8", "AF4"),
            sfreq=128,
        ),
        "good",
    ),
    "four electrodes": (lambda: simulate(channels=MUSE), "fair"),
    "five electrodes": (lambda: simulate(channels=INSIGHT), "fair"),
    "seven electrodes": (lambda: simulate(channels=SEVEN), "fair"),
    "faded end": (not_eeg.faded, "good"),
    "two electrodes joined": (lambda: spoilt(lambda data: data[[0, 0, *range(2, 19)]]), "fair"),
    "one dead electrode": (lambda: not_eeg.dead(1), "good"),
}  # fmt: skip


@pytest.mark.parametrize("name", STAYS)
def test_eeg_stays_as_good_as_it_is(name: str) -> None:
    make, trust = STAYS[name]
    found, said = judged(make)
    assert found == trust, said


def test_one_dead_electrode_under_a_common_signal_is_named_and_estimated() -> None:
    spoilt_one = not_eeg.dead(1)
    cleaned, quality = clean(spoilt_one)
    assert [c.name for c in quality.channels if c.flat] == ["P8"]
    truth = simulate(line_uv=0).data - simulate(line_uv=0).data.mean(axis=0)
    place = TEN_TWENTY.index("P8")
    assert np.corrcoef(cleaned.data[place], truth[place])[0, 1] > 0.7


def test_two_joined_electrodes_are_named_and_left_as_they_are() -> None:
    quality = clean(spoilt(lambda data: data[[0, 0, *range(2, 19)]]))[1]
    assert [c.name for c in quality.channels if c.joined] == ["Fp1", "Fp2"]
    assert not any(c.interpolated for c in quality.channels)
    assert any(sentence.endswith("the same signal: Fp1, Fp2.") for sentence in quality.sentences)


def test_interference_that_the_reference_takes_out_is_said_and_never_good() -> None:
    trust, said = judged(lambda: not_eeg.with_line(49, 20))
    assert trust == "fair"
    assert "Interference at 49 Hz was found on all electrodes" in said


def with_a_gap(value: float) -> Recording:
    """Ten seconds of the same value on all channels inside the recording."""

    def change(data):
        data = data + 40
        data[:, 5000:7500] = value if value == 0 else data[:, 5000:5001]
        return data

    return spoilt(change, line_uv=0)


@pytest.mark.parametrize("value", [0, 1], ids=["zeros", "held"])
def test_what_the_recorder_lost_is_lost_on_all_electrodes_and_none_of_them_is_bad(value: float) -> None:
    quality = clean(with_a_gap(value))[1]
    assert not quality.clean[20:30].any()
    assert quality.clean_seconds >= 46
    assert not any(c.flat or c.noisy or c.interpolated for c in quality.channels)


def test_most_of_a_recording_may_be_padded_with_zeros() -> None:
    quality = clean(spoilt(lambda data: np.where(np.arange(data.shape[1]) < 8750, data, 0)))[1]
    assert quality.clean_seconds in (34, 35)
    assert not quality.clean[35:].any()
    assert not any(c.flat for c in quality.channels)
    assert np.median([c.amplitude_uv for c in quality.channels]) > 4


@pytest.mark.parametrize("share", [0.1, 0.35, 0.6])
def test_bridged_seconds_are_never_among_the_usable_ones(share: float) -> None:
    dropped = not_eeg.with_dropouts(share)
    bends = np.abs(np.diff(dropped.data.reshape(19, 60, 250), n=2, axis=2)).max(axis=(0, 2))
    bridged = bends < 1e-3
    assert bridged.sum() >= 60 * share / 3 - 1
    quality = clean(dropped)[1]
    assert not (quality.clean & bridged).any()
    assert quality.trust != "good"


def test_faded_seconds_are_not_usable_and_the_rest_is() -> None:
    quality = clean(not_eeg.faded(4))[1]
    assert not quality.clean[-2:].any()
    assert quality.clean[:-4].all()
    assert any("3 seconds hold no signal" in sentence for sentence in quality.sentences)


def test_repeated_seconds_are_left_out() -> None:
    def change(data):
        data[:, 10_000:12_500] = data[:, 2_500:5_000]
        return data

    quality = clean(spoilt(change))[1]
    assert quality.clean[:40].all()
    assert not quality.clean[40:50].any()
    assert "10 seconds repeat earlier ones sample by sample; they are not used." in quality.sentences


def write(tmp_path, data):
    path = tmp_path / "a.npz"
    np.savez(path, data=data.astype(np.float32), sfreq=250.0, channels=np.array(TEN_TWENTY), units=np.array("uV"))
    return read([path])


def test_a_gap_that_reading_bridged_is_lost(tmp_path) -> None:
    data = simulate(line_uv=0).data + not_eeg.walks(19)
    data[:, 5050:5800] = np.nan
    quality = clean(write(tmp_path, data))[1]
    assert not quality.clean[20:23].any()
    assert quality.clean_seconds >= 56
    assert quality.trust == "fair"


def test_a_channel_without_values_is_left_out_and_the_rest_is_read(tmp_path) -> None:
    data = simulate().data
    data[[3, 7]] = np.nan
    found = write(tmp_path, data)
    assert found.channels == tuple(name for name in TEN_TWENTY if name not in ("F3", "T7"))
    assert "Left out, because they hold no values: F3, T7." in found.notes
    assert clean(found)[1].trust == "good"


def test_a_recording_without_values_is_refused(tmp_path) -> None:
    with pytest.raises(RecordingError, match="missing"):
        write(tmp_path, np.full((19, 15_000), np.nan))
    with pytest.raises(RecordingError, match="only 3 EEG channels"):
        write(tmp_path, np.where(np.arange(19)[:, None] < 3, simulate().data, np.nan))


def test_the_example_of_poor_contact_is_poor_and_names_the_electrodes() -> None:
    quality = clean(simulate_example("poor-contact"))[1]
    assert quality.trust == "poor"
    said = " ".join(quality.sentences)
    assert all(name in said for name in ("Fz (noisy)", "F8 (clipped)", "T7 (noisy)", "P4 (no signal)"))


@pytest.mark.parametrize(
    ("bad", "clean", "eyes", "trust"),
    [
        (2, 80, True, "good"),
        (3, 80, True, "fair"),
        (2, 79, True, "fair"),
        (2, 80, False, "fair"),
        (4, 50, True, "fair"),
        (5, 80, True, "poor"),
        (2, 49, True, "poor"),
    ],
)
def test_trust_has_its_limits_where_its_description_says(bad, clean, eyes, trust):
    """Of 20 electrodes and 100 seconds: 10 % and 20 %, 80 % and 50 %."""
    channels = tuple(ChannelQuality(str(i), noisy=i < bad) for i in range(20))
    removed = {"ocular": 1} if eyes else {}
    quality = Quality(channels, None, 0.0, np.arange(100) < clean, removed, "", ())
    assert rate_trust(quality) == trust


# A recording is no baseline of itself, however it was saved again


@pytest.fixture(scope="module")
def made() -> Recording:
    return simulate(30, seed=5, sfreq=250)


def test_a_copy_is_the_same_signal_and_another_recording_is_not(made):
    half = replace(made, data=made.data[:, :4000])
    slower = replace(made, data=made.data[:, ::2], sfreq=125)
    microvolts_as_volts = replace(made, data=made.data * np.float32(-1e-6))
    averaged = replace(made, data=made.data - made.data.mean(axis=0))
    fewer = replace(made, data=made.data[:8], channels=made.channels[:8])
    for copy in (made, half, microvolts_as_volts, averaged, slower, fewer):
        assert is_same_signal(made, copy)
        assert is_same_signal(copy, made)
    for seed in (6, 7):
        assert not is_same_signal(made, simulate(30, seed=seed, sfreq=250))
    drift = np.linspace(0, 5000, made.data.shape[1], dtype=np.float32)
    other = simulate(30, seed=6, sfreq=250)
    assert not is_same_signal(replace(made, data=made.data + drift), replace(other, data=other.data + drift))


@pytest.mark.parametrize("which", ["the file", "renamed", "another format", "twice"])
def test_a_recording_is_refused_as_its_own_baseline(tmp_path: Path, made: Recording, which: str):
    first = write_edf(tmp_path / "first.edf", made.data, 250, made.channels)
    other = simulate(30, seed=6, sfreq=250)
    second = write_edf(tmp_path / "second.edf", other.data, 250, other.channels)
    again = tmp_path / "again.edf"
    again.write_bytes(first.read_bytes())
    np.savez(tmp_path / "volts.npz", data=made.data / 1e6, sfreq=250, channels=np.array(made.channels))
    baselines = {
        "the file": [first],
        "renamed": [second, again],
        "another format": [tmp_path / "volts.npz"],
        "twice": [second, second],
    }[which]
    reason = "same recording as another" if which == "twice" else "the recording itself"
    given = {"settings": Settings(), "metadata": {}, "classifier": Classifier.load(Settings().decoder)}
    with pytest.raises(RecordingError, match=reason):
        list(pipeline.prepare_prompt([first], Person("female", 34), baselines=baselines, **given))
    assert read([first]).seconds == 30
