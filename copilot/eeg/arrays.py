"""Arrays with a stated rate and channels: NumPy's .npy and .npz, MATLAB's .mat, EEGLAB's .set (see ``open_array``)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.io import loadmat

from copilot.eeg.formats import Loaded, Source
from copilot.eeg.recording import RecordingError
from copilot.language import english, sentence

DATA_KEYS = ("data", "eeg", "x", "signal", "signals", "eeg_data", "y")
RATE_KEYS = ("sfreq", "fs", "srate", "fsample", "sampling_rate", "samplingrate", "sample_rate", "samplingfrequency")
CHANNEL_KEYS = ("channels", "ch_names", "labels", "label", "channel_names", "chnames", "channel", "electrodes")
_FLOAT32 = 4


def open_array(path: Path, files: Sequence[Path], sfreq: float | None, channels: Sequence[str] | None) -> Source:
    """Open an array file; what it does not state comes from a .json beside it, or from ``sfreq`` and ``channels``.

    Raises:
        RecordingError: damaged, or it is not known how to read its numbers as EEG.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(6)
        content = _numpy(path) if magic[:2] == b"PK" or magic == b"\x93NUMPY" else _matlab(path)
    except (RecordingError, MemoryError):
        raise
    except Exception as error:
        found = english.ARRAY_OBJECTS if "allow_pickle" in str(error) else english.ARRAY_DAMAGED
        raise RecordingError(sentence(found)) from error
    if _is_eeglab(content):
        return _eeglab(content, files)
    stated = {**sidecar(files), **{key.lower(): value for key, value in content.items()}}
    return _plain(stated, sfreq, channels, "MATLAB" if magic[:2] == b"MA" else "NumPy")


def signals(
    kind: str, data: npt.NDArray[Any], sfreq: float, labels: Sequence[str], *notes: str, stated: bool = False
) -> Source:
    """A ``Source`` of numbers that are in memory already, shape (channels, samples)."""

    def load(rows: Sequence[int], seconds: float) -> Loaded:
        kept = data[list(rows), : round(seconds * sfreq)].astype(np.float32)
        return kept, sfreq, data.shape[1] / sfreq

    return Source(kind, labels, load, unit_stated=stated, notes=notes)


