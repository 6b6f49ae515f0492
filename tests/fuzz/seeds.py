"""Intact inputs of every kind that the product reads, each a list of (name, content), with a person's name in them."""

import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.io import savemat

from tests.helpers import eeg_files
from tests.helpers.records import drafted, signed
from tests.helpers.tiny_model import write_tiny_gguf

Files = list[tuple[str, bytes]]

#: What no sentence may quote: the person in the headers, and the names of the files.
PERSON = "ZYXWVUT"
SFREQ, CHANNELS = 128, eeg_files.TEN_TWENTY[:8]
SHIPPED = Path(__file__).parents[2] / "models" / "eeg-emotion-copilot.gguf"


def make(kind: str, folder: Path) -> list[Files]:
    """The seeds of one of ``KINDS``, written in ``folder`` where a writer needs a file."""
    return KINDS[kind](folder, eeg_files.scalp(12, SFREQ, len(CHANNELS)))


def _contents(*paths: Path) -> Files:
    return [(path.name, path.read_bytes()) for path in paths]


def _edf(folder, signal, bdf=False):
    path = folder / f"{PERSON}.{'bdf' if bdf else 'edf'}"
    named = {"patient": f"X F 01-JAN-1970 {PERSON}", "bdf": bdf}
    rates = [SFREQ] * 7 + [SFREQ // 2]
    variants = [
        (signal, {}),
        (signal, {"annotations": f"+1\x14{PERSON}\x14\0".encode()}),
        ([*signal[:7], signal[7, ::2]], {"rates": rates}),
    ]
    return [
        _contents(eeg_files.write_edf(path, data, SFREQ, CHANNELS, **named, **options)) for data, options in variants
    ]


def _brainvision(folder, signal):
    return [_contents(*eeg_files.write_brainvision(folder / f"{PERSON}.vhdr", signal, SFREQ, CHANNELS))]


def _eeglab(folder, signal):
    path = folder / f"{PERSON}.set"
    epochs = signal.reshape(8, SFREQ, 12, order="F")
    return [
        _contents(*eeg_files.write_eeglab(path, data, SFREQ, CHANNELS, fdt=fdt))
        for data, fdt in ((signal, None), (signal, f"{PERSON}.fdt"), (epochs, None))
    ]


def _fif(folder, signal):
    import mne

    info = mne.create_info(list(CHANNELS), SFREQ, "eeg")
    info["subject_info"] = {"last_name": PERSON}
    raw, epochs = folder / f"{PERSON}_raw.fif", folder / f"{PERSON}-epo.fif"
    mne.io.RawArray(signal / 1e6, info, verbose="ERROR").save(raw, overwrite=True, verbose="ERROR")
    cut = signal.reshape(8, 12, SFREQ).transpose(1, 0, 2) / 1e6
    mne.EpochsArray(cut, info, verbose="ERROR").save(epochs, overwrite=True, verbose="ERROR")
    return [_contents(raw), _contents(epochs)]


def _egi_raw(folder, signal):
    net = np.zeros((33, signal.shape[1]))
    net[:32] = np.tile(signal, (4, 1))
    head = struct.pack(">i6hi5hih", 2, 2020, 1, 1, 12, 0, 0, 0, SFREQ, 33, 1, 0, 0, signal.shape[1], 0)
    return [[(f"{PERSON}.raw", head + np.round(net.T).astype(">i2").tobytes())]]


def _egi_mff(folder, signal):
    from datetime import UTC, datetime

    from mffpy import Writer, bin_writer

    net = np.zeros((257, signal.shape[1]), dtype=np.float32)
    net[:256] = np.tile(signal, (32, 1))
    blocks = bin_writer.BinWriter(sampling_rate=SFREQ, data_type="EEG")
    blocks.add_block(net)
    package = folder / f"{PERSON}.mff"
    if not package.exists():
        writer = Writer(str(package))
        writer.addxml("fileInfo", recordTime=datetime(2020, 1, 1, tzinfo=UTC))
        writer.add_coordinates_and_sensor_layout("HydroCel GSN 256 1.0")
        writer.addbin(blocks)
        writer.write()
    files = sorted(path for path in package.rglob("*") if path.is_file())
    return [[(f"{PERSON}.mff/{path.relative_to(package)}", path.read_bytes()) for path in files]]


def _tables(folder, signal):
    times, index = np.arange(signal.shape[1]) / SFREQ, np.arange(signal.shape[1]) % 256
    comma = _table(",", "time", times, signal)
    semicolon = _table(";", "time", times, signal).replace(b".", b",")
    stated = json.dumps({"SamplingFrequency": SFREQ, "channels": list(CHANNELS)}).encode()
    openbci = b"%OpenBCI Raw EXG Data\n%Number of channels = 8\n%Sample Rate = 250 Hz\n%Board = x\n"
    names = "Sample Index," + ",".join(f"EXG Channel {i}" for i in range(8))
    longer = eeg_files.scalp(12, 250, 8)
    rows = np.column_stack([np.arange(longer.shape[1]) % 256, longer.T])
    openbci += f"{names}\n".encode() + b"\n".join(",".join(f"{v:.3f}" for v in row).encode() for row in rows)
    clock = [f"2024-01-01 10:00:{second:06.3f}" for second in np.arange(3072) / 256]
    four = eeg_files.scalp(12, 256, 4) + 800
    muse = "TimeStamp,RAW_TP9,RAW_AF7,RAW_AF8,RAW_TP10,Elements\n" + "\n".join(
        f"{when}," + ",".join(f"{value:.3f}" for value in values) + ","
        for when, values in zip(clock, four.T, strict=True)
    )
    return [
        [(f"{PERSON}.csv", comma)],
        [(f"{PERSON}.csv", semicolon)],
        [(f"{PERSON}.tsv", _table("\t", "n", index, signal)), (f"{PERSON}.json", stated)],
        [(f"{PERSON}.txt", openbci)],
        [(f"{PERSON}.csv", muse.encode())],
    ]


def _table(separator: str, first: str, column: "np.ndarray", signal: "np.ndarray") -> bytes:
    rows = np.column_stack([column, signal.T])
    lines = [separator.join((first, *CHANNELS)), *(separator.join(f"{v:.4f}" for v in row) for row in rows)]
    return "\n".join(lines).encode()


def _numpy(folder, signal):
    data, names = signal.astype(np.float32), np.array(CHANNELS)
    plain, packed, alone = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.savez(plain, data=data, sfreq=SFREQ, channels=names)
    np.savez_compressed(packed, data=data, fs=float(SFREQ), labels=names, subject=np.array(PERSON))
    np.save(alone, data)
    stated = json.dumps({"sfreq": SFREQ, "ch_names": list(CHANNELS), "subject": PERSON}).encode()
    return [
        [(f"{PERSON}.npz", plain.getvalue())],
        [(f"{PERSON}.npz", packed.getvalue())],
        [(f"{PERSON}.npy", alone.getvalue()), (f"{PERSON}.json", stated)],
    ]


def _matlab(folder, signal):
    content = {"data": signal.astype(np.float32), "fs": float(SFREQ), "labels": np.array(CHANNELS, dtype=object)}
    made = []
    for fields, packed in ((content, False), (content, True), ({"d": content}, False)):
        buffer = io.BytesIO()
        savemat(buffer, fields, do_compression=packed)
        made.append([(f"{PERSON}.mat", buffer.getvalue())])
    return made


def _zip(folder, signal):
    packed = []
    for files in (_edf(folder, signal)[0], _brainvision(folder, signal)[0], _egi_mff(folder, signal)[0]):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files:
                archive.writestr(name, content)
        packed.append([(f"{PERSON}.zip", buffer.getvalue())])
    return packed


def _gguf(folder, signal):
    return [[("model.gguf", path.read_bytes())] for path in (SHIPPED, write_tiny_gguf(folder / "tiny.gguf"))]


def _records(folder, signal):
    from copilot.record.export.json_format import to_json

    return [[("a.record", to_json(record).encode())] for record in (drafted(), signed(), drafted(language="zh"))]


def _store(folder, signal):
    from copilot.record.store import FILE, Store

    store = Store(folder / "store")
    for record in (drafted(), signed()):
        store.save(record)
    return [[(FILE, (folder / "store" / FILE).read_bytes())]]


Maker = Callable[[Path, "np.ndarray"], list[Files]]
#: The kinds of recordings, of which one reads all.
RECORDINGS: dict[str, Maker] = {
    "edf": _edf,
    "bdf": lambda folder, signal: _edf(folder, signal, bdf=True),
    "gdf": lambda folder, signal: [_contents(eeg_files.write_gdf(folder / f"{PERSON}.gdf", signal, SFREQ, CHANNELS))],
    "cnt": lambda folder, signal: [_contents(eeg_files.write_cnt(folder / f"{PERSON}.cnt", signal, SFREQ, CHANNELS))],
    "brainvision": _brainvision,
    "eeglab": _eeglab,
    "fif": _fif,
    "egi-raw": _egi_raw,
    "egi-mff": _egi_mff,
    "table": _tables,
    "numpy": _numpy,
    "matlab": _matlab,
    "zip": _zip,
}
KINDS: dict[str, Maker] = {**RECORDINGS, "gguf": _gguf, "gguf-load": _gguf, "record": _records, "store": _store}
