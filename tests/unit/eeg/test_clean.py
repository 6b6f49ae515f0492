"""Cleaning comes back to a known truth: what was added goes, what was brain stays, and the report says so."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt, welch

from copilot.eeg.preprocessing.clean import clean
from copilot.eeg.simulate import TEN_TWENTY, simulate
from copilot.eeg.types import Recording, RecordingError

TRUTH = {"line_uv": 0, "blinks_per_minute": 0}


def average_reference(data):
    return data - data.mean(axis=0)


def row(recording, name):
    return recording.data[recording.channels.index(name)]


def rms(wave, sfreq, low, high):
    frequencies, power = welch(wave, sfreq, nperseg=round(4 * sfreq))
    return float(np.sqrt(power[(frequencies >= low) & (frequencies <= high)].sum() * frequencies[1]))


@pytest.fixture(scope="module")
def ordinary():
    """Blinks and hum on a good recording: the recording, its truth, and what cleaning made of it."""
    recording = simulate(alpha_uv=8, blinks_per_minute=12, line_uv=10)
    cleaned, quality = clean(recording)
    return recording, simulate(alpha_uv=8, **TRUTH), cleaned, quality


def test_result_has_the_shape_that_codecs_expect(ordinary):
    recording, _, cleaned, quality = ordinary
    assert cleaned.data.dtype == np.float32
    assert cleaned.data.shape == recording.data.shape
    assert (cleaned.sfreq, cleaned.channels, cleaned.source) == (250, TEN_TWENTY, "simulated")
    assert quality.clean.shape == (60,)
    np.testing.assert_allclose(cleaned.data.mean(axis=0), 0, atol=1e-3)
    assert cleaned.notes == (*recording.notes, *quality.sentences)


def test_alpha_survives(ordinary):
    _, truth, cleaned, _ = ordinary
    expected = average_reference(truth.data)
    for name in ("O1", "O2"):
        kept = rms(row(cleaned, name), 250, 8, 12) / rms(expected[TEN_TWENTY.index(name)], 250, 8, 12)
        assert kept == pytest.approx(1, abs=0.15)


def test_blinks_go_and_are_counted(ordinary):
    recording, truth, cleaned, quality = ordinary
    blinks = average_reference(recording.data - truth.data)[0]
    times = np.flatnonzero(blinks > 40)
    left = row(cleaned, "Fp1")[times] - average_reference(truth.data)[0][times]
    assert abs(left.mean()) < 0.2 * blinks[times].mean()
    assert quality.components_removed["ocular"] >= 1
    assert "of eye movement" in " ".join(quality.sentences)


@pytest.mark.parametrize("seed", [0, 1])
def test_most_of_the_glances_goes(seed):
    truth = simulate(**TRUTH)
    eyes = np.repeat(np.random.default_rng(seed).choice([-1, 0, 1], 60), 250)  # left, ahead or right for a second each
    weights = {"F7": 1, "F8": -1, "Fp1": 0.4, "Fp2": -0.4, "F3": 0.3, "F4": -0.3, "T7": 0.3, "T8": -0.3}
    sides = np.array([weights.get(name, 0) for name in TEN_TWENTY])
    looking = truth.data + 60 * np.outer(sides, eyes)
    cleaned, quality = clean(replace(truth, data=looking.astype(np.float32)))
    assert quality.components_removed["ocular"] == 1
    added = looking.std(axis=1) - truth.data.std(axis=1)
    left = cleaned.data.std(axis=1) - average_reference(truth.data).std(axis=1)
    assert (left < 0.4 * added)[sides**2 == 1].all()


@pytest.mark.parametrize(("line_hz", "sfreq"), [(50, 250), (60, 256), (50, 160)])
def test_hum_goes_whatever_the_mains_and_the_rate(line_hz, sfreq):
    recording = simulate(seconds=20, sfreq=sfreq, line_hz=line_hz, line_uv=20)
    cleaned, quality = clean(recording)
    assert quality.line_hz == line_hz
    before, after = (rms(row(r, "Cz"), r.sfreq, line_hz - 0.5, line_hz + 0.5) for r in (recording, cleaned))
    assert after < 0.05 * before


def test_no_hum_is_claimed_where_there_is_none():
    _, quality = clean(simulate(seconds=30, line_uv=0))
    assert quality.line_hz is None
    assert "No mains hum was found." in quality.sentences


@pytest.mark.parametrize("sfreq", [128, 255.5, 1000])
def test_every_rate_becomes_250(sfreq):
    recording = simulate(seconds=20, sfreq=sfreq, **TRUTH)
    cleaned, _ = clean(recording)
    assert cleaned.data.shape == (19, 5000)
    expected = rms(average_reference(recording.data)[-1], sfreq, 8, 12)
    assert rms(row(cleaned, "O2"), 250, 8, 12) == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("kind", ["flat", "railed", "noisy"])
def test_bad_channel_is_named_and_restored(kind):
    band = butter(4, (0.5, 47), "bandpass", fs=250, output="sos")
    truth = sosfiltfilt(band, average_reference(simulate(seconds=30, **TRUTH).data), axis=1)
    cleaned, quality = clean(simulate(seconds=30, bad_channels={"C3": kind}, **TRUTH))
    by_name = {c.name: c for c in quality.channels}
    assert getattr(by_name["C3"], kind)
    assert [c.name for c in quality.channels if c.interpolated] == ["C3"]
    assert any("C3" in sentence for sentence in quality.sentences)
    assert np.corrcoef(row(cleaned, "C3"), truth[TEN_TWENTY.index("C3")])[0, 1] > 0.8


def test_muscle_is_taken_out():
    tense, quality = clean(simulate(muscle_uv=30, **TRUTH))
    calm, _ = clean(simulate(**TRUTH))
    assert quality.components_removed["muscle"] >= 1
    before = rms(average_reference(simulate(muscle_uv=30, **TRUTH).data)[TEN_TWENTY.index("T7")], 250, 30, 45)
    left, truth = (rms(row(r, "T7"), 250, 30, 45) for r in (tense, calm))
    assert left - truth < 0.3 * (before - truth)


def test_clean_recording_is_left_alone():
    truth = simulate(**TRUTH)
    cleaned, quality = clean(truth)
    assert quality.components_removed == {"ocular": 0, "muscle": 0}
    assert quality.trust == "good"
    assert quality.clean.all()
    expected = average_reference(truth.data)
    for low, high in ((1, 4), (4, 8), (8, 14), (14, 30), (30, 44)):
        assert rms(row(cleaned, "Pz"), 250, low, high) == pytest.approx(
            rms(expected[TEN_TWENTY.index("Pz")], 250, low, high), rel=0.05
        )


def test_same_recording_same_result(ordinary):
    again, quality = clean(ordinary[0])
    assert again.data.tobytes() == ordinary[2].data.tobytes()
    assert quality.as_dict() == ordinary[3].as_dict()


def test_moving_seconds_are_marked():
    recording = simulate(**TRUTH)
    data = recording.data.copy()
    data[:, 5000:5500] += np.random.default_rng(0).normal(0, 900, (19, 1)) * np.hanning(500)
    _, quality = clean(replace(recording, data=data.astype(np.float32)))
    assert not quality.clean[20:22].any()
    assert quality.clean_seconds >= 54
    assert f"{quality.clean_seconds} of 60 seconds are usable." in quality.sentences


def test_gap_is_not_counted_as_brain():
    recording = simulate(**TRUTH)
    data = recording.data.copy()
    data[:, 2500:3500] = np.nan
    data[4, 3400] = np.inf
    cleaned, quality = clean(replace(recording, data=data))
    assert np.isfinite(cleaned.data).all()
    assert not quality.clean[10:14].any()
    assert quality.clean_seconds > 40


def test_progress_runs_from_nothing_to_all():
    told = []
    clean(simulate(seconds=20), lambda share, words: told.append((share, words)))
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)
    assert all(words for _, words in told)


def test_report_is_plain_json(ordinary):
    import json

    report = json.loads(json.dumps(ordinary[3].as_dict()))
    assert report["trust"] == "good"
    assert report["line_hz"] == 50
    assert len(report["channels"]) == 19


def test_trust_falls_with_bad_channels():
    names = ("T7", "P4", "Fz", "O1", "C4", "F8")
    trusts = [clean(simulate(seconds=30, bad_channels=dict.fromkeys(names[:n], "flat")))[1].trust for n in (0, 3, 6)]
    assert trusts == ["good", "fair", "poor"]


def test_slow_recording_is_not_trusted():
    _, quality = clean(simulate(seconds=30, sfreq=64, line_uv=0))
    assert quality.trust == "poor"
    assert any("hold next to nothing, as after a filter: Gamma" in sentence for sentence in quality.sentences)


def test_few_channels_keep_their_reference_and_lose_blinking_seconds():
    channels = ("TP9", "AF7", "AF8", "TP10")
    recording = simulate(channels=channels, blinks_per_minute=12, line_uv=0)
    cleaned, quality = clean(recording)
    assert quality.components_removed == {}
    assert quality.trust == "fair"
    assert 30 < quality.clean_seconds < 55
    assert any("cannot be told apart" in sentence for sentence in quality.sentences)
    assert rms(row(cleaned, "TP9"), 250, 8, 12) == pytest.approx(rms(row(recording, "TP9"), 250, 8, 12), rel=0.05)
    spoilt, quality = clean(simulate(channels=channels, blinks_per_minute=0, bad_channels={"AF8": "flat"}))
    assert spoilt.channels == ("TP9", "AF7", "TP10")
    assert any("left out: AF8 (no signal)" in sentence for sentence in quality.sentences)


def test_cap_without_frontal_electrodes_says_so():
    channels = ("C3", "Cz", "C4", "P3", "Pz", "P4", "O1", "O2", "P7", "P8")
    _, quality = clean(simulate(channels=channels))
    assert "ocular" not in quality.components_removed
    assert any("No electrode is near the eyes" in sentence for sentence in quality.sentences)


def test_bridged_electrodes_are_survived():
    recording = simulate(seconds=30)
    data = recording.data.copy()
    data[1] = data[0]
    cleaned, _ = clean(replace(recording, data=data))
    assert np.isfinite(cleaned.data).all()


def copies():
    wave = simulate(seconds=30, **TRUTH).data[:1]
    return Recording(np.repeat(wave, 19, axis=0), 250.0, TEN_TWENTY, "simulated")


@pytest.mark.parametrize(
    ("recording", "words"),
    [
        (lambda: simulate(seconds=6), "Only 6 seconds .* record for a minute"),
        (lambda: simulate(bad_channels=dict.fromkeys(TEN_TWENTY[:12], "flat")), "12 of 19 electrodes .* check their"),
        (
            lambda: replace(simulate(seconds=30), data=simulate(seconds=30).data * 100),
            "737 µV is more .* check the unit",
        ),
        (lambda: simulate(channels=("Cz",), bad_channels={"Cz": "flat"}), "1 of 1 electrodes"),
        (copies, "same signal"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(recording, words):
    with pytest.raises(RecordingError, match=words) as refusal:
        clean(recording())
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).endswith(".")


def test_importing_is_cheap():
    code = "import sys, copilot.eeg.preprocessing.clean; sys.exit('mne' in sys.modules or 'scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
