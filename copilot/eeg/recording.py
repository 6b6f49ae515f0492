"""Read any EEG file into a ``Recording`` (see ``read``)."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

MIN_SECONDS = 10
MIN_CHANNELS = 4
SFREQ_HZ = (100.0, 20000.0)
"""Below, there is nothing left of the bands up to 47 Hz."""


class RecordingError(ValueError):
    """A file cannot be used; the message is one plain sentence that says what is wrong and what to do."""


@dataclass(frozen=True)
class Recording:
    """EEG as it passes through the house.

    Attributes:
        data: float32, shape (channels, samples), in microvolts.
        sfreq: samples a second, Hz.
        channels: standard 10-20/10-10 names (``Fp1``, ``T7``), one a row of ``data``, no duplicates.
        source: what kind of file it came from (``EDF``), never its name or path.
        notes: what was found and done, plain sentences, in order.
    """

    data: npt.NDArray[np.float32]
    sfreq: float
    channels: tuple[str, ...]
    source: str
    notes: tuple[str, ...] = field(default=())

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return int(self.data.shape[1]) / self.sfreq

    def noted(self, *sentences: str) -> "Recording":
        """The same recording with more notes."""
        return replace(self, notes=self.notes + sentences)


def read(
    paths: Sequence[Path],
    *,
    sfreq: float | None = None,
    channels: Sequence[str] | None = None,
    max_mb: int = 200,
    max_minutes: int = 30,
) -> Recording:
    """Read one recording: EEG channels only, standard names, microvolts; nothing of the person who was recorded.

    Names, birth dates, free text, annotations, file names and dates stay behind. Files are untrusted: reading runs no
    code of theirs and opens nothing but them, but can take long or much memory, so the app reads in a child process
    (``copilot.eeg.preparation``).

    Args:
        paths: one file, the files of one recording together, or one .zip of these.
        sfreq: samples a second, Hz, for tables and arrays that do not state it.
        channels: names in order, for tables and arrays that do not state them.
        max_mb: the largest recording accepted, all its files together, unpacked.
        max_minutes: the longest stretch that is read, from the start.

    Raises:
        RecordingError: the recording cannot be used.
    """
    from copilot.eeg import formats, staging  # they need the types above, and mne, which takes a second

    _check_rate(sfreq)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # readers warn about headers in words for programmers
        try:
            with staging.staged(paths, max_mb) as files:
                return _recording(formats.open_source(files, sfreq, channels), max_minutes)
        except RecordingError:
            raise
        except MemoryError as error:
            message = "The recording needs more memory than is allowed; cut out the part that matters."
            raise RecordingError(message) from error
        except Exception as error:  # whatever a reader stumbles over, the person needs one sentence
            raise RecordingError(
                "The file is damaged, cut short or of a kind that is not read; export it again, best as EDF."
            ) from error


def _recording(source: "formats.Source", max_minutes: int) -> Recording:  # type: ignore[name-defined]  # noqa: F821
    from copilot.eeg import montage, units

    electrodes = montage.find_electrodes(source.labels)
    if len(electrodes.rows) < MIN_CHANNELS:
        raise RecordingError(_too_few(len(electrodes.rows), electrodes.notes))
    data, sfreq, seconds = source.load(electrodes.rows, max_minutes * 60)
    _check_rate(sfreq)
    if data.shape[1] < MIN_SECONDS * sfreq:
        raise RecordingError(
            f"The recording lasts {data.shape[1] / sfreq:.1f} s; at least {MIN_SECONDS} s are needed, and two minutes "
            "are better."
        )
    data, gaps = units.fill_gaps(data)
    data, scaled = units.to_microvolts(data, sfreq, source.unit_stated)
    notes = [*source.notes, *electrodes.notes, *gaps, *scaled]
    if seconds > max_minutes * 60 + 1:
        notes.append(f"Only the first {max_minutes} of {seconds / 60:.0f} minutes were read.")
    return Recording(
        np.ascontiguousarray(data, dtype=np.float32), float(sfreq), electrodes.names, source.kind, tuple(notes)
    )


def _check_rate(sfreq: float | None) -> None:
    if sfreq is not None and not SFREQ_HZ[0] <= sfreq <= SFREQ_HZ[1]:
        raise RecordingError(
            f"The sampling rate is {sfreq:g} Hz; from {SFREQ_HZ[0]:.0f} to {SFREQ_HZ[1]:.0f} Hz can be used, "
            "so check the rate or export the recording again."
        )


def _too_few(count: int, notes: Sequence[str]) -> str:
    left_out = "".join(f" ({note[0].lower()}{note[1:-1]})" for note in notes if note.startswith("Left out"))
    found = f"only {count} EEG channels" if count > 1 else "only one EEG channel" if count else "no EEG channels"
    return (
        f"The file has {found} whose place on the scalp is known{left_out}; at least {MIN_CHANNELS} are needed, "
        "named as in the 10-20 system and recorded against one reference."
    )
