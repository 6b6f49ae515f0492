import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.eeg import text_encoding
from copilot.eeg.features import ELECTRODES, Normal, differential_entropy
from copilot.eeg.types import Recording

NORMAL = Normal(np.full((30, 5), 2, np.float32), np.ones((30, 5), np.float32), "population")
RATE = 250
STRENGTHS = np.random.default_rng(1).normal(size=(4, text_encoding.PATTERNS))


def recording(alpha_uv: float = 10, seconds: int = 40, channels: tuple[str, ...] = ELECTRODES) -> Recording:
    t = np.arange(seconds * RATE) / RATE
    data = np.random.default_rng(0).normal(0, 5, (len(channels), len(t)))
    data += alpha_uv * np.sin(2 * np.pi * 10 * t)
    return Recording(data.astype(np.float32), RATE, channels, "test")


def signal(of: Recording, baselines: tuple[Recording, ...] = ()) -> text_encoding.Signal:
    return text_encoding.Signal(of, differential_entropy(of), NORMAL, STRENGTHS, baselines)


def test_bands_are_150_letters_one_apart_from_the_next() -> None:
    (text,) = text_encoding.encode_bands(signal(recording()))
    assert len(text.split(" ")) == 150
    assert set(text) <= set(text_encoding.LETTERS + " ")


def test_more_alpha_moves_the_alpha_letters_up_and_leaves_gamma_alone() -> None:
    little, much = (text_encoding.encode_bands(signal(recording(alpha_uv=uv)))[0].split() for uv in (2, 12))
    assert all(b > a for a, b in zip(little[2::5], much[2::5], strict=True))
    assert little[4::5] == much[4::5]


def test_an_absent_electrode_has_its_own_letter() -> None:
    channels = tuple(name for name in ELECTRODES if name != "Cz")
    parts = text_encoding.encode_bands(signal(recording(channels=channels)))[0].split()
    at = ELECTRODES.index("Cz") * 5
    assert parts[at : at + 5] == ["z"] * 5
    assert "z" not in parts[:at] + parts[at + 5 :]


def test_patterns_are_64_words_a_line_that_each_name_their_pattern() -> None:
    values = np.zeros((2, 64))
    values[1, :3] = (-9, 0.6, 9)
    first, second = text_encoding.format_patterns(values).split("\n")
    assert first.split()[:3] == ["bae", "bee", "bie"]
    assert second.split()[:4] == ["baa", "bef", "bii", "bue"]
    assert len({word[:2] for word in first.split()}) == 64


def test_a_long_recording_is_three_lines_of_means_and_none_is_a_line_of_absent_patterns() -> None:
    rising = np.repeat([-1.2, 0.0, 1.2], 5)[:, None] * np.ones(64)
    assert [line.split()[0] for line in text_encoding.format_patterns(rising).split("\n")] == ["bac", "bae", "bag"]
    nothing = text_encoding.format_patterns(np.empty((0, 64))).split()
    assert len(nothing) == 64
    assert {word[-1] for word in nothing} == {text_encoding.ABSENT}


@pytest.mark.parametrize("name", text_encoding.CODECS)
def test_same_input_same_bytes(name: str) -> None:
    assert text_encoding.CODECS[name](signal(recording())) == text_encoding.CODECS[name](signal(recording()))


@pytest.mark.parametrize(("name", "texts", "points"), [("wavelet", 1, 50), ("wavelet-segments", 10, 50)])
def test_wavelets_give_the_papers_number_of_points_and_segments(name: str, texts: int, points: int) -> None:
    channels = tuple(e for e in ELECTRODES if e != "Oz")
    encoded = text_encoding.CODECS[name](signal(recording(channels=channels)))
    assert len(encoded) == texts
    for text in encoded:
        lines = dict(line.split(": ") for line in text.splitlines())
        assert tuple(lines) == ELECTRODES
        assert lines.pop("Oz") == "z"
        assert all(len(row.split()) == points for row in lines.values())


def test_500_points_follow_a_slow_wave() -> None:
    t = np.arange(30 * RATE) / RATE
    wave = 30 * np.sin(2 * np.pi * 0.5 * t)
    slow = Recording(wave[None].astype(np.float32), RATE, ("Cz",), "test")
    points = text_encoding.reduce_points(slow, 500)[0]
    at = np.linspace(0, 30 - 8 / RATE, 500)
    assert np.corrcoef(points, np.sin(2 * np.pi * 0.5 * at))[0, 1] > 0.95
    assert points.std() == pytest.approx(wave.std(), rel=0.15)


def test_a_baseline_sets_the_scale_of_the_wavelets() -> None:
    quiet, loud = recording(), recording()
    loud = Recording(loud.data * 10, RATE, loud.channels, "test")
    own = text_encoding.CODECS["wavelet"](signal(quiet))[0]
    assert text_encoding.CODECS["wavelet"](signal(quiet, (quiet,)))[0] == own
    against_loud = text_encoding.CODECS["wavelet"](signal(quiet, (loud,)))[0]
    assert set(against_loud.split("Fp1: ")[1].split("\n")[0].split()) <= set("klmno")  # all near the middle


@given(st.lists(st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.just(0.0)), min_size=1, max_size=50))
def test_letters_never_fail_and_rise_with_the_value(values: list[float]) -> None:
    text = text_encoding.encode_letters(values, 0.2)
    assert len(text) == len(values)
    finite = sorted((v, letter) for v, letter in zip(values, text, strict=True) if np.isfinite(v))
    assert [letter for _, letter in finite] == sorted(letter for _, letter in finite)
    assert all(letter == text_encoding.ABSENT for v, letter in zip(values, text, strict=True) if not np.isfinite(v))
