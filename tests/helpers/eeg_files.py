"""EEG files that tests write themselves, so that they know the right answer, and the signal that is in them."""

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.io import savemat

TEN_TWENTY = (
    *("Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T7", "C3", "Cz"),
    *("C4", "T8", "P7", "P3", "Pz", "P4", "P8", "O1", "O2"),
)


def scalp(seconds=12.0, sfreq=250.0, n_channels=19, seed=0, alpha_uv=10.0):
    """Microvolts, shape (channels, samples): background of about 10 uV and 10 Hz alpha."""
    rng = np.random.default_rng(seed)
    n = round(seconds * sfreq)
    spectrum = np.fft.rfft(rng.standard_normal((n_channels, n)))
    hz = np.fft.rfftfreq(n, 1 / sfreq)
    spectrum[:, 1:] /= hz[1:]
    spectrum[:, hz < 0.5] = 0
    background = np.fft.irfft(spectrum, n)
    background *= 10 / background.std(axis=1, keepdims=True)
    phase = rng.uniform(0, 2 * np.pi, (n_channels, 1))
    return background + alpha_uv * np.sin(2 * np.pi * 10 * np.arange(n) / sfreq + phase)


def write_edf(
    path: Path,
    data_uv,
    sfreq: float,
    channels: Sequence[str],
    *,
    patient: str = "X X X X",
    recording: str = "Startdate X X X X",
    date: str = "01.01.85",
    unit: str = "uV",
    physical: float | None = None,
    rates: Sequence[int] | None = None,
    n_records: int | None = None,
    annotations: bytes | None = None,
    bdf: bool = False,
    seconds: int | None = None,
) -> Path:
    """Write EDF (EDF+ with ``annotations``, BDF with ``bdf``) in records of one second.

    Args:
        data_uv: shape (channels, samples), or one array a channel where ``rates`` differ; numbers in ``unit``.
        sfreq: whole samples a second, Hz.
        physical: the largest number that fits; by default that of the data.
        rates: samples a second of each channel, instead of ``sfreq``.
        n_records: what the header says, instead of what is there.
        annotations: bytes of the annotation signal's first record.
        patient, recording, date: as they stand in the header.
        seconds: records of a file without channels.
    """
    rows = [np.asarray(row, dtype=float) for row in data_uv]
    rates = list(rates or [round(sfreq)] * len(rows))
    seconds = seconds or min(len(row) // rate for row, rate in zip(rows, rates, strict=True))
    largest = physical or max([float(np.abs(row).max()) for row in rows] + [1e-6]) * 1.01
    digital, width = (8388607, 3) if bdf else (32767, 2)
    labels, units = list(channels), [unit] * len(rows)
    limit = next(text for text in (f"{largest:.6g}", f"{largest * 1.1:.1e}") if len(text) < 8)
    samples = [
        np.clip(np.round(row * digital / float(limit)), -digital, digital)[: seconds * rate].reshape(seconds, rate)
        for row, rate in zip(rows, rates, strict=True)
    ]
    signals = [_little_endian(block, width) for block in samples]
    if annotations is not None:
        text = [b"+%d\x14\x14\x00" % second + (annotations if second == 0 else b"") for second in range(seconds)]
        room = max(len(entry) for entry in text) // 6 * 6 + 6
        signals.append(
            np.frombuffer(b"".join(entry.ljust(room, b"\0") for entry in text), np.uint8).reshape(seconds, -1)
        )
        labels.append("BDF Annotations" if bdf else "EDF Annotations")
        units, rates = [*units, ""], [*rates, room // width]
    kind = "" if annotations is None else ("BDF+C" if bdf else "EDF+C")
    n = len(labels)
    columns = [
        (labels, 16),
        ([""] * n, 80),
        (units, 8),
        (["-" + limit] * n, 8),
        ([limit] * n, 8),
        ([str(-digital)] * n, 8),
        ([str(digital)] * n, 8),
        (["HP:0.1Hz LP:100Hz"] * n, 80),
        ([str(rate) for rate in rates], 8),
        ([""] * n, 32),
    ]
    fixed = [(patient, 80), (recording, 80), (date, 8), ("00.00.00", 8), (str(256 * (n + 1)), 8), (kind, 44)]
    fixed += [(str(seconds if n_records is None else n_records), 8), ("1", 8), (str(n), 4)]
    header = (b"\xffBIOSEMI" if bdf else b"0       ") + b"".join(_field(text, size) for text, size in fixed)
    header += b"".join(_field(text, size) for column, size in columns for text in column)
    path.write_bytes(header + np.concatenate(signals, axis=1).tobytes())
    return path


def write_brainvision(
    path: Path, data_uv, sfreq: float, channels: Sequence[str], *, data_file: str | None = None
) -> list[Path]:
    """Write ``path`` (.vhdr) with .eeg and .vmrk beside it; ``data_file`` is what the header calls the .eeg."""
    data, markers = path.with_suffix(".eeg"), path.with_suffix(".vmrk")
    names = "\n".join(f"Ch{i}={name},,0.1,µV" for i, name in enumerate(channels, 1))
    path.write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={data_file or data.name}\nMarkerFile={markers.name}\nDataFormat=BINARY\n"
        f"DataOrientation=MULTIPLEXED\n"
        f"NumberOfChannels={len(channels)}\nSamplingInterval={1e6 / sfreq}\n\n[Binary Infos]\nBinaryFormat=INT_16\n\n"
        f"[Channel Infos]\n{names}\n",
        encoding="utf-8",
    )
    data.write_bytes(np.round(np.asarray(data_uv).T * 10).astype("<i2").tobytes())
    markers.write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n\n"
        f"[Common Infos]\nDataFile={data.name}\n\n[Marker Infos]\n"
        "Mk1=New Segment,,1,1,0,20200101120000000000\nMk2=Comment,JANE DOE,100,1,0\n"
    )
    return [path, data, markers]


