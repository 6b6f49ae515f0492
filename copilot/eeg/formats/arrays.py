"""Read arrays with a stated rate and channels: NumPy's .npy and .npz (``open_numpy``), and the variables of any other
file (``open_variables``).

Arrays of public EEG datasets state neither rate nor channels; both are in their descriptions, and the datasets are
recognised by the names and shapes of their variables (``recognise_dataset``). All of them contain trials.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from copilot.eeg import electrodes, units
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
ARRAY_DAMAGED = N_("The array file is damaged or cut short; save plain numbers again.")
ARRAY_STATES_NOTHING = N_(
    "The array does not state its sampling rate or its channel names; save them with it as sfreq and channels, or "
    "state them."
)

RATE_KEYS = ("sfreq", "fs", "srate", "fsample", "sampling_rate", "samplingrate", "sample_rate", "samplingfrequency")
CHANNEL_KEYS = ("channels", "ch_names", "labels", "label", "channel_names", "chnames", "channel", "electrodes")
UNIT_KEYS = ("units", "unit")

_DEAP = (
    *("Fp1", "AF3", "F3", "F7", "FC5", "FC1", "C3", "T7", "CP5", "CP1", "P3", "P7", "PO3", "O1", "Oz", "Pz"),
    *("Fp2", "AF4", "Fz", "F4", "F8", "FC6", "FC2", "Cz", "C4", "T8", "CP6", "CP2", "P4", "P8", "PO4", "O2"),
    *("hEOG", "vEOG", "zEMG", "tEMG", "GSR", "Respiration", "Plethysmograph", "Temperature"),
)
"""Koelstra et al. 2012, IEEE Trans Affect Comput 3:18: the order of the preprocessed files."""
_FACED = (
    *("Fp1", "Fp2", "Fz", "F3", "F4", "F7", "F8", "FC1", "FC2", "FC5", "FC6", "Cz", "C3", "C4", "T7", "T8"),
    *("CP1", "CP2", "CP5", "CP6", "Pz", "P3", "P4", "P7", "P8", "PO3", "PO4", "Oz", "O1", "O2", "A2", "A1"),
)
"""Chen et al. 2023, Sci Data 10:740."""
_SEED = (
    *("FP1", "FPZ", "FP2", "AF3", "AF4", "F7", "F5", "F3", "F1", "FZ", "F2", "F4", "F6", "F8", "FT7", "FC5", "FC3"),
    *("FC1", "FCZ", "FC2", "FC4", "FC6", "FT8", "T7", "C5", "C3", "C1", "CZ", "C2", "C4", "C6", "T8", "TP7", "CP5"),
    *("CP3", "CP1", "CPZ", "CP2", "CP4", "CP6", "TP8", "P7", "P5", "P3", "P1", "PZ", "P2", "P4", "P6", "P8", "PO7"),
    *("PO5", "PO3", "POZ", "PO4", "PO6", "PO8", "CB1", "O1", "OZ", "O2", "CB2"),
)
"""Zheng & Lu 2015, IEEE Trans Auton Ment Dev 7:162; SEED-IV has the same."""
_DREAMER = ("AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8", "AF4")
"""Katsigiannis & Ramzan 2018, IEEE J Biomed Health Inform 22:98."""

SAMPLES = 5000
ROUGH, SMOOTH = 1.2, 0.6
"""Mean squared step over variance: 2 for independent numbers, near 0 for a signal that is sampled densely."""


def open_numpy(
    path: Path, files: Sequence[Path], sfreq: float | None, channels: Sequence[str] | None, trial: int | None
) -> Source:
    """Open an .npy or .npz; arguments and errors as of ``open_variables``. Python objects in it are never opened."""
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            content = {"data": loaded}
        else:
            with loaded:
                content = {name: loaded[name] for name in loaded.files}
    except MemoryError:
        raise
    except Exception as error:
        raise RecordingError(ARRAY_OBJECTS if "allow_pickle" in str(error) else ARRAY_DAMAGED) from error
    return open_variables(content, "NumPy", files, sfreq, channels, trial)


def open_variables(
    content: Mapping[str, Any],
    kind: str,
    files: Sequence[Path],
    sfreq: float | None,
    channels: Sequence[str] | None,
    trial: int | None,
) -> Source:
    """Open a recording with values from the file itself, else from the .json beside it, else from the user.

    Args:
        content: the file's variables.
        kind: the common name of this kind of file.
        files: what was given with it.
        sfreq: samples per second, Hz, as the user states it.
        channels: names, as the user states them.
        trial: which of the trials in the file is the recording, counted from 1.

    Raises:
        RecordingError: file and .json contradict each other, it is not known how to read the numbers as EEG, or which
            trial.
    """
    beside, own = read_sidecar(files), {key.lower(): value for key, value in content.items()}
    says_itself = find_rate(own) is not None and bool(electrodes.find_electrodes(find_labels(own)).rows)
    if not says_itself and (layout := recognise_dataset(content)):
        trials = [np.concatenate(split_trials(np.asarray(data), len(layout.labels)), axis=1) for data in layout.trials]
        data, notes = choose_trial(trials, layout.sfreq, trial)
        note = N_(NOTE_LAYOUT, name=layout.name, rate=layout.sfreq)
        return make_source(layout.name, data, layout.sfreq, layout.labels, note, *notes)
    rate = find_rate({**beside, **own})
    labels, others = find_labels(own), find_labels(beside)
    own_names, other_names = (electrodes.find_electrodes(names).names for names in (labels, others))
    if find_rate(own) is not None and find_rate(beside) not in (None, rate):
        raise RecordingError(N_(SEVERAL_RATES, rates=(f"{rate:g}", f"{find_rate(beside):g}")))
    if own_names and other_names and own_names != other_names:
        raise RecordingError(N_("The file and the .json beside it name different channels; correct one of them."))
    if not own_names:
        labels = others if other_names else list(channels or ()) or labels or others
    rate = sfreq if rate is None else rate
    if rate is None or not labels:
        raise RecordingError(ARRAY_STATES_NOTHING)
    data, notes = choose_trial(_find_trials(own, len(labels), MIN_SECONDS * rate), rate, trial)
    stated = {**beside, **own}
    unit = next((stated[key] for key in UNIT_KEYS if key in stated), None)
    factor = units.convert_to_microvolts(str(unit))
    return make_source(kind, data, rate, labels, *notes, stated=factor is not None, factor=factor or 1.0)


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
    rate_from: str = messages.RATE_STATED,
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
        rate_from: where the sampling rate comes from.
    """

    def load(rows: Sequence[int], seconds: float) -> Loaded:
        kept = data[list(rows), : round(seconds * sfreq)].astype(np.float32) * np.float32(factor)
        return kept, sfreq, data.shape[1] / sfreq

    return Source(kind, labels, load, unit_stated=stated, notes=notes, rate_from=rate_from)


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


