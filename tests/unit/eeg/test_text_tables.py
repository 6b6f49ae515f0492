"""Recordings written as text: each test writes a signal that it knows, reads it, and compares."""

import json
from pathlib import Path

import numpy as np
import pytest

from copilot.eeg.reader import read
from copilot.eeg.types import Recording, RecordingError
from tests.helpers.eeg_files import scalp

EIGHT = ("Fp1", "Fp2", "C3", "C4", "P7", "P8", "O1", "O2")
RATE = 250


@pytest.fixture(scope="module")
def signal():
    return scalp(20, RATE, 8)


def table(signal, times=None, names=EIGHT, heading="time", separator=",", end="\n", digits=4):
    """A table with a header; ``times`` are written as they are where they are text."""
    lines = [separator.join(([heading] if times is not None else []) + list(names))]
    for i, row in enumerate(signal.T):
        first = [] if times is None else [times[i] if isinstance(times[i], str) else f"{times[i]:.6f}"]
        lines.append(separator.join([*first, *(f"{value:.{digits}f}" for value in row)]))
    return end.join(lines) + end


def opened(path: Path, text: str | bytes, **options) -> Recording:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read([path], **options)


def like(recording: Recording, signal, rate=RATE, names=EIGHT, atol=0.01):
    """Same rate, same length, every channel the one it claims to be."""
    assert recording.sfreq == rate
    assert recording.channels == names
    np.testing.assert_allclose(recording.data, signal, atol=atol)


def refusal(path: Path, text: str | bytes, **options) -> str:
    with pytest.raises(RecordingError) as info:
        opened(path, text, **options)
    assert str(info.value).endswith(".")
    return str(info.value)


def alpha(recording: Recording) -> float:
    """The strongest frequency from 6 to 24 Hz of the first channel."""
    size = int(recording.seconds * recording.sfreq)
    power = np.abs(np.fft.rfft(recording.data[0, :size] * np.hanning(size)))
    hz = np.fft.rfftfreq(size, 1 / recording.sfreq)
    among = (hz > 6) & (hz < 24)
    return float(hz[among][power[among].argmax()])


def ten_hertz(rate, seconds=40, channels=8):
    """A wave of 10 Hz in noise, microvolts."""
    times = np.arange(round(rate * seconds)) / rate
    rng = np.random.default_rng(1)
    wave = 20 * np.sin(2 * np.pi * 10 * times) + rng.normal(0, 3, (channels, len(times)))
    return times, wave + np.cumsum(rng.normal(0, 1, wave.shape), axis=1)


def clock(seconds, form):
    """Times of day as programs write them."""
    whole, rest = int(seconds), seconds - int(seconds)
    h, m, s = whole // 3600 % 24, whole // 60 % 60, whole % 60
    return {
        "mm:ss.0": f"{m:02}:{s:02}.{int(rest * 10)}",
        "hh:mm:ss": f"{h:02}:{m:02}:{s:02}",
        "hh:mm:ss.fff": f"{h:02}:{m:02}:{s:02}.{int(rest * 1000):03}",
        "iso": f"2024-05-01T{h:02}:{m:02}:{s:02}.{int(rest * 1e6):06}",
        "iso z": f"2024-05-01T{h:02}:{m:02}:{s:02}.{int(rest * 1e6):06}Z",
        "german": f"01.05.2024 {h:02}:{m:02}:{s:02}.{int(rest * 1000):03}",
        "us": f"5/1/2024 {h:02}:{m:02}:{s:02}.{int(rest * 1000):03}",
    }[form]


# Rates from times


@pytest.mark.parametrize("rate", [128, 160, 250, 256, 500, 512])
@pytest.mark.parametrize("form", ["mm:ss.0", "hh:mm:ss", "hh:mm:ss.fff", "iso", "iso z", "german", "us"])
def test_clock_times(tmp_path, form, rate):
    if rate == 512 and form not in ("iso", "mm:ss.0"):
        rate = 128
    times, wave = ten_hertz(rate, 20, 4)
    start = 3590.0 if form == "mm:ss.0" else 86300.0 - 3600
    text = table(wave, [clock(start + t, form) for t in times], EIGHT[:4])
    recording = opened(tmp_path / "a.csv", text)
    like(recording, wave, rate, EIGHT[:4])
    assert str(recording.notes[-1]) == f"The sampling rate as read is {rate} Hz, worked out from the file's times."
    assert not any("missing" in note or "Lost" in note or "begin again" in note for note in recording.notes)