def _numpy(path: Path) -> Mapping[str, Any]:
    loaded = np.load(path, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return {"data": loaded}
    with loaded:
        return {name: loaded[name] for name in loaded.files}


def _matlab(path: Path) -> Mapping[str, Any]:
    content = loadmat(path, squeeze_me=True, struct_as_record=False, appendmat=False)
    content = {name: value for name, value in content.items() if not name.startswith("__")}
    if len(content) == 1 and hasattr(next(iter(content.values())), "_fieldnames"):  # one struct holds everything
        struct = next(iter(content.values()))
        content = {name: getattr(struct, name) for name in struct._fieldnames}
    return content


def sidecar(files: Sequence[Path]) -> Mapping[str, Any]:
    """What a .json given with the array says."""
    for file in files:
        if file.suffix.lower() == ".json":
            try:
                content = json.loads(file.read_text(encoding="utf-8"))
            except (ValueError, RecursionError) as error:
                raise RecordingError(sentence(english.JSON_UNREADABLE)) from error
            return {str(key).lower(): value for key, value in content.items()} if isinstance(content, dict) else {}
    return {}


def _plain(stated: Mapping[str, Any], sfreq: float | None, channels: Sequence[str] | None, kind: str) -> Source:
    rate = sfreq if sfreq is not None else stated_rate(stated)
    labels = list(channels) if channels else stated_labels(stated)
    if rate is None or not labels:
        raise RecordingError(sentence(english.ARRAY_STATES_NOTHING))
    return signals(kind, channels_first(_data(stated), len(labels)), rate, labels)


def _first(stated: Mapping[str, Any], keys: Sequence[str]) -> Any:
    return next((stated[key] for key in keys if key in stated), None)


def stated_labels(stated: Mapping[str, Any]) -> list[str]:
    """The channel names that a file or its .json states; empty if none."""
    return _labels(_first(stated, CHANNEL_KEYS))


def stated_rate(stated: Mapping[str, Any]) -> float | None:
    """The sampling rate that a file or its .json states, Hz, or None."""
    value = _first(stated, RATE_KEYS)
    try:
        return None if value is None else float(np.asarray(value, dtype=float).reshape(-1)[0])
    except (ValueError, TypeError, IndexError):
        return None


def _labels(value: Any) -> list[str]:
    """Names from a list, an array of strings or of characters, or EEGLAB's and FieldTrip's structs."""
    if value is None:
        return []
    if isinstance(value, str):
        return value.replace(",", " ").split()
    return [str(getattr(item, "labels", item)).strip() for item in np.asarray(value, dtype=object).reshape(-1)]


def _data(stated: Mapping[str, Any]) -> npt.NDArray[Any]:
    """The signal: the array with a usual name, or the only one with two or three axes."""
    arrays = {name: value for name, value in stated.items() if _is_signal(value)}
    for name in (*DATA_KEYS, *(arrays if len(arrays) == 1 else ())):
        if name in arrays:
            data: npt.NDArray[Any] = arrays[name]
            return data
    raise RecordingError(sentence(english.ARRAY_NO_DATA))


def _is_signal(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiu" and value.ndim in (2, 3) and value.size > 0


def channels_first(data: npt.NDArray[Any], count: int) -> npt.NDArray[Any]:
    """Bring an array to (channels, samples), joining trials; the axis as long as the channel list is the channels'.

    Raises:
        RecordingError: no axis is that long.
    """
    if data.ndim == 2 and data.shape[0] == count:
        return data
    if data.ndim == 2 and data.shape[1] == count:
        return data.T
    if data.ndim == 3 and data.shape[1] == count:  # (trials, channels, samples), as MNE has it
        return np.concatenate(list(data), axis=1)
    if data.ndim == 3 and data.shape[0] == count:  # (channels, samples, trials), as EEGLAB has it
        return data.reshape(count, -1, order="F")
    shape = " x ".join(map(str, data.shape))
    raise RecordingError(sentence(english.ARRAY_SHAPE, count=count, shape=shape))


def _is_eeglab(content: Mapping[str, Any]) -> bool:
    return {"data", "srate", "chanlocs", "nbchan"} <= set(content) or hasattr(content.get("EEG"), "srate")


def _eeglab(content: Mapping[str, Any], files: Sequence[Path]) -> Source:
    """An EEGLAB dataset: fields as in its documentation (EEG.data, .srate, .chanlocs(i).labels)."""
    if "srate" not in content:
        content = dict(_fields(content["EEG"]))
    labels = _labels([item for item in np.atleast_1d(content["chanlocs"]) if hasattr(item, "labels")])
    shape = [int(content[name]) for name in ("nbchan", "pnts")] + [max(1, int(content.get("trials", 1)))]
    if len(labels) != shape[0]:
        raise RecordingError(sentence(english.EEGLAB_NO_NAMES))
    data = content["data"]
    data = _fdt(data, files, shape) if isinstance(data, str) else np.asarray(data).reshape(shape, order="F")
    notes = (sentence(english.NOTE_EPOCHS, count=shape[2]),) if shape[2] > 1 else ()
    return signals("EEGLAB", data.reshape(shape[0], -1, order="F"), float(content["srate"]), labels, *notes)


def _fields(struct: Any) -> Iterator[tuple[str, Any]]:
    return ((name, getattr(struct, name)) for name in struct._fieldnames)


def _fdt(named: str, files: Sequence[Path], shape: Sequence[int]) -> npt.NDArray[Any]:
    """The numbers beside the header: the .fdt that it names, else the only one given with it."""
    name = PureWindowsPath(named.replace("/", "\\")).name
    others = [file for file in files if file.suffix.lower() in (".fdt", ".dat")]
    file = next((file for file in others if file.name == name), others[0] if len(others) == 1 else None)
    if file is None:
        raise RecordingError(sentence(english.NO_FDT))
    if file.stat().st_size != _FLOAT32 * int(np.prod(shape, dtype=object)):
        raise RecordingError(sentence(english.FDT_SHORT))
    return np.fromfile(file, dtype="<f4").reshape(shape, order="F")
