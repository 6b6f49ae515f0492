"""Name the electrodes of montages that number them: BioSemi's and EGI's by the nearest 10-10 place."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from copilot.i18n import N_

STANDARD = "colin27_1005"
"""MNE's name for the positions of the 10-05 system (Oostenveld & Praamstra 2001) on a standard head."""

NEAR_DEGREES = 12.0
"""About 2 cm on a head of 9.5 cm radius: closer than that, an electrode takes the name of a 10-10 place."""

TEN_TEN = (
    *("Fp1", "Fpz", "Fp2", "AF7", "AF3", "AFz", "AF4", "AF8", "F7", "F5", "F3", "F1", "Fz", "F2", "F4", "F6", "F8"),
    *("FT7", "FC5", "FC3", "FC1", "FCz", "FC2", "FC4", "FC6", "FT8", "T7", "C5", "C3", "C1", "Cz", "C2", "C4", "C6"),
    *("T8", "TP7", "CP5", "CP3", "CP1", "CPz", "CP2", "CP4", "CP6", "TP8", "P7", "P5", "P3", "P1", "Pz", "P2", "P4"),
    *("P6", "P8", "PO7", "PO3", "POz", "PO4", "PO8", "O1", "Oz", "O2"),
)

_TEN_TWENTY = (
    *("Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T7", "C3", "C4", "T8"),
    *("P7", "P3", "Pz", "P4", "P8", "O1", "Oz", "O2"),
)

_ANCHORS = {
    "GSN-HydroCel-32": "E1 E2 E11 E3 E17 E4 E12 E13 E5 E6 E14 E15 E7 E19 E8 E16 E9 E20 E10",
    "GSN-HydroCel-64_1.0": "E10 E5 E18 E12 E6 E60 E58 E24 E20 E50 E52 E30 E28 E34 E42 E44 E35 E37 E39",
    "GSN-HydroCel-128": "E22 E9 E33 E24 E11 E124 E122 E45 E36 E104 E108 E58 E52 E62 E92 E96 E70 E75 E83",
    "GSN-HydroCel-256": "E37 E18 E47 E36 E21 E224 E2 E69 E59 E183 E202 E96 E87 E101 E153 E170 E116 E126 E150",
    "biosemi128": "C29 C16 D7 D4 C21 C4 C7 D23 D19 B22 B26 D31 A7 A19 B4 B11 A15 A23 A28",
}
"""The electrode that each net's maker gives for each place of ``_TEN_TWENTY`` (for EGI: Luu & Ferree 2005)."""


@dataclass(frozen=True)
class Montage:
    """A montage's title, and the 10-10 names of its electrodes (labels in capitals)."""

    title: str
    names: Mapping[str, str]


UNKNOWN = Montage("", {})
"""Returned where so many electrodes are missing that the montage cannot be known."""

MOST_OF = 0.75
"""With a smaller share of a montage's electrodes it could as well be another montage."""

_FEWEST = 8
_TEN_TEN_LIKE = re.compile(r"A[12]|C[1-6]|F(?:[1-9]|10)")
"""Names of the 10-10 system that are one letter of BioSemi's and a number, too."""


def recognise_montage(labels: Sequence[str]) -> Montage | None:
    """Return the montage to which numbered electrodes belong, None if they are not numbered, or ``UNKNOWN``.

    BioSemi's ``A1`` is the first electrode, and no ear. Some electrodes may have been taken out. Numbers and letters
    that the 10-20 system does not have (``A7``, ``C20``, ``E5``) show that the labels are numbers: then ``C3`` and
    ``F4`` are numbers too, and not the places of that name.
    """
    return _recognise_biosemi(labels) or _recognise_egi(labels)


def _recognise_biosemi(labels: Sequence[str]) -> Montage | None:
    numbered = {label: found for label in labels if (found := re.fullmatch(r"([A-H])0*([1-9]\d?)", label))}
    own = {f"{found[1]}{int(found[2])}": label for label, found in numbered.items() if int(found[2]) <= 32}
    beyond = [name for name in own if not _TEN_TEN_LIKE.fullmatch(name)]
    letters = {name[0] for name in own}
    if len(beyond) < _FEWEST or letters == {"E"} or len(beyond) < len(labels) / 4:
        return None
    last = max(name[0] for name in beyond)
    if last == "A":
        count = 16 if max(int(name[1:]) for name in own if name[0] == "A") <= 16 else 32
    else:
        count = {"B": 64, "C": 128, "D": 128, "E": 160}.get(last, 256)
    electrodes = [f"{letter}{i}" for letter in "ABCDEFGH" for i in range(1, 33)][:count]
    present = own.keys() & set(electrodes)
    if len(present) < MOST_OF * count or own.keys() - present:
        return UNKNOWN
    names = _name_biosemi_electrodes(count)
    return Montage(
        N_("a BioSemi cap of {count}", count=count), {own[name]: names[name] for name in present if name in names}
    )


