"""Read arrays with a stated rate and channels: NumPy's .npy and .npz, MATLAB's .mat, EEGLAB's .set (see
``open_array``).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.io import loadmat

from copilot.eeg import channel_names, unit_names
from copilot.eeg.formats import mat_elements, public_datasets, sample_order
from copilot.eeg.types import MIN_SECONDS, Loaded, RecordingError, Source
from copilot.i18n import N_, messages

WHICH_TRIAL = N_(
    "The file holds {count} trials or recordings, which do not make one reading; say which one is meant by its number, "
    "from 1 to {count}, as the trial."
)
NOTE_LAYOUT = N_("Told by its variables, the file is from {name}: its {rate:g} Hz and its order of channels were used.")
SEVERAL_RATES = N_("The file states several sampling rates ({rates} Hz); save it with the one that is true.")
ARRAY_AXES = N_(
    "An array of {shape} has more axes than channels, samples and trials; save one recording as channels and samples."
)
ARRAY_OBJECTS = N_(
    "The array file holds Python objects, which are never opened, or is damaged or cut short; save plain numbers again."
)
ARRAY_STATES_NOTHING = N_(
    "The array does not state its sampling rate or its channel names; save them with it as sfreq and channels, or "
    "state them."
)


RATE_KEYS = ("sfreq", "fs", "srate", "fsample", "sampling_rate", "samplingrate", "sample_rate", "samplingfrequency")
CHANNEL_KEYS = ("channels", "ch_names", "labels", "label", "channel_names", "chnames", "channel", "electrodes")
UNIT_KEYS = ("units", "unit")
_FLOAT32 = 4


def open_array(
    path: Path, files: Sequence[Path], sfreq: float | None, channels: Sequence[str] | None, trial: int | None = None
) -> Source:
    """Open an array file; what it does not state comes from a .json beside it, or from ``sfreq`` and ``channels``.

    Args:
        path: the array.
        files: what was given with it.
        sfreq: samples per second, Hz, as the user states it.
        channels: names, as the user states them.
        trial: which of the trials in the file is the recording, counted from 1.

    Raises:
        RecordingError: damaged, it is not known how to read its numbers as EEG, or it is not known which trial.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(6)
        content = _load_numpy(path) if magic[:2] == b"PK" or magic == b"\x93NUMPY" else _load_matlab(path, magic)
    except (RecordingError, MemoryError):
        raise
    except Exception as error:
        found = (
            ARRAY_OBJECTS
            if "allow_pickle" in str(error)
            else N_("The array file is damaged or cut short; save plain numbers again.")
        )
        raise RecordingError(N_(found)) from error
    if {"data", "srate", "chanlocs", "nbchan"} <= set(content) or hasattr(content.get("EEG"), "srate"):
        return _open_eeglab(content, files, trial)
    beside, own = read_sidecar(files), {key.lower(): value for key, value in content.items()}
    says_itself = find_rate(own) is not None and bool(channel_names.find_electrodes(find_labels(own)).rows)
    if not says_itself and (layout := public_datasets.recognise_dataset(content)):
        trials = [move_channels_first(np.asarray(data), len(layout.labels)) for data in layout.trials]
        data, notes = choose_trial(trials, layout.sfreq, trial)
        note = N_(NOTE_LAYOUT, name=layout.name, rate=layout.sfreq)
        return make_source(layout.name, data, layout.sfreq, layout.labels, note, *notes)
    kind = "NumPy" if magic[:2] == b"PK" or magic[0] == 0x93 else "MATLAB"
    return _open_plain(own, beside, sfreq, channels, kind, trial)


def choose_trial(
    trials: Sequence[npt.NDArray[Any]], sfreq: float, trial: int | None
) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """Return one recording from the trials of a file, and notes for the reader.

    Epochs that are too short for a recording of their own are joined; longer ones are trials, one of which has to be
    named: the films of an experiment do not evoke one emotion.

    Args:
        trials: each of shape (channels, samples).
        sfreq: samples per second, Hz.
        trial: which of them is the recording, counted from 1, or None.

    Raises:
        RecordingError: it is not known which is meant, or there is no such trial.
    """
    count = len(trials)
    if trial is not None:
        if not 1 <= trial <= count:
            raise RecordingError(N_(messages.NO_SUCH_TRIAL, count=count))
        return trials[trial - 1], (
            N_("Trial {trial} of {count} was read.", trial=trial, count=count),
        ) if count > 1 else ()
    if count == 1:
        return trials[0], ()
    if max(data.shape[1] for data in trials) >= MIN_SECONDS * sfreq:
        raise RecordingError(N_(WHICH_TRIAL, count=count))
    return np.concatenate(trials, axis=1), (N_(messages.NOTE_EPOCHS, count=count),)


