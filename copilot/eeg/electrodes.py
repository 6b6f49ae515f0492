"""Find the channels of a file that are electrodes on the scalp, their standard names (``find_electrodes``) and places
(``compute_directions``).

Caps that number their electrodes, BioSemi's and EGI's, are named by the nearest 10-10 place (``recognise_cap``).
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt

from copilot.eeg.types import Source
from copilot.i18n import N_, messages

OLD_NAMES = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}
"""The 10-20 names that the 10-10 system replaced (Chatrian et al. 1985)."""

REFERENCES = ("A1", "A2", "M1", "M2")

OPENBCI = (*("Fp1", "Fp2", "C3", "C4", "P7", "P8", "O1", "O2"), *("F7", "F8", "F3", "F4", "T7", "T8", "P3", "P4"))
"""Where the OpenBCI documentation puts channels 1 to 16."""

_REFERENCE_WORD = re.compile(
    r"(?:LE|RE|REF\d?|REFERENCE|A1|A2|A1A2|A1\+A2|A12|M1|M2|M1M2|M1\+M2|LM|LER|AV|AVE?R?A?G?E?|AVG|AR|CAR|CMS|G\d?|GND|NOSE|ORG|VREF|\d)",
    re.IGNORECASE,
)
"""What may follow a hyphen although the channel is no bipolar derivation; a digit is how MNE numbers duplicates."""

_UNIT = re.compile(
    r"\s*[(\[]\s*([^()\[\]]{1,12}?)\s*[)\]]\s*$|[\s_/.]+([nuµμm]?V|microvolts?|millivolts?|nanovolts?|volts?|uvolts?)$",
    re.IGNORECASE,
)
"""How a column heading states a unit: ``Fp1 (uV)``, ``Fp1[uV]``, ``Fp1_uV``."""

_BEFORE = re.compile(
    r"^\s*(?:(?:EEG|POL|IED|RAW|CH(?:AN(?:NEL)?)?\s*\d+|\d{1,3})(?=[\s_.:\-]))[\s_.:\-]+(?=\S)", re.IGNORECASE
)
"""What some programs put before an electrode's name: ``EEG Fp1``, ``1-Fp1``, ``Ch1_Fp1``, ``IED_AF3``."""

_KINDS = (
    (N_("ECG"), r"E[CK]G|HEART|PULSE|PLETH|PPG|HR$"),
    (messages.EYE_MOVEMENT, r"EOG|[HV]EO"),
    (N_("muscle"), r"EMG|CHIN"),
    (N_("annotation"), r"ANNOTATION"),
    (N_("trigger"), r"STATUS|TRIG|STI\b|STIM|MARKER|EVENT|DIN|PHOTIC"),
    (N_("movement"), r"ACC|GYR|MOTION"),
    (N_("breathing"), r"RESP|THOR|ABDO|FLOW|SPO2|SNORE"),
)

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
class Electrodes:
    """The channels of a file that are EEG.

    Attributes:
        rows: their places in the file.
        names: their standard names, no duplicates.
        notes: what was left out or assumed, plain sentences. Labels that are not electrodes are counted, never quoted:
            they are free text, which may contain a name.
        left_out: what was left out, by kind: ``("1 ECG", "2 reference")``.
    """

    rows: tuple[int, ...]
    names: tuple[str, ...]
    notes: tuple[str, ...]
    left_out: tuple[str, ...]


def find_electrodes(labels: Sequence[str]) -> Electrodes:
    """Separate electrodes from all other channels, and name them as the 10-05 system does."""
    notes: list[str] = []
    cap = recognise_cap([_normalise_label(label) for label in labels])
    if cap:
        found = [cap.names.get(_normalise_label(label)) for label in labels]
        notes.append(N_("Channels are numbered as on {cap}; its usual places are assumed.", cap=cap.title))
    else:
        shared = _find_shared_reference(labels)
        found = [standard_name(label, shared) for label in labels]
        if shared:
            notes.append(
                N_("All channels were recorded against {name}, which is taken as their common reference.", name=shared)
            )
    first_rows: dict[str, int] = {}
    for row, name in enumerate(found):
        if name is not None:
            first_rows.setdefault(name, row)
    if repeated := {name for row, name in enumerate(found) if name is not None and first_rows[name] != row}:
        notes.append(
            N_("More than one channel is called {names}; the first of each is used.", names=tuple(sorted(repeated)))
        )
    counts = Counter(_classify_label(label) for label, name in zip(labels, found, strict=True) if name is None)
    left_out = tuple(N_(messages.COUNTED, count=count, kind=kind) for kind, count in counts.items())
    if left_out:
        notes.append(N_("Left out, because they are not single scalp electrodes: {kinds}.", kinds=left_out))
    return Electrodes(tuple(first_rows.values()), tuple(first_rows), tuple(notes), left_out)


def standard_name(label: str, shared_reference: str | None = None) -> str | None:
    """Return the standard name of a label, or None if it is not an electrode.

    ``EEG Fp1-LE``, ``FP1``, ``Fp1.`` and ``T3`` become ``Fp1``, ``Fp1``, ``Fp1`` and ``T7``. A bipolar derivation
    (``Fp1-F3``) is not a single electrode, unless ``shared_reference`` is its second half.
    """
    electrode, second = _split_label(label)
    name = _find_spelling(electrode)
    if name is None or name in REFERENCES:
        return None
    single = not second or _REFERENCE_WORD.fullmatch(second) or _find_spelling(second) == (shared_reference or "none")
    return name if single else None


