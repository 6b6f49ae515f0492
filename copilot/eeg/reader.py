"""Read any EEG file into a ``Recording`` (see ``read``)."""

import logging
import math
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from copilot.eeg import electrodes, units
from copilot.eeg.formats import detect
from copilot.eeg.recording_files import unpack_files
from copilot.eeg.types import (
    MIN_CHANNELS,
    MIN_SECONDS,
    SFREQ_HZ,
    DamagedFileError,
    Recording,
    RecordingError,
    Source,
)
from copilot.i18n import N_, messages

#: Where our own code is.
PACKAGE = Path(__file__).resolve().parents[1]

FILE_DAMAGED = N_("The file is damaged, cut short or of a kind that is not read; export it again, best as EDF.")
RATES_DIFFER = N_(
    "The file states {stated:g} samples a second, and {given:g} were given; leave the rate out, or correct the file."
)
NAMES_DIFFER = N_(
    "Electrode {number} is {stated} in the file and {given} in the names given; leave the names out, or correct the "
    "file."
)
NAMES_COUNT = N_(
    "The file names {stated} electrodes, and {given} names were given; leave the names out, or correct the file."
)
RATE_OUT_OF_RANGE = N_(
    "The sampling rate is {rate:g} Hz; from {low:.0f} to {high:.0f} Hz can be used, so check the rate or export the "
    "recording again."
)
TOO_FEW_ELECTRODES = N_(
    "The file has {found} whose place on the scalp is known{left_out}; at least {least} are needed, named as in the "
    "10-20 system and recorded against one reference."
)
CAP_UNKNOWN = N_(
    "The electrodes are numbered as on a cap, and too many are missing to know which one; call them by their names in "
    "the 10-20 system."
)

log = logging.getLogger(__name__)


def read(
    paths: Sequence[Path],
    *,
    sfreq: float | None = None,
    channels: Sequence[str] | None = None,
    trial: int | None = None,
    max_mb: int = 200,
    max_minutes: int = 30,
) -> Recording:
    """Read one recording: EEG channels only, standard names, microvolts; nothing of the person who was recorded.

    Names, birth dates, free text, file names and dates are not read; of annotations only sleep stages are. Files are
    untrusted: reading runs no code of theirs and opens nothing but them, but can take long or much memory, so the app
    reads in a child process (``copilot.eeg.sandbox``).

    Args:
        paths: one file, the files of one recording together, or one .zip of these.
        sfreq: samples per second, Hz, for tables and arrays that do not state it.
        channels: names in order, for tables and arrays that do not state them.
        trial: which trial is the recording, for arrays with several, counted from 1.
        max_mb: the largest recording accepted, all its files together, unpacked.
        max_minutes: the longest stretch that is read, from the start.

    Raises:
        RecordingError: the recording cannot be used.
    """
    _check_rate(sfreq)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # warnings of readers are written for programmers
        try:
            with unpack_files(paths, max_mb) as files:
                source = detect.open_source(files, sfreq, channels, trial)
                return _make_recording(source, max_minutes, sfreq, channels)
        except RecordingError:
            raise
        except MemoryError as error:
            raise RecordingError(messages.TOO_MUCH_MEMORY) from error
        except DamagedFileError as error:
            raise RecordingError(FILE_DAMAGED) from error
        except Exception as error:  # libraries stumble over damaged files in many ways
            place = traceback.extract_tb(error.__traceback__)[-1]
            if Path(place.filename).is_relative_to(PACKAGE):  # our own code must not: this is a fault of the program
                log.error("%s at %s:%s", type(error).__name__, place.filename, place.lineno)
            raise RecordingError(FILE_DAMAGED) from error


def _make_recording(
    source: Source, max_minutes: int, given_sfreq: float | None, given_names: Sequence[str] | None
) -> Recording:
    found = electrodes.find_electrodes(source.labels)
    if len(found.rows) < MIN_CHANNELS:
        if electrodes.recognise_cap([label.strip().upper() for label in source.labels]) is electrodes.UNKNOWN:
            raise RecordingError(CAP_UNKNOWN)
        raise RecordingError(_describe_too_few(len(found.rows), found.left_out))
    data, sfreq, seconds = source.load(found.rows, max_minutes * 60)
    _check_rate(sfreq)
    if data.shape[1] < MIN_SECONDS * sfreq:
        seconds = math.floor(data.shape[1] / sfreq * 10) / 10  # 9.96 s are not 10.0 s
        raise RecordingError(
            N_(
                "The recording lasts {seconds:.1f} s; at least {least} s are needed, and two minutes are better.",
                seconds=seconds,
                least=MIN_SECONDS,
            )
        )
    _check_against_file(found.names, sfreq, given_names, given_sfreq)
    there = units.find_recorded(data)
    names = tuple(name for name, some in zip(found.names, there, strict=True) if some)
    if len(names) < MIN_CHANNELS:
        raise RecordingError(_describe_too_few(len(names), found.left_out))
    nothing = tuple(name for name in found.names if name not in names)
    data, gaps = units.fill_gaps(data[there])
    data, scaled = units.to_microvolts(data, sfreq, source.unit_stated)
    left_out = [N_("Left out, because they hold no values: {names}.", names=nothing)] if nothing else []
    notes = [*source.notes, *found.notes, *left_out, *gaps, *scaled]
    if source.rate_from != messages.RATE_STATED:
        notes.append(
            N_("The sampling rate as read is {rate:g} Hz, {origin}.", rate=float(sfreq), origin=source.rate_from)
        )
    if seconds > max_minutes * 60 + 1:
        notes.append(
            N_("Only the first {most} of {minutes:.0f} minutes were read.", most=max_minutes, minutes=seconds / 60)
        )
    return Recording(
        np.ascontiguousarray(data, dtype=np.float32),
        float(sfreq),
        names,
        source.kind,
        tuple(notes),
        rate_read=float(sfreq),
        rate_from=source.rate_from,
        stages=source.stages,
    )


def _check_against_file(
    names: tuple[str, ...], sfreq: float, given_names: Sequence[str] | None, given_sfreq: float | None
) -> None:
    """Refuse values from the user that differ from those in the file: one of them is wrong."""
    if given_sfreq is not None and abs(sfreq - given_sfreq) > 0.01 * given_sfreq:
        raise RecordingError(N_(RATES_DIFFER, stated=sfreq, given=given_sfreq))
    given = electrodes.find_electrodes(given_names or ()).names
    if not given or given == names:
        return
    if len(given) != len(names):
        raise RecordingError(N_(NAMES_COUNT, stated=len(names), given=len(given)))
    place = next(i for i, pair in enumerate(zip(names, given, strict=True)) if pair[0] != pair[1])
    raise RecordingError(N_(NAMES_DIFFER, number=place + 1, stated=names[place], given=given[place]))


def _check_rate(sfreq: float | None) -> None:
    if sfreq is not None and not SFREQ_HZ[0] <= sfreq <= SFREQ_HZ[1]:
        raise RecordingError(N_(RATE_OUT_OF_RANGE, rate=sfreq, low=SFREQ_HZ[0], high=SFREQ_HZ[1]))


def _describe_too_few(count: int, left_out: tuple[str, ...]) -> str:
    found = (N_("no EEG channels"), N_("only one EEG channel"))[count] if count < 2 else N_("only {count} EEG channels")
    return N_(
        TOO_FEW_ELECTRODES,
        found=N_(found, count=count),
        left_out=N_(" (left out, because they are not single scalp electrodes: {kinds})", kinds=left_out)
        if left_out
        else "",
        least=MIN_CHANNELS,
    )
