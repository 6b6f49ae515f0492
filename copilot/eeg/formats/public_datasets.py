"""Recognise arrays of public EEG datasets by the names and shapes of their variables (see ``recognise_dataset``).

They state neither rate nor channels in the file; both are in their descriptions. All of them contain trials.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

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