def make_source(
    kind: str,
    data: npt.NDArray[Any],
    sfreq: float,
    labels: Sequence[str],
    *notes: str,
    stated: bool = False,
    factor: float = 1.0,
) -> Source:
    """Make a ``Source`` of numbers that are in memory already.

    Args:
        kind: the common name of this kind of file.
        data: the numbers, shape (channels, samples).
        sfreq: samples per second, Hz.
        labels: of the channels.
        notes: what was found, plain sentences.
        stated: whether the file states units.
        factor: microvolts of one such unit.
    """

    def load(rows: Sequence[int], seconds: float) -> Loaded:
        kept = data[list(rows), : round(seconds * sfreq)].astype(np.float32) * np.float32(factor)
        return kept, sfreq, data.shape[1] / sfreq

    return Source(kind, labels, load, unit_stated=stated, notes=notes)


def _load_numpy(path: Path) -> Mapping[str, Any]:
    loaded = np.load(path, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return {"data": loaded}
    with loaded:
        return {name: loaded[name] for name in loaded.files}


def _load_matlab(path: Path, magic: bytes) -> Mapping[str, Any]:
    if magic == b"MATLAB":  # before version 5 a file had only plain matrices
        mat_elements.check_elements(path)
    content = loadmat(path, squeeze_me=True, struct_as_record=False, appendmat=False)
    content = {name: value for name, value in content.items() if not name.startswith("__")}
    structs = [value for value in content.values() if hasattr(value, "_fieldnames")]
    fieldtrip = [struct for struct in structs if {"trial", "label"} <= set(struct._fieldnames)]
    if len(fieldtrip) == 1 or len(content) == len(structs) == 1:  # one struct contains everything
        content = dict(_list_fields((fieldtrip or structs)[0]))
    if "trial" in content and "fsample" not in content and "time" in content:  # FieldTrip's older files
        steps = np.diff(np.concatenate([np.ravel(times) for times in np.atleast_1d(content["time"])][:1]).astype(float))
        content["fsample"] = float(np.round(1 / np.median(steps), 6))
    return content


def read_sidecar(files: Sequence[Path]) -> Mapping[str, Any]:
    """Return the content of a .json given with the array, keys in lower case; empty if there is none.

    Raises:
        RecordingError: it is no JSON.
    """
    for file in files:
        if file.suffix.lower() == ".json":
            try:
                content = json.loads(file.read_text(encoding="utf-8"))
            except (ValueError, RecursionError) as error:
                raise RecordingError(N_("The .json file cannot be read; it has to hold sfreq and channels.")) from error
            return {str(key).lower(): value for key, value in content.items()} if isinstance(content, dict) else {}
    return {}


def _open_plain(
    own: Mapping[str, Any],
    beside: Mapping[str, Any],
    sfreq: float | None,
    channels: Sequence[str] | None,
    kind: str,
    trial: int | None,
) -> Source:
    """Open an array with values from the file itself, else from the .json beside it, else from the user.

    Args:
        own: the file's variables, keys in lower case.
        beside: the values of the .json.
        sfreq: samples per second, Hz, as the user states it.
        channels: names, as the user states them.
        kind: the common name of this kind of file.
        trial: which trial is the recording, counted from 1.

    Raises:
        RecordingError: file and .json contradict each other, or rate or channels are not known.
    """
    rate = find_rate({**beside, **own})
    labels, others = find_labels(own), find_labels(beside)
    electrodes, other_electrodes = (channel_names.find_electrodes(names).names for names in (labels, others))
    if find_rate(own) is not None and find_rate(beside) not in (None, rate):
        raise RecordingError(N_(SEVERAL_RATES, rates=(f"{rate:g}", f"{find_rate(beside):g}")))
    if electrodes and other_electrodes and electrodes != other_electrodes:
        raise RecordingError(N_("The file and the .json beside it name different channels; correct one of them."))
    if not electrodes:
        labels = others if other_electrodes else list(channels or ()) or labels or others
    rate = sfreq if rate is None else rate
    if rate is None or not labels:
        raise RecordingError(ARRAY_STATES_NOTHING)
    data, notes = choose_trial(_find_trials(own, len(labels), MIN_SECONDS * rate), rate, trial)
    stated = {**beside, **own}
    unit = next((stated[key] for key in UNIT_KEYS if key in stated), None)
    factor = unit_names.convert_to_microvolts(str(unit))
    return make_source(kind, data, rate, labels, *notes, stated=factor is not None, factor=factor or 1.0)


def find_labels(stated: Mapping[str, Any]) -> list[str]:
    """Return the channel names that a file or its .json states; empty if none. Numbers, such as DEAP's ratings, are
    none.
    """
    each = (_parse_labels(stated[key]) for key in CHANNEL_KEYS if key in stated)
    return next((labels for labels in each if labels), [])


def find_rate(stated: Mapping[str, Any]) -> float | None:
    """Return the sampling rate that a file or its .json states, Hz, or None.

    Raises:
        RecordingError: it states several.
    """
    found: list[float] = []
    for key in RATE_KEYS:
        try:
            found += np.asarray(stated[key], dtype=float).reshape(-1).tolist() if key in stated else []
        except (ValueError, TypeError):
            continue
    rates = sorted(set(found))
    if len(rates) > 1:
        raise RecordingError(N_(SEVERAL_RATES, rates=tuple(f"{rate:g}" for rate in rates[:4])))
    return rates[0] if rates else None


def _parse_labels(value: Any) -> list[str]:
    """Return names from a list, an array of strings or of characters, or EEGLAB's and FieldTrip's structs."""
    if value is None:
        return []
    if isinstance(value, str):
        return value.replace(",", " ").split()
    items = [getattr(item, "labels", item) for item in np.asarray(value, dtype=object).reshape(-1)]
    names = [item.decode("latin-1") if isinstance(item, bytes) else item for item in items]
    return [name.strip() for name in names] if all(isinstance(name, str) for name in names) else []


def _find_trials(own: Mapping[str, Any], count: int, least: float) -> list[npt.NDArray[Any]]:
    """Find the signals in a file, each of shape (channels, samples), one per trial.

    Args:
        own: the variables.
        count: of channels.
        least: samples of a recording; an array with fewer in all may contain places or weights, and is taken only if
            there is no other.

    Raises:
        RecordingError: none has an axis as long as there are channels.
    """
    found = [
        trials for name, value in own.items() if name not in CHANNEL_KEYS for trials in _find_fitting(value, count)
    ]
    long = [trials for trials in found if sum(data.shape[1] for data in trials) >= least]
    if len(long) == 1:
        return long[0]
    if long or found:
        return [trial for trials in long or found[:1] for trial in trials]
    shapes = [value.shape for value in own.values() if isinstance(value, np.ndarray) and value.dtype.kind in "fiu"]
    shapes = [shape for shape in shapes if len(shape) > 1]
    if not shapes:
        raise RecordingError(N_("No array of numbers with channels and samples was found; call the signal data."))
    raise RecordingError(_describe_shape(max(shapes, key=lambda shape: float(np.prod(shape))), count))


def _find_fitting(value: Any, count: int) -> Iterator[list[npt.NDArray[Any]]]:
    """Yield the trials in a variable, an array of numbers or a cell of them, if they have so many channels."""
    if not isinstance(value, np.ndarray) or not value.size:
        return
    if value.dtype.kind in "fiu" and value.ndim in (2, 3) and count in value.shape:
        yield split_trials(value, count)
    elif value.dtype == object:
        cells = value.reshape(-1)
        numbers = all(isinstance(cell, np.ndarray) and cell.dtype.kind in "fiu" for cell in cells)
        if numbers and all(cell.ndim == 2 and count in cell.shape for cell in cells):
            yield [move_channels_first(cell, count) for cell in cells]


def split_trials(data: npt.NDArray[Any], count: int) -> list[npt.NDArray[Any]]:
    """Split an array into trials of shape (channels, samples); the axis as long as the channel list is the channels'.

    Args:
        data: two or three axes, in any order.
        count: of channels.

    Raises:
        RecordingError: no axis is that long.
    """
    if data.ndim == 2 and data.shape[0] == count:
        return [data]
    if data.ndim == 2 and data.shape[1] == count:
        return [data.T]
    if data.ndim == 3 and data.shape[1] == count:  # (trials, channels, samples), as MNE has it
        return list(data)
    if data.ndim == 3 and data.shape[0] == count:  # (channels, samples, trials), as EEGLAB has it
        return [data[:, :, trial] for trial in range(data.shape[2])]
    if data.ndim == 3 and data.shape[2] == count:  # (trials, samples, channels)
        return [trial.T for trial in data]
    raise RecordingError(_describe_shape(data.shape, count))


def move_channels_first(data: npt.NDArray[Any], count: int) -> npt.NDArray[Any]:
    """Bring an array to shape (channels, samples), joining trials.

    Args:
        data: two or three axes, in any order.
        count: of channels.

    Raises:
        RecordingError: no axis is as long as there are channels.
    """
    return np.concatenate(split_trials(data, count), axis=1)


def _describe_shape(shape: Sequence[int], count: int) -> str:
    found = (
        ARRAY_AXES
        if len(shape) > 3
        else N_("{count} channel names do not fit an array of {shape}; one axis has to be the channels.")
    )
    return N_(found, count=count, shape=" x ".join(map(str, shape)))


def _open_eeglab(content: Mapping[str, Any], files: Sequence[Path], trial: int | None) -> Source:
    """Open an EEGLAB dataset: fields as in its documentation (EEG.data, .srate, .chanlocs(i).labels)."""
    if "srate" not in content:
        content = dict(_list_fields(content["EEG"]))
    labels = _parse_labels([item for item in np.atleast_1d(content["chanlocs"]) if hasattr(item, "labels")])
    shape = [int(content[name]) for name in ("nbchan", "pnts")] + [max(1, int(content.get("trials", 1)))]
    if len(labels) != shape[0]:
        raise RecordingError(N_("The EEGLAB file does not name its channels; add channel locations in EEGLAB."))
    data = content["data"]
    if isinstance(data, str):
        data = _read_fdt(data, files, shape)
    elif np.squeeze(data).shape != tuple(length for length in shape if length > 1):
        raise RecordingError(_describe_shape(np.shape(data), shape[0]))
    data = np.asarray(data).reshape(shape, order="F")
    rate = float(content["srate"])
    if trial is not None:
        data, notes = choose_trial([data[:, :, number] for number in range(shape[2])], rate, trial)
        return make_source("EEGLAB", data, rate, labels, *notes)
    notes = (N_(messages.NOTE_EPOCHS, count=shape[2]),) if shape[2] > 1 else ()
    return make_source("EEGLAB", data.reshape(shape[0], -1, order="F"), rate, labels, *notes)


def _list_fields(struct: Any) -> Iterator[tuple[str, Any]]:
    return ((name, getattr(struct, name)) for name in struct._fieldnames)


def _read_fdt(named: str, files: Sequence[Path], shape: Sequence[int]) -> npt.NDArray[Any]:
    """Read the numbers beside the header from the .fdt that it names, else from the only one given with it.

    Args:
        named: the file's name in the header.
        files: what was given with it.
        shape: channels, samples per trial, trials.

    Returns:
        Shape ``shape``, or (channels, samples) of all trials.
    """
    name = PureWindowsPath(named.replace("/", "\\")).name
    others = [file for file in files if file.suffix.lower() in (".fdt", ".dat")]
    file = next((file for file in others if file.name == name), others[0] if len(others) == 1 else None)
    if file is None:
        raise RecordingError(N_("The .fdt file that belongs to the .set is missing; give both files together."))
    if file.stat().st_size != _FLOAT32 * int(np.prod(shape, dtype=object)):
        raise RecordingError(N_("The .fdt file is not as long as its .set says: get both files again."))
    numbers = np.fromfile(file, dtype="<f4")
    by_time = not name.lower().endswith(".dat")  # EEGLAB writes these with all times of one channel together
    if sample_order.contradicts_order(numbers, shape[0], multiplexed=by_time):
        raise RecordingError(messages.NUMBERS_OUT_OF_ORDER)
    return numbers.reshape(shape, order="F") if by_time else numbers.reshape(shape[0], -1)