def write_eeglab(path: Path, data_uv, sfreq: float, channels: Sequence[str], *, fdt: str | None = None) -> list[Path]:
    """Write an EEGLAB .set; ``data_uv`` has shape (channels, samples) or, epoched, (channels, samples, epochs).

    With ``fdt``, the name the header gives it, the numbers go into a .fdt beside it.
    """
    data = np.asarray(data_uv, dtype=np.float32)
    files = [path]
    if fdt is not None:
        files.append(path.with_suffix(".fdt"))
        files[1].write_bytes(data.tobytes(order="F"))
    chanlocs = np.zeros(len(channels), dtype=[("labels", object), ("type", object)])
    chanlocs["labels"] = list(channels)
    epochs = data.shape[2] if data.ndim == 3 else 1
    fields = {"nbchan": len(channels), "pnts": data.shape[1], "trials": epochs, "srate": float(sfreq)}
    savemat(path, {"EEG": {**fields, "chanlocs": chanlocs, "data": data if fdt is None else fdt}}, appendmat=False)
    return files


def _field(text: str, size: int) -> bytes:
    return text.encode("latin-1")[:size].ljust(size)


def _little_endian(block, width: int):
    """Integers to bytes, shape (records, samples x width)."""
    raw = block.astype("<i4").view(np.uint8).reshape(*block.shape, 4)[..., :width]
    return raw.reshape(block.shape[0], -1)


def write_gdf(path: Path, data_uv, sfreq: int, channels: Sequence[str]) -> Path:
    """Write GDF 2.20 (Schlögl 2006) with 32-bit floats in records of one second."""
    n = len(channels)
    seconds = len(data_uv[0]) // sfreq
    fixed = b"GDF 2.20".ljust(8) + b"P01 DOE_JANE".ljust(66) + bytes(110) + struct.pack("<H", n + 1)
    fixed = fixed.ljust(236, b"\0") + struct.pack("<q2IH2x", seconds, 1, 1, n)
    columns = b"".join(name.encode().ljust(16) for name in channels) + bytes(86 * n)
    columns += struct.pack(f"<{n}H", *[4275] * n)  # microvolts
    columns += b"".join(struct.pack(f"<{n}d", *[limit] * n) for limit in (-1e4, 1e4, -1e4, 1e4))
    columns += bytes(80 * n) + struct.pack(f"<{n}i", *[sfreq] * n) + struct.pack(f"<{n}i", *[16] * n)  # 16: float32
    blocks = np.asarray(data_uv, dtype="<f4")[:, : seconds * sfreq].reshape(n, seconds, sfreq).transpose(1, 0, 2)
    path.write_bytes(fixed + columns.ljust(256 * n, b"\0") + blocks.tobytes())
    return path


def write_cnt(path: Path, data_uv, sfreq: int, channels: Sequence[str]) -> Path:
    """Write a Neuroscan CNT of 16 bits with an empty event table; one bit is 0.1 microvolts."""
    data = np.round(np.asarray(data_uv).T * 10).astype("<i2").tobytes()
    n, samples = len(channels), len(data_uv[0])
    setup = bytearray(b"Version 3.0".ljust(900, b"\0"))
    setup[121:141] = b"DOE JANE".ljust(20, b"\0")
    setup[225:247] = b"01/02/20  12:00:00".ljust(22, b"\0")
    struct.pack_into("<H", setup, 370, n)
    struct.pack_into("<H", setup, 376, sfreq)
    struct.pack_into("<i", setup, 864, samples)
    struct.pack_into("<i", setup, 886, 900 + 75 * n + len(data))
    electrodes = b""
    for i, name in enumerate(channels):
        electrode = bytearray(name.encode().ljust(75, b"\0"))
        struct.pack_into("<2f", electrode, 19, 10.0 + i, 10.0 - i)
        struct.pack_into("<f", electrode, 59, 20.48)
        struct.pack_into("<f", electrode, 71, 1.0)
        electrodes += bytes(electrode)
    path.write_bytes(bytes(setup) + electrodes + data + struct.pack("<Bii", 1, 0, 0))
    return path
