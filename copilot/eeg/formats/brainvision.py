"""Read BrainVision (see ``open_brainvision``): its header is checked against the data file, and MNE reads a plain one.

The format is described by Brain Products ("BrainVision Core Data Format 1.0"). Decimal signs of other countries, units
in every spelling and headers that do not fit their data are all found among users' files.
"""

import re
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath

import mne
import numpy as np

from copilot.eeg import electrodes, units
from copilot.eeg.formats import arrays
from copilot.eeg.formats.mne_formats import load_channels
from copilot.eeg.types import Loaded, RecordingError, Source
from copilot.i18n import N_, messages

_TYPES = {"INT_16": "<i2", "INT_32": "<i4", "IEEE_FLOAT_32": "<f4"}
_MOST_CHANNELS = 4096


def open_brainvision(path: Path, files: Sequence[Path]) -> Source:
    """Open the header at ``path`` (.vhdr) with the files given with it.

    Raises:
        RecordingError: the data file is missing, or does not fit the header.
    """
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    data, notes = _find_data_file(text, files)
    channels = _parse_channels(text)
    text = re.sub(r"(?im)^(\s*SamplingInterval\s*=\s*\d+),(\d+)\s*$", r"\1.\2", text)
    count = _find_integer(text, "NumberOfChannels")
    if count is not None and (count != len(channels) or count > _MOST_CHANNELS):
        raise RecordingError(
            N_(
                "The header says {stated} channels and names {named}; get the .vhdr, .eeg and .vmrk files again.",
                stated=count,
                named=len(channels),
            )
        )
    data, more = _check_data_file(text, len(channels), data, files)

    # A header without places, comments and anything else that could break a reader; its channels have plain names, and
    # its units are microvolts, whatever they are.
    names = [f"c{number}" for number in range(1, len(channels) + 1)]
    common = re.sub(r"(?im)^\s*NumberOfChannels.*$", "", _find_section(text, "Common Infos"))
    lines = [f"Ch{i}={name},,{channels[i - 1][1]},uV" for i, name in enumerate(names, 1)]
    header = path.with_name("plain.vhdr")
    header.write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n\n"
        f"[Common Infos]\n{common}\nNumberOfChannels={len(channels)}\n"
        f"\n[Binary Infos]\n{_find_section(text, 'Binary Infos')}\n"
        f"\n[ASCII Infos]\n{_find_section(text, 'ASCII Infos')}\n"
        "\n[Channel Infos]\n" + "\n".join(lines) + "\n",
        encoding="ascii",
        errors="replace",
    )
    overrides = {"data_fname": data.name, "marker_fname": False}  # markers are free text
    raw = mne.io.read_raw_brainvision(header, overrides=overrides, verbose="ERROR")
    if raw.ch_names != names:
        raise RecordingError(N_(messages.KIND_DAMAGED, kind="BrainVision"))

    labels, stated = [label for label, _, _ in channels], [unit for _, _, unit in channels]
    wanted = electrodes.find_electrodes(labels).rows
    factors, unit_notes = units.find_factors([stated[row] for row in wanted])

    def load(rows: Sequence[int], seconds: float) -> Loaded:
        return load_channels(raw, rows, seconds, [stated[row] for row in rows])

    notes += more + (unit_notes if wanted else ())
    return Source("BrainVision", labels, load, unit_stated=factors is not None, notes=notes)


def _find_data_file(text: str, files: Sequence[Path]) -> tuple[Path, tuple[str, ...]]:
    """Return the file that the header names, or the only one given: users rename files, but not the names inside.

    Raises:
        RecordingError: neither is there.
    """
    named = PureWindowsPath(_find_entry(text, "DataFile").replace("/", "\\")).name
    for file in files:
        if file.name == named and file.suffix.lower() not in (".vhdr", ".vmrk"):
            return file, ()
    likely = [file for file in files if file.suffix.lower() in (".eeg", ".dat")]
    if len(likely) == 1:
        return likely[0], (N_("The header names its data file otherwise; the one given with it was used."),)
    raise RecordingError(
        N_("The data file that the header names is missing; give .vhdr, .eeg and .vmrk together.")
    )  # its name may be a person's


