"""Labelled recordings as stretches of EEG text: read, cleaned, cut and encoded as in use.

Each file is cleaned whole and then cut into its trials. What is normal for a person is taken over all their trials, so
that somebody with one trial only has no baseline. What is normal for other people, and the nine probabilities, come
from the decoder that is given: it has to be one that was not fitted on these people.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt

from convert.progress import each
from copilot.eeg import sandbox
from copilot.eeg.classifier import WINDOW, Classifier
from copilot.eeg.features import Array, Normal, differential_entropy, electrode_channels, person_normal
from copilot.eeg.sandbox import Prepared
from copilot.eeg.types import MIN_CHANNELS, Recording, RecordingError
from copilot.person import Person
from copilot.pipeline import encode
from copilot.training import splits
from copilot.training.dataset.schema import LabelledSegment

#: Wider than for the web app: an experiment is one long file, and who runs this chose it.
MAX_MB, MAX_MINUTES, TIMEOUT_S, MEMORY_MB = 4096, 180, 3600, 16384


@dataclass(frozen=True)
class LabelledInterval:
    """A part of a recording that somebody labelled.

    Attributes:
        files: of the one recording.
        subject: whose it is.
        clip: which film, or which part of which recording.
        emotion: index of the label.
        start, stop: seconds from the recording's beginning; None for its end.
        person: what is known of the subject.
        sampling_hz: samples a second as recorded, where that is known.
    """

    files: tuple[Path, ...]
    subject: str
    clip: str
    emotion: int
    start: float = 0.0
    stop: float | None = None
    person: Person = field(default_factory=Person)
    sampling_hz: float | None = None


@dataclass(frozen=True)
class LeftOutRecording:
    """A recording, or a part of one, that cannot be used, and why."""

    clip: str
    reason: str


@dataclass(frozen=True)
class LabelledTrial:
    """A labelled part of a recording, cut out of the cleaned signal; ``entropy`` has shape (30, seconds, 5)."""

    label: LabelledInterval
    recording: Recording
    entropy: Array


def make_segments(
    labelled: Sequence[LabelledInterval], codec: str, classifier: Classifier, left_out: list[LeftOutRecording]
) -> Iterator[LabelledSegment]:
    """Windows of ten seconds and whole trials, compared with the person's own normal and with other people's.

    Args:
        labelled: in any order; they are taken person by person, and each file is read once.
        codec: any of ``copilot.eeg.text_encoding``.
        decoder: fitted on other people.
        left_out: what could not be used is added to it; the rest goes on.
    """
    in_order = sorted(labelled, key=lambda one: (one.subject, one.files, one.start))
    files = [list(parts) for _, parts in groupby(in_order, key=lambda one: (one.subject, one.files))]
    trials = (trial for parts in each(files, "Recordings") for trial in _cut_trials(parts, left_out))
    for _, own in groupby(trials, key=lambda trial: trial.label.subject):
        yield from _make_person_segments(list(own), codec, classifier)


def _cut_trials(parts: Sequence[LabelledInterval], left_out: list[LeftOutRecording]) -> Iterator[LabelledTrial]:
    """The trials of one recording."""
    try:
        prepared = _prepare(parts[0].files)
    except RecordingError as error:
        left_out.append(LeftOutRecording(parts[0].files[0].name, str(error)))
        return
    for label in parts:
        try:
            yield _cut_trial(prepared, label)
        except RecordingError as error:
            left_out.append(LeftOutRecording(label.clip, str(error)))


def _prepare(files: Sequence[Path]) -> Prepared:
    """Read and clean one recording, as the product does."""
    *_, prepared = sandbox.prepare(
        files, max_mb=MAX_MB, max_minutes=MAX_MINUTES, timeout_s=TIMEOUT_S, memory_mb=MEMORY_MB
    )
    assert isinstance(prepared, Prepared)
    if len(electrode_channels(prepared.cleaned.channels)) < MIN_CHANNELS:
        raise RecordingError(f"Fewer than {MIN_CHANNELS} of the electrodes that the models know are in it.")
    return prepared


def _cut_trial(prepared: Prepared, label: LabelledInterval) -> LabelledTrial:
    cleaned = prepared.cleaned
    stop = cleaned.seconds if label.stop is None else label.stop
    samples = slice(*(round(second * cleaned.sfreq) for second in (label.start, stop)))
    part = replace(cleaned, data=cleaned.data[:, samples].copy())  # a view would keep the whole recording
    if part.seconds < WINDOW:
        raise RecordingError(f"It lasts {part.seconds:.1f} s; at least {WINDOW} s are needed.")
    entropy = differential_entropy(part, _find_usable_seconds(prepared.quality.clean, label.start, int(part.seconds)))
    if not any(_find_spans(entropy)):
        raise RecordingError(f"No {WINDOW} s of it are usable one after the other.")
    return LabelledTrial(label, part, entropy)


def _find_usable_seconds(clean: npt.NDArray[np.bool_], start: float, seconds: int) -> npt.NDArray[np.bool_]:
    """Whether each second from ``start`` on is: both of the recording's whole seconds that it overlaps have to be."""
    begins = start + np.arange(seconds)
    known = np.append(clean, clean[-1:])  # a trial may end in the recording's last, broken second
    usable = [known[np.minimum(second.astype(int), len(clean))] for second in (np.floor(begins), np.ceil(begins))]
    both: npt.NDArray[np.bool_] = usable[0] & usable[1]
    return both


def _find_spans(entropy: Array) -> list[tuple[int, int]]:
    """Windows of ten usable seconds one after the other, and the whole where that is more than one window."""
    usable = np.atleast_1d(np.isfinite(entropy).any(axis=(0, 2)))
    seconds = len(usable)
    starts = range(0, seconds - WINDOW + 1, WINDOW)
    windows = [(start, start + WINDOW) for start in starts if usable[start : start + WINDOW].all()]
    whole = [(0, seconds)] if seconds >= 2 * WINDOW and usable.sum() >= WINDOW else []
    return windows + whole


def _make_person_segments(
    trials: Sequence[LabelledTrial], codec: str, classifier: Classifier
) -> Iterator[LabelledSegment]:
    normals = [person_normal([trial.entropy for trial in trials])] if len(trials) > 1 else []
    for trial in trials:
        others = [other.recording for other in trials if other is not trial]
        for span in _find_spans(trial.entropy):
            for normal in (*normals, classifier.population):
                baselines = others if normal.source == "person" else ()
                yield _make_segment(trial, span, normal, codec, classifier, baselines)


def _make_segment(
    trial: LabelledTrial,
    span: tuple[int, int],
    normal: Normal,
    codec: str,
    classifier: Classifier,
    baselines: Sequence[Recording],
) -> LabelledSegment:
    recording, label = trial.recording, trial.label
    samples = slice(*(round(second * recording.sfreq) for second in span))
    part = replace(recording, data=recording.data[:, samples])
    eeg = encode(trial.entropy[:, slice(*span)], normal, classifier, codec, recording=part, baselines=baselines)
    assert eeg.evidence is not None
    return LabelledSegment(
        subject=label.subject,
        clip=label.clip,
        span=span,
        emotion=label.emotion,
        person=label.person,
        split=splits.assign_other_subject(label.subject),
        sampling_hz=label.sampling_hz,
        eeg_texts=eeg.texts,
        compared_with=eeg.compared_with,
        probabilities=eeg.evidence,
    )
