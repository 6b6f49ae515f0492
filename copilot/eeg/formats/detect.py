"""Find out which of the given files is the recording, and of what kind, by its first bytes (see ``open_source``).

A kind that is read has an entry in ``_KINDS`` or a line in ``recognise_file``; ``_NOT_READ``, ``_MAKERS`` and
``_MAKERS_BY_SUFFIX`` name others, so that the message can name them too.
"""

import re
import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from copilot.eeg import electrodes
from copilot.eeg.formats import arrays, brainvision, edf, matlab, mne_formats, text_tables
from copilot.eeg.types import RecordingError, SleepStage, Source
from copilot.i18n import N_, messages

FILE_KINDS = N_(
    "Give EDF, BDF, GDF, BrainVision, EEGLAB, FIF, Neuroscan CNT, EGI, CSV, OpenBCI, Muse, NumPy or MATLAB files."
)
FILE_NOT_READ = N_("This is {what}. {kinds}")
FILE_PICTURE = N_("a picture")
FILE_FOREIGN = N_("a file of {maker}, which has to be exported as EDF or BrainVision first")
FILE_OTHER_THAN_NAMED = N_(
    "The file is named {suffix} but does not begin like {kind}: it is damaged, cut short or of another kind; get the "
    "original again."
)
FILE_TEXT_MODE = N_(
    "The file was damaged on its way, by a transfer that changes line ends as if it were text; get the original again, "
    "in binary mode."
)


