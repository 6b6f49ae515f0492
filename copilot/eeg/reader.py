"""Read any EEG file into a ``Recording`` (see ``read``)."""

import math
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from copilot.eeg import channel_names, numbered_montages, units
from copilot.eeg.formats import detect, unpack
from copilot.eeg.types import MIN_CHANNELS, MIN_SECONDS, SFREQ_HZ, Recording, RecordingError, Source
from copilot.i18n import english, sentence


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

    Names, birth dates, free text, annotations, file names and dates are not read. Files are untrusted: reading runs no
    code of theirs and opens nothing but them, but can take long or much memory, so the app reads in a child process
    (``copilot.eeg.sandbox``).

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
            with unpack.unpack_files(paths, max_mb) as files:
                source = detect.open_source(files, sfreq, channels, trial)
                return _make_recording(source, max_minutes, sfreq, channels)
        except RecordingError:
            raise
        except MemoryError as error:
            raise RecordingError(sentence(english.TOO_MUCH_MEMORY)) from error
        except Exception as error:  # whatever fails in a reader, the user needs one sentence
            raise RecordingError(sentence(english.FILE_DAMAGED)) from error


def _make_recording(
    source: Source,
    max_minutes: int,
    given_sfreq: float | None,
    given_names: Sequence[str] | None,
) -> Recording:
    electrodes = channel_names.find_electrodes(source.labels)
    if len(electrodes.rows) < MIN_CHANNELS:
        if (
            numbered_montages.recognise_montage([label.strip().upper() for label in source.labels])
            is numbered_montages.UNKNOWN
        ):
            raise RecordingError(sentence(english.CAP_UNKNOWN))
        raise RecordingError(_describe_too_few(len(electrodes.rows), electrodes.left_out))
    data, sfreq, seconds = source.load(electrodes.rows, max_minutes * 60)
    _check_rate(sfreq)
    if data.shape[1] < MIN_SECONDS * sfreq:
        seconds = math.floor(data.shape[1] / sfreq * 10) / 10  # 9.96 s are not 10.0 s
        raise RecordingError(sentence(english.TOO_SHORT, seconds=seconds, least=MIN_SECONDS))
    _check_against_file(electrodes.names, sfreq, given_names, given_sfreq)
    there = units.find_recorded(data)
    names = tuple(name for name, some in zip(electrodes.names, there, strict=True) if some)
    if len(names) < MIN_CHANNELS:
        raise RecordingError(_describe_too_few(len(names), electrodes.left_out))
    nothing = tuple(name for name in electrodes.names if name not in names)
    data, gaps = units.fill_gaps(data[there])
    data, scaled = units.to_microvolts(data, sfreq, source.unit_stated)
    left_out = [sentence(english.NOTE_NO_VALUES, names=nothing)] if nothing else []
    notes = [*source.notes, *electrodes.notes, *left_out, *gaps, *scaled]
    if source.rate_from != english.RATE_STATED:
        notes.append(sentence(english.NOTE_RATE, rate=float(sfreq), origin=source.rate_from))
    if seconds > max_minutes * 60 + 1:
        notes.append(sentence(english.NOTE_MINUTES, most=max_minutes, minutes=seconds / 60))
    return Recording(
        np.ascontiguousarray(data, dtype=np.float32),
        float(sfreq),
        names,
        source.kind,
        tuple(notes),
        rate_read=float(sfreq),
        rate_from=source.rate_from,
    )


def _check_against_file(
    names: tuple[str, ...], sfreq: float, given_names: Sequence[str] | None, given_sfreq: float | None
) -> None:
    """Refuse values from the user that differ from those in the file: one of them is wrong."""
    if given_sfreq is not None and abs(sfreq - given_sfreq) > 0.01 * given_sfreq:
        raise RecordingError(sentence(english.RATES_DIFFER, stated=sfreq, given=given_sfreq))
    given = channel_names.find_electrodes(given_names or ()).names
    if not given or given == names:
        return
    if len(given) != len(names):
        raise RecordingError(sentence(english.NAMES_COUNT, stated=len(names), given=len(given)))
    place = next(i for i, pair in enumerate(zip(names, given, strict=True)) if pair[0] != pair[1])
    raise RecordingError(sentence(english.NAMES_DIFFER, number=place + 1, stated=names[place], given=given[place]))


def _check_rate(sfreq: float | None) -> None:
    if sfreq is not None and not SFREQ_HZ[0] <= sfreq <= SFREQ_HZ[1]:
        raise RecordingError(sentence(english.RATE_OUT_OF_RANGE, rate=sfreq, low=SFREQ_HZ[0], high=SFREQ_HZ[1]))


def _describe_too_few(count: int, left_out: tuple[str, ...]) -> str:
    found = (english.NO_ELECTRODES, english.ONE_ELECTRODE)[count] if count < 2 else english.FEW_ELECTRODES
    return sentence(
        english.TOO_FEW_ELECTRODES,
        found=sentence(found, count=count),
        left_out=sentence(english.LEFT_OUT_ASIDE, kinds=left_out) if left_out else "",
        least=MIN_CHANNELS,
    )