def _parse_channels(text: str) -> list[tuple[str, str, str]]:
    """Return (label, resolution, unit) of each channel, in order: ``Ch1=Fp1,,0.1,uV``, also with 0,1 for 0.1."""
    found = {}
    for number, entry in re.findall(r"(?im)^\s*Ch(\d{1,4})\s*=(.*)$", _find_section(text, "Channel Infos")):
        label, *rest = [part.strip() for part in entry.split(",")]
        rest = rest[1:]
        if len(rest) > 1 and rest[0].isdigit() and rest[1].isdigit():
            rest = [f"{rest[0]}.{rest[1]}", *rest[2:]]
        resolution, unit = [*rest, "", ""][:2]
        if not unit:  # the format's own default; but EEGLAB leaves both out, and writes microvolts
            unit = "\u00b5V"
        if not re.fullmatch(r"\d*\.?\d+(?:[eE][-+]?\d{1,3})?|", resolution):
            raise RecordingError(N_(messages.KIND_DAMAGED, kind="BrainVision"))
        found[int(number)] = (label.replace(r"\1", ","), resolution or "1", unit)
    if sorted(found) != list(range(1, len(found) + 1)) or not found:
        raise RecordingError(N_(messages.KIND_DAMAGED, kind="BrainVision"))
    return [found[number] for number in sorted(found)]


def _find_section(text: str, name: str) -> str:
    found = re.search(rf"(?ims)^\[{name}\]\s*$(.*?)(?=^\[|\Z)", text)
    lines = found[1].splitlines() if found else []
    return "\n".join(line for line in lines if line.strip() and not line.lstrip().startswith(";"))


def _find_entry(text: str, key: str) -> str:
    found = re.search(rf"(?im)^\s*{key}\s*=\s*(.*?)\s*$", text)
    return found[1] if found else ""


def _find_integer(text: str, key: str) -> int | None:
    found = re.fullmatch(r"\d{1,12}", _find_entry(text, key))
    return int(found[0]) if found else None


def _check_data_file(text: str, channels: int, data: Path, files: Sequence[Path]) -> tuple[Path, tuple[str, ...]]:
    """Compare the data file with the header and the markers: its length and the order of its numbers.

    Args:
        text: the header.
        channels: how many there are.
        data: the data file.
        files: what was given with it.

    Returns:
        The file to read and notes for the reader.

    Raises:
        RecordingError: the file is too short, or its numbers are in another order.
    """
    kind = _TYPES.get(_find_entry(text, "BinaryFormat").upper())
    if kind is None or _find_entry(text, "DataFormat").upper() == "ASCII":  # numbers written as text
        return data, ()
    multiplexed = _find_entry(text, "DataOrientation").upper() != "VECTORIZED"
    row = np.dtype(kind).itemsize * channels
    size, stated = data.stat().st_size, _find_integer(text, "DataPoints")
    least = stated
    if least is None:  # the sample of the last marker, counted from 1; a marker can be behind the last sample
        texts = [file.read_text(encoding="latin-1") for file in files if file.suffix.lower() == ".vmrk"]
        places = [re.findall(r"(?m)^Mk\d+=[^,\n]*,[^,\n]*,(\d{1,12}),", text) for text in texts]
        least = max([0, *(int(place) for found in places for place in found)]) - 1
    if size % row or size // row < least:
        raise RecordingError(N_("The data file is shorter than its header or its markers say; get all files again."))
    if arrays.contradicts_order(np.memmap(data, dtype=kind, mode="r"), channels, multiplexed):
        raise RecordingError(messages.NUMBERS_OUT_OF_ORDER)
    if not stated or size == row * stated:
        return data, ()
    numbers = np.fromfile(data, dtype=kind)
    cut = data.with_name("plain.eeg")
    if multiplexed:
        numbers[: channels * stated].tofile(cut)
    else:
        numbers.reshape(channels, -1)[:, :stated].tofile(cut)
    rate = 1e6 / float(_find_entry(text, "SamplingInterval"))
    return cut, (N_(messages.NOTE_FILE_LONGER, read=stated / rate, more=(size // row - stated) / rate),)