_KINDS = {
    b"\xffBIOSEMI": "BDF",
    b"GDF ": "GDF",
    b"\x93NUMPY": "NumPy",
    b"MATLAB 5.0": "MATLAB",
    b"Version 3.0": "CNT",
    b"\x00\x00\x00\x64\x00\x00\x00\x1f": "FIF",
    b"PK": "NumPy",
}
_NOT_READ = {
    b"%PDF": N_("a PDF document"),
    b"\xff\xd8\xff": FILE_PICTURE,
    b"\x89PNG": FILE_PICTURE,
    b"GIF8": FILE_PICTURE,
    b"\x1f\x8b": N_("a gzip archive, which has to be unpacked first"),
    b"7z\xbc\xaf": N_("a 7z archive, which has to be unpacked first"),
    b"Rar!": N_("a RAR archive, which has to be unpacked first"),
    b"XDF:": N_("an XDF stream file, which has to be exported as EDF first"),
    b"\x89HDF": N_("an HDF5 file, which has to be saved as EDF or with MATLAB's save -v7 first"),
    b"MATLAB 7.3": N_("a MATLAB 7.3 file, which has to be saved with MATLAB's save -v7 first"),
    b"RIFF": N_("a sound, film or ANT eego file, which has to be exported as EDF first"),
}
_MAKERS: tuple[tuple[bytes, str], ...] = (
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
_MAKERS_BY_SUFFIX = {
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
_SIDECARS = {".eeg", ".dat", ".fdt", ".vmrk", ".json", ".info"}
_NAMED = {".edf": "EDF", ".bdf": "BDF", ".gdf": "GDF", ".fif": "FIF", ".cnt": "CNT"} | {
    ".set": "EEGLAB",
    ".vhdr": "BrainVision",
}
_MNE_SUFFIXES = {"EDF": ".edf", "BDF": ".bdf", "GDF": ".gdf", "CNT": ".cnt", "EGI": ".raw"} | {
    "BrainVision": ".vhdr",
    "FIF": "_raw.fif",
}
_PICKLES = {".pkl", ".pickle", ".joblib", ".p"}
_PICKLE = re.compile(
    rb"\x80[\x02-\x05][\x8a-\x95\x63\x7d\x5d\x28\x58\x00}\]]"  # protocols 2 to 5
    rb"|[(}\]](?:[dlt]p?\d*\n|q\x00)"  # 0 and 1: a dict, a list or a tuple
    rb"|c(?:numpy|copy_reg|__builtin__|builtins|pandas|_codecs|collections|torch|mne)[\w.]*\n"
)
_WEB_PAGE = re.compile(rb"\s*<(?:!doctype|html|\?xml|head|body)", re.IGNORECASE)
_HEAD = 4096


def open_source(
    files: Sequence[Path], sfreq: float | None, channels: Sequence[str] | None, trial: int | None = None
) -> Source:
    """Find the recording among ``files`` and open it.

    Args:
        files: all that was given, alone in their folder.
        sfreq: samples per second, Hz, as the user states it.
        channels: names, as the user states them.
        trial: which trial of an array is the recording, counted from 1.

    Raises:
        RecordingError: none or several recordings, or none of a kind that is read.
    """
    if mff := {parent for path in files for parent in path.parents if parent.suffix.lower() == ".mff"}:
        return mne_formats.open_mff(_require_one(sorted(mff)))
    kinds = {path: recognise_file(path) for path in files}
    stages: tuple[SleepStage, ...] = ()
    for path in [path for path, kind in kinds.items() if kind in ("EDF", "BDF") and len(kinds) > 1]:
        if (found := edf.read_hypnogram(path, kinds[path])) is not None:  # it belongs to the recording beside it
            stages += found
            kinds[path] = "sidecar"
    mains = [path for path, kind in kinds.items() if kind not in ("sidecar", "text")]
    if len(mains) > 1 and all(kinds[path] == "FIF" for path in mains):
        return mne_formats.open_fif_parts(mains)
    if not mains:  # files of known makers would otherwise pass for a table or part of another recording
        for path in files:
            if maker := _find_maker_by_suffix(path.suffix.lower()):
                raise _make_maker_error(maker)
    texts = [path for path, kind in kinds.items() if kind == "text"]
    if len(texts) > 1:  # notes and BIDS tables beside a recording do not count
        beside = re.compile(r"channels|events|electrodes|notes|readme", re.IGNORECASE)
        texts = [path for path in texts if not beside.search(path.stem)]
    if not mains and not texts:
        suffixes = {path.suffix.lower() for path in files}
        if ".fdt" in suffixes:
            raise RecordingError(N_("The .set file that belongs to the .fdt is missing; give both together."))
        if suffixes & {".eeg", ".dat", ".vmrk"}:
            raise RecordingError(
                N_("The header file (.vhdr) is missing; give the .vhdr, .eeg and .vmrk files together.")
            )
        raise RecordingError(N_("There is no recording among these files. {kinds}", kinds=FILE_KINDS))
    path = _require_one(mains or texts)
    kind, bad = kinds[path], _read_bad_channels(files)
    if trial not in (None, 1) and kind not in ("NumPy", "MATLAB"):
        raise RecordingError(N_(messages.NO_SUCH_TRIAL, count=1))
    if kind == "NumPy":
        source = arrays.open_numpy(path, files, sfreq, channels, trial)
    elif kind == "MATLAB":
        source = matlab.open_matlab(path, files, sfreq, channels, trial)
    elif kind == "text":
        source = text_tables.open_text(path, files, sfreq, channels)
    else:
        source = _open_with_mne(path, kind, files)
    return electrodes.drop_bad_channels(replace(source, stages=source.stages or stages), bad)


def _open_with_mne(path: Path, kind: str, files: Sequence[Path]) -> Source:
    """Open a binary recording under a neutral name with the suffix that MNE expects.

    Raises:
        RecordingError: damaged, cut short or incomplete.
    """
    with path.open("rb") as file:
        content = file.read(2**22)
    feeds = content.count(b"\n")
    if feeds >= 64 and content.count(b"\r\n") == feeds and b"\0" in content:
        raise RecordingError(FILE_TEXT_MODE)
    path = path.rename(path.with_name(f"recording{_MNE_SUFFIXES[kind]}"))
    try:
        if kind in ("EDF", "BDF"):
            return edf.open_edf(path, kind)
        if kind == "BrainVision":
            return brainvision.open_brainvision(path, [file for file in files if file.suffix.lower() != ".vhdr"])
        if kind == "FIF":
            return mne_formats.open_fif(path)
        return mne_formats.open_plain(path, kind)
    except (RecordingError, MemoryError):
        raise
    except Exception as error:
        raise RecordingError(N_(messages.KIND_DAMAGED, kind=kind)) from error


def _read_bad_channels(files: Sequence[Path]) -> set[str]:
    """Return the channels that a BIDS ``channels.tsv`` beside the recording marks as bad."""
    bad = set()
    for path in files:
        if path.name.lower().endswith("channels.tsv"):
            lines = [line.split("\t") for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines()]
            if lines and {"name", "status"} <= set(lines[0]):
                name, status = lines[0].index("name"), lines[0].index("status")
                long = [line for line in lines[1:] if len(line) > max(name, status)]
                bad |= {line[name] for line in long if line[status].strip().lower() == "bad"}
    return bad


def recognise_file(path: Path) -> str:
    """Return the kind of a file: a kind that is read, ``text``, or ``sidecar`` (belongs to another file).

    Raises:
        RecordingError: of a kind that is not read, or another one than its name states.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    suffix = path.suffix.lower()

    # What is not read, or belongs to another file.
    if suffix in _PICKLES or _PICKLE.match(head):
        raise RecordingError(
            N_("Python pickles can run code and are never opened; save the array as .npz with np.savez.")
        )
    if suffix in (".eeg", ".avg") and head.startswith(b"Version 3.0"):
        raise _make_maker_error("Neuroscan epochs")
    for start, maker in _MAKERS:
        if re.match(start, head.removeprefix(b"\xef\xbb\xbf")):
            raise _make_maker_error(maker)
    if suffix in _SIDECARS:
        return "sidecar"
    for start, what in _NOT_READ.items():
        if head.startswith(start):
            raise _make_not_read_error(what)
    if _WEB_PAGE.match(head):
        raise RecordingError(N_("This is a web page or XML, not a recording; download the recording itself."))

    for start, kind in _KINDS.items():
        if head.startswith(start):
            return kind
    if re.match(rb"0 {7}", head) and len(head) >= 256:
        return "EDF"
    if re.match(rb"(\xef\xbb\xbf)?Brain ?Vision( Core| V-Amp)? Data( Exchange)? Header File", head):
        return "BrainVision"
    if suffix == ".mat" and _is_matlab_4(head):
        return "MATLAB"
    if suffix == ".raw" and re.match(rb"\x00\x00\x00[\x02-\x07]", head):
        return "EGI"
    if suffix in _NAMED:
        raise RecordingError(N_(FILE_OTHER_THAN_NAMED, suffix=suffix, kind=_NAMED[suffix]))
    if suffix == ".lay" and b"[fileinfo]" in head.lower():
        raise _make_not_read_error(
            N_("a Persyst layout (.lay) without a signal that is read; export the recording as EDF from Persyst")
        )
    if suffix == ".hea" or re.match(rb"(#.*\n)*\S+ \d+ [\d.]+(/\S+)? \d+[^,;\t]*\r?\n\S+\.dat ", head):
        raise _make_not_read_error(
            N_("a PhysioNet WFDB header (.hea), whose signal is not read; convert it to EDF with mit2edf")
        )
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or head[1:64:2].count(0) > 24:  # UTF-16 with or without its mark
        controls = any(byte < 32 and byte not in b"\0\t\r\n" for byte in head)
    else:
        controls = any(byte < 32 and byte not in b"\t\r\n" for byte in head)
    if not controls:
        return "text"
    if named := _find_maker_by_suffix(suffix):
        raise _make_maker_error(named)
    raise RecordingError(N_("This kind of file is not read. {kinds}", kinds=FILE_KINDS))


def _make_not_read_error(what: str) -> RecordingError:
    return RecordingError(N_(FILE_NOT_READ, what=what, kinds=FILE_KINDS))


def _make_maker_error(maker: str) -> RecordingError:
    return _make_not_read_error(N_(FILE_FOREIGN, maker=maker))


def _find_maker_by_suffix(suffix: str) -> str | None:
    """Return the maker or program that names its files so, or None; another kind of file may have the same suffix."""
    return next((name for name, suffixes in _MAKERS_BY_SUFFIX.items() if suffix in suffixes.split()), None)


def _is_matlab_4(head: bytes) -> bool:
    """Return whether a file begins with a MATLAB 4 matrix: type, rows, columns, imaginary, length of its name."""
    if len(head) < 20:
        return False
    for order in "<>":
        kind, rows, columns, imaginary, name = struct.unpack(f"{order}5i", head[:20])
        machine, rest = divmod(kind, 1000)
        numbers = machine == (order == ">") and rest // 100 == 0 and rest // 10 < 6 and rest % 10 < 3
        if numbers and rows >= 0 and columns >= 0 and imaginary in (0, 1) and 1 < name <= 64:
            return head[20 : 20 + name][-1:] == b"\0"
    return False


def _require_one(candidates: Sequence[Path]) -> Path:
    if len(candidates) != 1:
        raise RecordingError(messages.SEVERAL_RECORDINGS)
    return candidates[0]