@pytest.mark.parametrize(
    ("heading", "scale", "digits"),
    [
        *(("time", 1, 6), ("Time (s)", 1, 3), ("time_ms", 1e3, 0), ("timestamp (us)", 1e6, 0)),
        *(("timestamps", 1e9, 0), ("time", 1e3, 1), ("t", 1, 3), ("Timestamp [ms]", 1e3, 2)),
    ],
)
@pytest.mark.parametrize("since", [0, 1714550400])
def test_numbers_of_several_units(tmp_path, heading, scale, digits, since):
    times, wave = ten_hertz(256, 20)
    rows = [f"{(since + t) * scale:.{digits}f}" for t in times]
    like(opened(tmp_path / "a.csv", table(wave, rows, heading=heading)), wave, 256)


@pytest.mark.parametrize(("rate", "pause"), [(128, 15), (250, 30), (160, 4), (250, 300)])
@pytest.mark.parametrize("form", [None, "hh:mm:ss", "mm:ss.0", "iso"])
def test_a_pause_leaves_the_rate_and_is_told(tmp_path, rate, pause, form):
    times, wave = ten_hertz(rate)
    times = np.where(times >= 20, times + pause, times)
    rows = [f"{t:.3f}" if form is None else clock(t + 100, form) for t in times]
    recording = opened(tmp_path / "a.csv", table(wave, rows))
    assert recording.sfreq == rate
    assert recording.seconds == 40
    assert alpha(recording) == pytest.approx(10, abs=0.1)
    told = next(str(note) for note in recording.notes if "Pauses in the recording: 1" in note)
    missing = float(told.split("with ")[1].split(" s")[0])
    assert missing == pytest.approx(pause, abs=1.1 if form == "hh:mm:ss" else 0.2)


@pytest.mark.parametrize("jitter", [0.0, 0.002])
def test_times_that_begin_again_join_what_differs(tmp_path, jitter):
    times, wave = ten_hertz(128)
    times = times % 10 + np.random.default_rng(2).normal(0, jitter, len(times))
    recording = opened(tmp_path / "a.csv", table(wave, times))
    like(recording, wave, 128)
    assert any("4 parts, which were joined" in note for note in recording.notes)


def test_a_clock_that_is_set_back(tmp_path):
    times, wave = ten_hertz(160)
    recording = opened(tmp_path / "a.csv", table(wave, np.where(times > 25, times - 20, times)))
    like(recording, wave, 160)
    assert any("begin again" in note for note in recording.notes)


def test_the_same_part_twice_is_read_once(tmp_path):
    times, wave = ten_hertz(160, 20)
    recording = opened(tmp_path / "a.csv", table(np.tile(wave, 2), np.tile(times, 2)))
    like(recording, wave, 160)
    assert any("more than once" in note for note in recording.notes)


