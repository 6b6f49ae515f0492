"""Find the channels of a file that are electrodes on the scalp, and their standard names (see ``find_electrodes``)."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache

from copilot.eeg import numbered_montages
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
    cap = numbered_montages.recognise_montage([_normalise_label(label) for label in labels])
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
    rows, names = _drop_repeated(found, notes)
    if left_out := _count_left_out([label for label, name in zip(labels, found, strict=True) if name is None]):
        notes.append(N_("Left out, because they are not single scalp electrodes: {kinds}.", kinds=left_out))
    return Electrodes(tuple(rows), tuple(names), tuple(notes), left_out)


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
    return {name.upper(): name for name in numbered_montages.compute_directions(numbered_montages.STANDARD)}


def _find_shared_reference(labels: Sequence[str]) -> str | None:
    """Return the electrode that every derivation ends in, or None.

    Four or more with the same end share a reference; they are not a bipolar chain.
    """
    seconds = [
        _find_spelling(second) for first, second in map(_split_label, labels) if second and _find_spelling(first)
    ]
    seconds = [name for name in seconds if name and name not in REFERENCES]
    return seconds[0] if len(seconds) >= 4 and len(set(seconds)) == 1 else None


def _drop_repeated(found: Sequence[str | None], notes: list[str]) -> tuple[list[int], list[str]]:
    rows: list[int] = []
    names: list[str] = []
    repeated: set[str] = set()
    for row, name in enumerate(found):
        if name is None:
            continue
        if name in names:
            repeated.add(name)
        else:
            rows.append(row)
            names.append(name)
    if repeated:
        notes.append(
            N_("More than one channel is called {names}; the first of each is used.", names=tuple(sorted(repeated)))
        )
    return rows, names


def _count_left_out(labels: Sequence[str]) -> tuple[str, ...]:
    counts = Counter(map(_classify_label, labels))
    return tuple(N_(messages.COUNTED, count=count, kind=kind) for kind, count in counts.items())


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