def find_unit(label: str) -> str:
    """Return the unit that a column heading states, as written there (``uV``), or an empty text."""
    found = _UNIT.search(label)
    return (found[1] or found[2]) if found else ""


def _normalise_label(label: str) -> str:
    return label.strip().strip(".").upper()


def _split_label(label: str) -> tuple[str, str]:
    """Split a label into electrode and reference: ``EEG Fp1-LE`` becomes (``Fp1``, ``LE``)."""
    text = re.sub(r"(?i)(?<=\w)[\s_.]+raw$", "", _UNIT.sub("", label.strip()))
    for _ in range(2):  # EEG 1-Fp1
        text = _BEFORE.sub("", text)
    text = re.sub(r"^\s*(?:EEG|POL)[\s_.:\-]*(?=\S)", "", text, flags=re.IGNORECASE)
    first, _, second = text.strip().strip(".").partition("-")
    if not second:
        first, _, second = re.sub(r"[_:/\s]+", "-", first.strip()).partition("-")
    return first.strip(" ."), re.sub(r"-\d$", "", second.strip(" ."))


def _find_spelling(text: str) -> str | None:
    """Return the standard spelling of an electrode's name, old names replaced; None if it is not an electrode's."""
    name = _list_spellings().get(text.upper())
    return OLD_NAMES.get(name, name) if name else None


@cache
def _list_spellings() -> dict[str, str]:
    return {name.upper(): name for name in compute_directions(STANDARD)}


def _find_shared_reference(labels: Sequence[str]) -> str | None:
    """Return the electrode that every derivation ends in, or None.

    Four or more with the same end share a reference; they are not a bipolar chain.
    """
    seconds = [
        _find_spelling(second) for first, second in map(_split_label, labels) if second and _find_spelling(first)
    ]
    seconds = [name for name in seconds if name and name not in REFERENCES]
    return seconds[0] if len(seconds) >= 4 and len(set(seconds)) == 1 else None


def _classify_label(label: str) -> str:
    first, second = _split_label(label)
    if _find_spelling(first) in REFERENCES:
        return N_("reference")
    if _find_spelling(first) and second:
        return N_("bipolar")
    return next((kind for kind, words in _KINDS if re.search(words, label, re.IGNORECASE)), N_("other"))


def drop_bad_channels(source: Source, bad: Collection[str]) -> Source:
    """Return the source without the channels marked as bad, with a note that names these electrodes."""
    marked = {label.strip().casefold() for label in bad}
    kept = [row for row, label in enumerate(source.labels) if label.strip().casefold() not in marked]
    if len(kept) == len(source.labels):
        return source
    names = {standard_name(label) for row, label in enumerate(source.labels) if row not in kept} - {None}
    note = (
        (N_("Marked as bad in the file, and left out: {names}.", names=tuple(sorted(filter(None, names)))),)
        if names
        else ()
    )
    return replace(
        source,
        labels=[source.labels[row] for row in kept],
        load=lambda rows, seconds: source.load([kept[row] for row in rows], seconds),
        notes=(*source.notes, *note),
    )


@dataclass(frozen=True)
class Cap:
    """A montage's title, and the 10-10 names of its electrodes (labels in capitals)."""

    title: str
    names: Mapping[str, str]


UNKNOWN = Cap("", {})
"""Returned where so many electrodes are missing that the montage cannot be known."""

MOST_OF = 0.75
"""With a smaller share of a montage's electrodes it could as well be another montage."""

_FEWEST = 8
_TEN_TEN_LIKE = re.compile(r"A[12]|C[1-6]|F(?:[1-9]|10)")
"""Names of the 10-10 system that are one letter of BioSemi's and a number, too."""


def recognise_cap(labels: Sequence[str]) -> Cap | None:
    """Return the montage to which numbered electrodes belong, None if they are not numbered, or ``UNKNOWN``.

    BioSemi's ``A1`` is the first electrode, and no ear. Some electrodes may have been taken out. Numbers and letters
    that the 10-20 system does not have (``A7``, ``C20``, ``E5``) show that the labels are numbers: then ``C3`` and
    ``F4`` are numbers too, and not the places of that name.
    """
    return _recognise_biosemi(labels) or _recognise_egi(labels)


def _recognise_biosemi(labels: Sequence[str]) -> Cap | None:
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
    return Cap(
        N_("a BioSemi cap of {count}", count=count), {own[name]: names[name] for name in present if name in names}
    )


def _recognise_egi(labels: Sequence[str]) -> Cap | None:
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
    return Cap(N_("an EGI HydroCel net of {count}", count=count), {**known, "CZ": "Cz", "VREF": "Cz"})


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
    return _match_nearest(cosines, free, labels)


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
    return named | _match_nearest(np.array([standard[name] for name in free]) @ there.T, free, labels)


def _match_nearest(cosines: npt.NDArray[np.float64], places: Sequence[str], labels: Sequence[str]) -> dict[str, str]:
    """Match places and electrodes, the nearest pairs first; return each matched electrode's place.

    Args:
        cosines: of the angles between places and electrodes, shape (places, electrodes).
        places: names of the places.
        labels: of the electrodes.
    """
    angles = np.degrees(np.arccos(np.clip(cosines, -1, 1)))
    named: dict[str, str] = {}
    for flat in np.argsort(angles, axis=None, kind="stable"):
        place, label = divmod(int(flat), len(labels))
        if angles[place, label] <= NEAR_DEGREES and labels[label] not in named and places[place] not in named.values():
            named[labels[label]] = places[place]
    return named