@pytest.mark.parametrize("share", [0.02, 0.1])
@pytest.mark.parametrize("packet", [1, 12])
def test_lost_samples_are_bridged_and_told(tmp_path, share, packet):
    times, wave = ten_hertz(256)
    kept = np.repeat(np.random.default_rng(3).random(len(times) // packet + 1) >= share, packet)[: len(times)]
    kept[:packet] = kept[-2:] = True
    recording = opened(tmp_path / "a.csv", table(wave[:, kept], [f"{t:.4f}" for t in times[kept]]))
    assert recording.sfreq == 256
    assert alpha(recording) == pytest.approx(10, abs=0.1)
    assert recording.seconds == pytest.approx(40, abs=0.5)
    assert any("Lost samples" in note for note in recording.notes)


def test_too_many_lost_samples_are_refused(tmp_path):
    times, wave = ten_hertz(160)
    kept = np.random.default_rng(3).random(len(times)) > 0.25
    assert "samples 2" in refusal(tmp_path / "a.csv", table(wave[:, kept], times[kept]))


@pytest.mark.parametrize("kind", ["jitter", "chunks"])
def test_uneven_times(tmp_path, kind):
    times, wave = ten_hertz(250)
    rng = np.random.default_rng(4)
    if kind == "jitter":
        times = np.sort(times + rng.exponential(0.004, len(times)))
    else:
        times = np.repeat(times[::10] + rng.normal(0, 0.004, len(times) // 10), 10)
    recording = opened(tmp_path / "a.csv", table(wave, times))
    assert recording.sfreq == pytest.approx(250, rel=0.003)
    assert recording.data.shape == wave.shape


def test_row_numbers_are_no_times(tmp_path, signal):
    text = table(signal, [str(i) for i in range(signal.shape[1])])
    assert "only numbers the lines" in refusal(tmp_path / "a.csv", text)
    like(opened(tmp_path / "a.csv", text, sfreq=RATE), signal)


# How tables are written


def test_row_names_of_r(tmp_path, signal):
    times = np.arange(signal.shape[1]) / RATE
    for separator in (",", "\t", ";", " "):
        head, *rows = table(signal, times, separator=separator).splitlines()
        head = separator.join(f'"{name}"' for name in head.split(separator))
        text = "\n".join([head, *(f'"{i}"{separator}{row}' for i, row in enumerate(rows, 1))])
        like(opened(tmp_path / "a.csv", text), signal)
        head, *rows = table(signal, separator=separator).splitlines()
        text = "\n".join([head, *(f"{i}{separator}{row}" for i, row in enumerate(rows, 1))])
        like(opened(tmp_path / "a.csv", text, sfreq=RATE), signal)


def test_lines_of_other_lengths_are_named(tmp_path, signal):
    times = np.arange(signal.shape[1]) / RATE
    lines = table(signal, times).splitlines()
    longer = [lines[0], *(f"{line},{i * 7 % 5}" for i, line in enumerate(lines[1:]))]
    assert "Line 2 of the table has 10 cells" in refusal(tmp_path / "a.csv", "\n".join(longer))
    for change in (lines[30] + ",1", lines[30].rsplit(",", 1)[0]):
        assert "Line 31 of the table" in refusal(tmp_path / "a.csv", "\n".join([*lines[:30], change, *lines[31:]]))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("quotes", lambda text: "\n".join(",".join(f'"{c}"' for c in line.split(",")) for line in text.splitlines())),
        ("last comma", lambda text: text.replace("\n", ",\n")),
        ("windows", lambda text: text.replace("\n", "\r\n")),
        ("old mac", lambda text: text.replace("\n", "\r")),
        ("sep", lambda text: "sep=,\n" + text),
        ("preamble", lambda text: "Recorded with X\nSubject: none\n\n" + text),
        ("preamble of cells", lambda text: "Device,X,,,,,,,\nFirmware,1.2,,,,,,,\n" + text),
        ("comments", lambda text: "# one\n% two\n" + text),
        ("units", lambda text: text.replace("\n", "\ns" + ",uV" * 8 + "\n", 1)),
        ("bracketed units", lambda text: text.replace("\n", "\n[s]" + ",[µV]" * 8 + "\n", 1)),
        ("header as comment", lambda text: "# " + text),
        ("blanks", lambda text: text.replace(",", ", ")),
        ("german", lambda text: text.replace(",", ";").replace(".", ",")),
        ("german tabs", lambda text: text.replace(",", "\t").replace(".", ",")),
        ("german blanks", lambda text: text.replace(",", " ").replace(".", ",")),
        ("german comma and blank", lambda text: text.replace(",", ", ").replace(".", ",")),
        ("german sep", lambda text: "sep=;\n" + text.replace(",", ";").replace(".", ",")),
        ("utf-16", lambda text: text.encode("utf-16")),
        ("utf-16 big", lambda text: b"\xfe\xff" + text.encode("utf-16-be")),
        ("utf-16 unmarked", lambda text: text.encode("utf-16-le")),
        ("bom", lambda text: "\ufeff" + text),
        ("latin-1", lambda text: ("Versuch für Übung\n" + text).encode("latin-1")),
    ],
)
def test_tables_of_all_kinds(tmp_path, signal, name, change):
    times = np.arange(signal.shape[1]) / RATE
    like(opened(tmp_path / "a.csv", change(table(signal, times))), signal)


def test_german_dates_and_thousands(tmp_path, signal):
    loud = signal + 4000
    rows = [["time", *EIGHT]]
    for i, row in enumerate(loud.T):
        cells = [f"{value:,.2f}".replace(",", "_").replace(".", ",").replace("_", ".") for value in row]
        rows.append([clock(36000 + i / RATE, "german").replace(":", ":"), *cells])
    text = "\r\n".join(";".join(row) for row in rows)
    like(opened(tmp_path / "a.csv", text), loud)


@pytest.mark.parametrize("marker", ["NaN", "", "-", "NA", "null", "?"])
def test_missing_values_are_bridged(tmp_path, signal, marker):
    lines = table(signal, np.arange(signal.shape[1]) / RATE).splitlines()
    for i in (100, 101, 900):
        cells = lines[i].split(",")
        lines[i] = ",".join([*cells[:3], marker, *cells[4:]])
    recording = opened(tmp_path / "a.csv", "\n".join(lines))
    assert any("bridged" in note for note in recording.notes)
    np.testing.assert_allclose(np.delete(recording.data, 2, axis=0), np.delete(signal, 2, axis=0), atol=0.01)


@pytest.mark.parametrize(
    "spelling",
    [
        *("{} (uV)", "{}_uV", "{}[uV]", "{} [µV]", "1-{}", "Ch1_{}", "IED_{}", "{}_RAW", "EEG.{}", "EEG {}-REF"),
        *("RAW_{}", "CH 3: {}", "EEG_{}_uV", "{} / uV"),
    ],
)
def test_headings(tmp_path, signal, spelling):
    names = [spelling.format(name) for name in EIGHT]
    like(opened(tmp_path / "a.csv", table(signal, np.arange(signal.shape[1]) / RATE, names)), signal)


@pytest.mark.parametrize(("unit", "factor"), [("mV", 1e-3), ("V", 1e-6), ("nV", 1e3), ("µV", 1)])
def test_units_of_single_columns(tmp_path, signal, unit, factor):
    names = [f"{name} ({unit if i < 3 else 'uV'})" for i, name in enumerate(EIGHT)]
    scaled = signal * np.where(np.arange(8) < 3, factor, 1)[:, None]
    recording = opened(tmp_path / "a.csv", table(scaled, np.arange(signal.shape[1]) / RATE, names, digits=10))
    like(recording, signal)
    assert not any("microvolts" in note for note in recording.notes)


def test_units_that_are_no_voltage(tmp_path, signal):
    names = [f"{name} (g)" for name in EIGHT]
    assert "no units of voltage" in refusal(tmp_path / "a.csv", table(signal, np.arange(5000) / RATE, names))


# The file and what is typed


def test_the_file_wins_over_what_is_typed(tmp_path, signal):
    text = table(signal, np.arange(signal.shape[1]) / RATE)
    message = refusal(tmp_path / "a.csv", text, sfreq=500)
    assert "250 Hz and 500 Hz was typed" in message.replace("says ", "")
    like(opened(tmp_path / "a.csv", text, sfreq=251), signal)
    message = refusal(tmp_path / "a.csv", text, channels=EIGHT[::-1])
    assert "Fp1, Fp2, C3" in message
    assert "O2, O1, P8" in message
    like(opened(tmp_path / "a.csv", text, channels=EIGHT), signal)
    (tmp_path / "a.json").write_text(json.dumps({"sfreq": 250}))
    with pytest.raises(RecordingError, match="128 Hz was typed"):
        read([tmp_path / "a.csv", tmp_path / "a.json"], sfreq=128)


def test_a_typed_rate_is_told(tmp_path, signal):
    recording = opened(tmp_path / "a.csv", table(signal), sfreq=RATE)
    like(recording, signal)
    assert recording.notes[-1] == "The sampling rate as read is 250 Hz, as typed."
    assert (recording.rate_read, recording.rate_from) == (250, "as typed")


# Devices


def test_emotiv(tmp_path):
    times, wave = ten_hertz(128)
    names = [f"EEG.{name}" for name in EIGHT]
    meta = "title:rest,start timestamp:1714550400.0,headset type:EPOCX,channels:128,sampling rate:eeg_128;mot_64\n"
    counted = np.vstack([np.arange(len(times)) % 128, wave])
    text = meta + table(counted, 1714550400 + times, ["EEG.Counter", *names], "Timestamp")
    recording = opened(tmp_path / "a.csv", text)
    like(recording, wave, 128)
    assert recording.rate_from == "stated in the file"
    old = (
        "title:x, recorded:01.05.24, sampling:128, subject:, labels:COUNTER "
        + " ".join(EIGHT)
        + ", chan:9, units:emotiv\n"
    )
    like(opened(tmp_path / "a.csv", old + "\n".join(table(counted).splitlines()[1:])), wave, 128)


def openbci(wave, kept=None, header=False, stamp=False, decimal="."):
    lines = ["%OpenBCI Raw EEG Data", "%Sample Rate = 250.0 Hz", "%First Column = SampleIndex"]
    if header:
        lines.append(
            "Sample Index, " + ", ".join(f"EXG Channel {i}" for i in range(8)) + ", Accel, Accel, Accel, Timestamp"
        )
    for i in range(wave.shape[1]) if kept is None else kept:
        cells = [f"{v:.2f}".replace(".", decimal) for v in wave[:, i]] + [f"0{decimal}10"] * 3
        clocked = [f"{1557936053 + i / 250:.3f}" if header else clock(40000 + i / 250, "hh:mm:ss.fff")] if stamp else []
        lines.append(", ".join([str(i % 256), *cells, *clocked]))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("stamp", [True, False])
@pytest.mark.parametrize("decimal", [".", ","])
def test_openbci_without_a_header(tmp_path, signal, stamp, decimal):
    like(opened(tmp_path / "a.txt", openbci(signal, stamp=stamp, decimal=decimal)), signal)


def test_openbci_tells_lost_samples(tmp_path):
    _, wave = ten_hertz(250)
    kept = [i for i in range(10000) if i % 12]
    recording = opened(tmp_path / "a.txt", openbci(wave, kept))
    assert (recording.sfreq, alpha(recording)) == (250, pytest.approx(10, abs=0.1))
    assert any("Lost samples, 8.3% of all" in note for note in recording.notes)
    assert "missing in short pieces" in refusal(tmp_path / "a.txt", openbci(wave, [i for i in kept if i % 4]))
    for header in (True, False):
        recording = opened(tmp_path / "a.txt", openbci(wave, [*range(4000), *range(6500, 10000)], header, stamp=True))
        assert any("1, with 10.0 s missing" in note for note in recording.notes)
    assert "500 Hz was typed" in refusal(tmp_path / "a.txt", openbci(wave), sfreq=500)


def test_openbci_sd_card(tmp_path, signal):
    step = 4.5 / 24 / (2**23 - 1) * 1e6
    counts = np.round(signal / step).astype(int) % 2**24
    rows = [f"{i % 256:02X}," + ",".join(f"{c:06X}" for c in row) for i, row in enumerate(counts.T)]
    rows = [row + (",0010,FFE0,4000" if i % 10 == 0 else "") for i, row in enumerate(rows)]
    like(opened(tmp_path / "OBCI_01.TXT", "%START AT 12\n" + "\n".join(rows) + "\n%STOP AT\n"), signal, atol=0.03)


def brainflow(wave, separator="\t"):
    lines = np.zeros((wave.shape[1], 24))
    lines[:, 0], lines[:, 1:9] = np.arange(len(lines)) % 256, wave.T
    lines[:, 22] = 1714550400 + np.repeat(np.arange(len(lines))[::10] / 250, 10)
    return "\n".join(separator.join(f"{v:.6f}" for v in row) for row in lines) + "\n"


def test_brainflow(tmp_path, signal):
    for separator in "\t,":
        recording = opened(tmp_path / "a.csv", brainflow(signal, separator))
        like(recording, signal)
        assert any("assumed" in note for note in recording.notes)
    typed = ("F7", "F8", "F3", "F4", "C3", "C4", "O1", "O2")
    like(opened(tmp_path / "a.csv", brainflow(signal), channels=typed), signal, names=typed)
    assert "8 EEG columns (columns 2 to 9)" in refusal(tmp_path / "a.csv", brainflow(signal), channels=typed[:5])


def test_enobio(tmp_path):
    _, wave = ten_hertz(500)
    stamps = 1714550400000 + 2 * np.arange(wave.shape[1])
    rows = [
        [*(f"{v * 1000:.0f}" for v in row), "1", "2", "3", "0", str(t)] for row, t in zip(wave.T, stamps, strict=True)
    ]
    path, info = tmp_path / "a.easy", tmp_path / "a.info"
    path.write_text("\n".join("\t".join(row) for row in rows))
    like(read([path], channels=EIGHT), wave, 500)
    info.write_text(
        "EEG sampling rate: 500 Samples/second\nEEG units: nV\n"
        + "".join(f"Channel {i}: {n}\n" for i, n in enumerate(EIGHT, 1))
    )
    like(read([path, info]), wave, 500)


@pytest.mark.parametrize("lost", [0, 0.08, 0.12])
@pytest.mark.parametrize("rate", [256, 220])
def test_muse_keeps_its_rate_when_packets_are_lost(tmp_path, rate, lost):
    times, wave = ten_hertz(rate, channels=4)
    kept = np.repeat(np.random.default_rng(5).random(len(times) // 12 + 1) >= lost, 12)[: len(times)]
    kept[:12] = True
    names = ("RAW_TP9", "RAW_AF7", "RAW_AF8", "RAW_TP10")
    rows = ["2024-05-01 " + clock(40000 + t, "hh:mm:ss.fff") for t in times[kept]]
    recording = opened(tmp_path / "a.csv", table(wave[:, kept] + 800, rows, names, "TimeStamp"))
    assert recording.sfreq == rate
    assert alpha(recording) == pytest.approx(10, abs=0.1)
    assert any("Lost samples" in note for note in recording.notes) == bool(lost)


def test_unicorn(tmp_path, signal):
    names = [*EIGHT, "Accelerometer X", "Battery Level", "Counter", "Validation Indicator"]
    rows = np.vstack([signal, np.ones((2, 5000)), np.arange(5000), np.ones(5000)])
    like(opened(tmp_path / "a.csv", table(rows, names=names), sfreq=RATE, channels=EIGHT), signal)


def test_arff(tmp_path):
    _, wave = ten_hertz(128)
    head = "@RELATION EEG\n\n" + "".join(f"@ATTRIBUTE {name} NUMERIC\n" for name in EIGHT) + "@ATTRIBUTE eye {0,1}\n"
    rows = "\n".join(",".join([*(f"{v:.3f}" for v in row), "0"]) for row in wave.T)
    like(opened(tmp_path / "a.arff", head + "\n@DATA\n" + rows, sfreq=128), wave, 128)


def test_numbered_columns_take_typed_names(tmp_path, signal):
    names = [*(f"EEG {i}" for i in range(1, 9)), "Accel X", "Accel Y"]
    text = table(np.vstack([signal, signal[:2]]), np.arange(5000) / RATE, names)
    like(opened(tmp_path / "a.csv", text, channels=EIGHT), signal)
    assert "8 EEG columns (columns 2 to 9)" in refusal(tmp_path / "a.csv", text, channels=EIGHT[:5])


def test_whole_seconds_since_1970(tmp_path):
    times, wave = ten_hertz(160, 20)
    like(opened(tmp_path / "a.csv", table(wave, [f"{1714550400 + int(t)}" for t in times])), wave, 160)


def test_headings_that_are_numbers(tmp_path, signal):
    text = table(signal, np.arange(5000) / RATE, [str(i) for i in range(1, 9)])
    like(opened(tmp_path / "a.csv", text, channels=EIGHT), signal)


def test_the_record_says_the_rate_as_read(tmp_path, signal):
    from copilot.eeg.preprocessing.clean import clean
    from copilot.i18n import Translator
    from copilot.record.draft import describe_examination

    recording, quality = clean(opened(tmp_path / "a.csv", table(scalp(30, 128, 8), np.arange(30 * 128) / 128)))
    for language, expected in (
        ("en", "128 Hz, worked out from the file's times"),
        ("zh", "128 Hz，由文件中的时间算出"),
    ):
        values = {key: value for key, _, value in describe_examination(recording, quality, [], Translator(language))}
        assert values["rate_read"].replace("、", "，") == expected


def test_text_headers_of_other_systems_are_named(tmp_path):
    lay = "[FileInfo]\nFile=a.dat\nSamplingRate=256\n[ChannelMap]\nFp1-Ref=1\n"
    assert "Persyst" in refusal(tmp_path / "a.lay", lay)
    assert "WFDB" in refusal(
        tmp_path / "a.hea", "a 2 250 5000\na.dat 16 200 12 0 0 0 0 Fp1\na.dat 16 200 12 0 0 0 0 Fp2\n"
    )


@pytest.mark.parametrize("start", [0.0, 1700000000.0])
def test_a_column_of_times_needs_no_heading(tmp_path, signal, start):
    body = table(signal, start + np.arange(signal.shape[1]) / RATE).split("\n", 1)[1]
    like(opened(tmp_path / "a.csv", body, channels=EIGHT), signal)
    assert "500 Hz" in refusal(tmp_path / "a.csv", body, channels=EIGHT, sfreq=500)


def test_line_numbers_without_a_heading_are_no_channel(tmp_path, signal):
    body = table(signal, [str(i + 1) for i in range(signal.shape[1])]).split("\n", 1)[1]
    like(opened(tmp_path / "a.csv", body, channels=EIGHT, sfreq=RATE), signal)
    assert "state" in refusal(tmp_path / "a.csv", body, channels=EIGHT)