def _recognise_egi(labels: Sequence[str]) -> Montage | None:
    numbered = {label: int(found[1]) for label in labels if (found := re.fullmatch(r"E0*([1-9]\d{0,2})", label))}
    if len(numbered) < max(_FEWEST, len(labels) / 2):
        return None
    count = next((count for count in (32, 64, 128, 256) if max(numbered.values()) <= count + 1), None)
    if count is None or len(numbered) < MOST_OF * count:
        return UNKNOWN
    net = _match_by_anchors(f"GSN-HydroCel-{count}" + ("_1.0" if count == 64 else ""))
    reference = {f"E{count + 1}": "Cz"}
    names = {label: (reference | dict(net)).get(f"E{number}") for label, number in numbered.items()}
    known = {label: name for label, name in names.items() if name}
    return Montage(N_("an EGI HydroCel net of {count}", count=count), {**known, "CZ": "Cz", "VREF": "Cz"})


@cache
def compute_directions(montage: str) -> dict[str, npt.NDArray[np.float64]]:
    """Return unit vectors, shape (3,), to each electrode from the centre of the sphere that fits a montage best."""
    import mne  # takes a second, and most callers only need names

    places = mne.channels.make_standard_montage(montage).get_positions()["ch_pos"]
    points = np.array(list(places.values()))
    middle = np.linalg.lstsq(np.c_[2 * points, np.ones(len(points))], (points**2).sum(axis=1), rcond=None)[0][:3]
    return {name: (place - middle) / np.linalg.norm(place - middle) for name, place in places.items()}


@cache
def _name_biosemi_electrodes(count: int) -> Mapping[str, str]:
    if count == 128:
        return _match_by_anchors("biosemi128")
    if count < 128:
        places = compute_directions(f"biosemi{count}")
        numbered = [f"{letter}{i}" for letter in "AB" for i in range(1, 33)]
        return dict(zip(numbered, places, strict=False))
    return _match_on_sphere(f"biosemi{count}")


def _match_on_sphere(montage: str) -> Mapping[str, str]:
    """Match each place of BioSemi's 10-20 montage to the nearest electrode of a larger one; both are drawn on one
    sphere.
    """
    cap, places = compute_directions(montage), compute_directions("biosemi64")
    labels, free = list(cap), [name for name in TEN_TEN if name in places]
    cosines = np.array([places[name] for name in free]) @ np.array([cap[label] for label in labels]).T
    angles = np.degrees(np.arccos(np.clip(cosines, -1, 1)))
    named: dict[str, str] = {}
    for flat in np.argsort(angles, axis=None, kind="stable"):
        place, label = divmod(int(flat), len(labels))
        if angles[place, label] <= NEAR_DEGREES and labels[label] not in named and free[place] not in named.values():
            named[labels[label]] = free[place]
    return named


@cache
def _match_by_anchors(montage: str) -> Mapping[str, str]:
    """Name the anchors by their known names, and every other place of the 10-10 system by the nearest free electrode.

    Nets have another shape than the standard head, so the anchors first stretch one onto the other.
    """
    net, standard = compute_directions(montage), compute_directions(STANDARD)
    named = dict(zip(_ANCHORS[montage].split(), _TEN_TWENTY, strict=True))
    here = np.array([[*net[label], 1.0] for label in named])
    stretch = np.linalg.lstsq(here, np.array([standard[name] for name in named.values()]), rcond=None)[0]
    labels = [label for label in net if label not in named and label != "Cz"]
    # An EGI net has its reference at Cz, with the number after the last.
    reference = {"Cz"} if montage.startswith("GSN") else set()
    free = [name for name in TEN_TEN if name not in reference.union(named.values())]
    there = np.array([[*net[label], 1.0] for label in labels]) @ stretch
    there /= np.linalg.norm(there, axis=1, keepdims=True)
    angles = np.degrees(np.arccos(np.clip(np.array([standard[name] for name in free]) @ there.T, -1, 1)))
    for flat in np.argsort(angles, axis=None, kind="stable"):
        place, label = divmod(int(flat), len(labels))
        if angles[place, label] <= NEAR_DEGREES and labels[label] not in named and free[place] not in named.values():
            named[labels[label]] = free[place]
    return named