def find_labels(stated: Mapping[str, Any]) -> list[str]:
    """Return the channel names that a file or its .json states; empty if none. Numbers, such as DEAP's ratings, are
    none.
    """
    each = (parse_labels(stated[key]) for key in CHANNEL_KEYS if key in stated)
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


def parse_labels(value: Any) -> list[str]:
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
    found: list[list[npt.NDArray[Any]]] = []
    for name, value in own.items():
        if name in CHANNEL_KEYS or not isinstance(value, np.ndarray) or not value.size:
            continue
        if value.dtype.kind in "fiu" and value.ndim in (2, 3) and count in value.shape:
            found.append(split_trials(value, count))
        elif value.dtype == object:
            cells = value.reshape(-1)
            numbers = all(isinstance(cell, np.ndarray) and cell.dtype.kind in "fiu" for cell in cells)
            if numbers and all(cell.ndim == 2 and count in cell.shape for cell in cells):
                found.append([split_trials(cell, count)[0] for cell in cells])
    long = [trials for trials in found if sum(data.shape[1] for data in trials) >= least]
    if len(long) == 1:
        return long[0]
    if long or found:
        return [trial for trials in long or found[:1] for trial in trials]
    shapes = [value.shape for value in own.values() if isinstance(value, np.ndarray) and value.dtype.kind in "fiu"]
    shapes = [shape for shape in shapes if len(shape) > 1]
    if not shapes:
        raise RecordingError(N_("No array of numbers with channels and samples was found; call the signal data."))
    raise RecordingError(describe_shape(max(shapes, key=lambda shape: float(np.prod(shape))), count))


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
    raise RecordingError(describe_shape(data.shape, count))


