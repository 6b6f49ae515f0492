"""Recognise files of makers whose formats are not read, so that the message can name them."""

import re

_STARTS: tuple[tuple[bytes, str], ...] = (
    (rb"EEG-[12]\d{3}|QI-403A|DAE-2100|CC-01", "Nihon Kohden"),
    (rb"\[FileInfo\]", "Persyst"),
    (rb"\* MICROMED", "Micromed"),
    (rb"[\x02\xac]\x27\x91[\xc6\xd6]", "Intan"),
    (rb"NEURAL(?:SG|CD|EV)|BRSMPGRP|BREVENTS", "Blackrock"),
    (rb"#{8} Neuralynx", "Neuralynx"),
    (rb"(?:BCI2000V=|HeaderLen=)", "BCI2000"),
    (rb"DATA FORMAT +START", "Curry"),
    (rb"PAR1", "Parquet"),
    (rb"ARROW1|FEA1", "Arrow"),
    (rb"SQLite format 3", "SQLite"),
    (rb"PLEX", "Plexon"),
    (rb"RF64", "ANT eego"),
)
_SUFFIXES = {
    "Nihon Kohden": ".21e .pnt .nkt",
    "Persyst": ".lay",
    "WFDB (PhysioNet)": ".hea .atr",
    "Micromed": ".trc",
    "Natus (Nicolet, XLTEK)": ".e .ent .erd .etc .stc .snc .vtc",
    "Curry": ".dap .rs3 .cdt .dpa .dpo",
    "Compumedics": ".sdy .rda .eab",
    "Stellate Harmonie": ".sig .sts",
    "BESA": ".avr .mul .besa .foc",
    "Neuroscan average": ".avg",
    "Neuralynx": ".ncs .nev .nse",
    "Intan": ".rhd .rhs",
    "Cadwell": ".ez3 .arc .eas",
    "BIOPAC": ".acq",
    "Neuroelectrics": ".nedf",
    "Embla": ".ebm",
    "MEF": ".mefd .mef",
    "Muse (binary)": ".muse",
}


def find_maker_by_start(head: bytes, suffix: str) -> str | None:
    """Return the maker or program that begins its files with these bytes, or None."""
    if suffix in (".eeg", ".avg") and head.startswith(b"Version 3.0"):
        return "Neuroscan epochs"
    return next((name for start, name in _STARTS if re.match(start, head.removeprefix(b"\xef\xbb\xbf"))), None)


def find_maker_by_suffix(suffix: str) -> str | None:
    """Return the maker or program that names its files so, or None; another kind of file may have the same suffix."""
    return next((name for name, suffixes in _SUFFIXES.items() if suffix in suffixes.split()), None)
