"""Interpret the spellings of units in file headers (see ``convert_to_microvolts``)."""

import re
from collections.abc import Sequence
from statistics import mode

from copilot.i18n import N_

NOTE_SOME_UNITS = N_(
    "For {count} channels the file states no unit that is known; they were taken in that of the others."
)


_MICRO = ("u", "\u00b5", "\u03bc", "micro")
_PREFIXES = {"": 1e6, "m": 1e3, "milli": 1e3, "n": 1e-3, "nano": 1e-3} | dict.fromkeys(_MICRO, 1.0)
"""Two letters look alike: the micro sign (U+00B5) and the Greek mu (U+03BC)."""
_UNIT = re.compile(r"(?i)(milli|micro|nano|[mun\u00b5\u03bc]?)[ .]?v(?:olts?)?(?:rms|/bit)?")


def convert_to_microvolts(text: str) -> float | None:
    """Return how many microvolts one of a unit is: ``uV``, ``UV``, ``uVolt``, ``mV``, ``V``; None if unknown."""
    text = text.split("\0")[0].strip(" \t[]().").replace("\u00c2", "")  # what is left of UTF-8 read as Latin-1
    text = text.replace("\u0083\u00ca", "u").replace("\u00ce\u00bc", "u")  # mu in Shift-JIS and in UTF-8
    found = _UNIT.fullmatch(text)
    if not found:
        return None
    return _PREFIXES[found[1].lower()]


def find_factors(units: Sequence[str]) -> tuple[list[float] | None, tuple[str, ...]]:
    """Return the microvolts of each channel's unit, or None if no unit is known, and notes for the reader.

    Channels that state no unit take the most frequent unit of the others.
    """
    known = [convert_to_microvolts(unit) for unit in units]
    stated = [factor for factor in known if factor is not None]
    if not stated:
        return None, (N_("The file states no units that are known."),)
    if len(stated) == len(known):
        return stated, ()
    usual = mode(stated)
    note = N_(NOTE_SOME_UNITS, count=len(known) - len(stated))
    return [usual if factor is None else factor for factor in known], (note,)