def describe_shape(shape: Sequence[int], count: int) -> str:
    """Return the sentence that refuses an array of this shape for ``count`` channels."""
    found = (
        ARRAY_AXES
        if len(shape) > 3
        else N_("{count} channel names do not fit an array of {shape}; one axis has to be the channels.")
    )
    return N_(found, count=count, shape=" x ".join(map(str, shape)))


@dataclass(frozen=True)
class DatasetLayout:
    """A dataset's name, its rate in Hz, its channels in order, and the trials of a file."""

    name: str
    sfreq: float
    labels: tuple[str, ...]
    trials: list[Any]


def recognise_dataset(content: Mapping[str, Any]) -> DatasetLayout | None:
    """Return the layout of the dataset that a file is from, by its variables; None if it is from none that is known."""
    data: Any = content.get("data")
    shape = getattr(data, "shape", ())
    if shape[-2:] == (40, 8064) and len(shape) in (2, 3):
        return DatasetLayout("DEAP", 128.0, _DEAP, list(data) if len(shape) == 3 else [data])
    if shape == (28, 32, 7500):
        return DatasetLayout("FACED", 250.0, _FACED, list(data))
    numbered = {name: re.fullmatch(r"(?i)[a-z0-9]{1,8}_eeg_?(\d{1,2})", name) for name in content}
    seed = {int(found[1]): content[name] for name, found in numbered.items() if found}
    if seed and all(len(getattr(trial, "shape", ())) == 2 and trial.shape[0] == 62 for trial in seed.values()):
        return DatasetLayout("SEED", 200.0, _SEED, [seed[number] for number in sorted(seed)])
    films = [film for person in np.atleast_1d(content.get("Data", [])) for film in _list_films(person)]
    if films and all(len(getattr(film, "shape", ())) == 2 and film.shape[1] == 14 for film in films):
        named = [str(name) for name in np.atleast_1d(content.get("EEG_Electrodes", _DREAMER))]
        return DatasetLayout("DREAMER", float(content.get("EEG_SamplingRate", 128)), tuple(named), films)
    return None


def _list_films(person: Any) -> list[Any]:
    """Return DREAMER's recordings of one person, one per film."""
    films = getattr(getattr(person, "EEG", None), "stimuli", None)
    if films is None:
        return []
    return [films] if np.ndim(films) == 2 else list(np.ravel(films))


def contradicts_order(numbers: npt.NDArray[np.generic], channels: int, multiplexed: bool) -> bool:
    """Return whether a file's numbers jump in the order stated, and run smoothly in the other order.

    Args:
        numbers: all numbers of the file, shape (channels x samples,), in the order in which they are stored.
        channels: how many there are.
        multiplexed: the order stated: all channels of one time after the other; else all times of one channel.
    """
    length = len(numbers) // channels
    kept = min(length, SAMPLES)
    by_time = numbers[: channels * kept].reshape(kept, channels).T
    by_channel = numbers[: channels * length].reshape(channels, length)[:, :kept]
    stated, other = (by_time, by_channel) if multiplexed else (by_channel, by_time)
    return _measure_roughness(stated) > ROUGH and _measure_roughness(other) < SMOOTH


def _measure_roughness(data: npt.NDArray[np.generic]) -> float:
    """Return the median over channels of the mean squared step over the variance, without what all channels have in
    common.

    Line noise is much the same everywhere; at a low rate it alone would make a good recording look rough. ``data`` has
    shape (channels, samples).
    """
    values = np.nan_to_num(np.asarray(data, dtype=float))
    values -= values.mean(axis=1, keepdims=True)
    values -= np.median(values, axis=0)
    spread = values.var(axis=1)
    live = spread > 0
    if not live.any():
        return 0.0
    return float(np.median((np.diff(values[live], axis=1) ** 2).mean(axis=1) / spread[live]))
