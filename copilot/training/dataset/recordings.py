"""Turn labelled recordings into segments of EEG text: read, clean, cut and encode them as in use.

Each file is cleaned whole and then cut into its trials. A person's normal is computed over all their trials, so that a
person with only one trial has no baseline. The population's normal and the nine probabilities come from the given
classifier, which must not have been fitted on these people.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, product
from pathlib import Path

import numpy as np
import numpy.typing as npt

from convert.progress import track_progress
from copilot.eeg import sandbox
from copilot.eeg.classifier import WINDOW, Classifier
from copilot.eeg.features import Array, differential_entropy, electrode_channels, person_normal
from copilot.eeg.sandbox import Prepared
from copilot.eeg.states import StateModels, find_states
from copilot.eeg.types import MIN_CHANNELS, Recording, RecordingError
from copilot.person import Person
from copilot.pipeline import encode
from copilot.prompt import list_states
from copilot.training import splits
from copilot.training.dataset.jsonl import LabelledSegment, LeftOutRecording

#: Limits are wider than in the web app: an experiment is one long file, and the user of this command chose it.
MAX_MB, MAX_MINUTES, TIMEOUT_S, MEMORY_MB = 4096, 180, 3600, 16384


@dataclass(frozen=True)
class LabelledInterval:
    """A labelled part of a recording.

    Attributes:
        files: files of the one recording.
        subject: name of the person.
        clip: name of the film, or of the part of the recording.
        emotion: index of the label.
        start: seconds from the recording's beginning.
        stop: seconds from the recording's beginning, or None for its end.
        person: what is known of the subject.
        sampling_hz: original sampling rate in Hz, or None where it is unknown.
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
class LabelledTrial:
    """A labelled part of a recording, cut out of the cleaned signal.

    Attributes:
        label: what was labelled.
        recording: the cleaned signal of this part.
        trust: the quality of the whole recording, ``good``, ``fair`` or ``poor``.
        entropy: differential entropy, shape (30, seconds, 5); NaN in seconds that are not usable.
    """

    label: LabelledInterval
    recording: Recording
    trust: str
    entropy: Array


def make_segments(
    labelled: Sequence[LabelledInterval], codec: str, classifier: Classifier, left_out: list[LeftOutRecording]
) -> Iterator[LabelledSegment]:
    """Yield windows of ten seconds and whole trials, compared with the person's own normal and with other people's.

    Args:
        labelled: intervals in any order; they are processed person by person, and each file is read once.
        codec: text encoding, any of ``copilot.eeg.text_encoding``.
        classifier: a classifier that was fitted on other people.
        left_out: recordings and intervals that cannot be used are added to this list; the others are processed.
    """
    in_order = sorted(labelled, key=lambda one: (one.subject, one.files, one.start))
    files = [list(parts) for _, parts in groupby(in_order, key=lambda one: (one.subject, one.files))]
    models = StateModels.load()
    trials = (trial for parts in track_progress(files, "Recordings") for trial in _cut_trials(parts, left_out))
    for _, of_person in groupby(trials, key=lambda trial: trial.label.subject):
        own = list(of_person)
        normals = [person_normal([trial.entropy for trial in own])] if len(own) > 1 else []
        for trial in own:
            for span, normal in product(_find_spans(trial.entropy), (*normals, classifier.population)):
                label, entropy = trial.label, trial.entropy[:, slice(*span)]
                samples = slice(*(round(second * trial.recording.sfreq) for second in span))
                recording = replace(trial.recording, data=trial.recording.data[:, samples])
                others = [other for other in own if other is not trial and normal.source == "person"]
                states = find_states(recording, trial.trust, [entropy, *(other.entropy for other in others)], models)
                eeg = encode(
                    entropy,
                    normal,
                    classifier,
                    codec,
                    recording=recording,
                    baselines=[other.recording for other in others],
                    states=list_states(states, trial.trust),
                )
                split = splits.assign_other_subject(label.subject)
                yield LabelledSegment(
                    label.subject, label.clip, span, label.emotion, label.person, split, label.sampling_hz, eeg
                )


def _cut_trials(parts: Sequence[LabelledInterval], left_out: list[LeftOutRecording]) -> Iterator[LabelledTrial]:
    """Read and clean one recording as the product does, and yield its trials."""
    try:
        *_, prepared = sandbox.prepare(
            parts[0].files, max_mb=MAX_MB, max_minutes=MAX_MINUTES, timeout_s=TIMEOUT_S, memory_mb=MEMORY_MB
        )
        assert isinstance(prepared, Prepared)
        if len(electrode_channels(prepared.cleaned.channels)) < MIN_CHANNELS:
            raise RecordingError(f"Fewer than {MIN_CHANNELS} of the electrodes that the models know are in it.")
    except RecordingError as error:
        left_out.append(LeftOutRecording(parts[0].files[0].name, str(error)))
        return
    for label in parts:
        try:
            yield _cut_trial(prepared, label)
        except RecordingError as error:
            left_out.append(LeftOutRecording(label.clip, str(error)))


def _cut_trial(prepared: Prepared, label: LabelledInterval) -> LabelledTrial:
    """Cut one labelled interval out of a cleaned recording."""
    cleaned = prepared.cleaned
    stop = cleaned.seconds if label.stop is None else label.stop
    samples = slice(*(round(second * cleaned.sfreq) for second in (label.start, stop)))
    part = replace(cleaned, data=cleaned.data[:, samples].copy(), stages=())  # a view would keep the whole recording
    if part.seconds < WINDOW:
        raise RecordingError(f"It lasts {part.seconds:.1f} s; at least {WINDOW} s are needed.")
    entropy = differential_entropy(part, _find_usable_seconds(prepared.quality.clean, label.start, int(part.seconds)))
    if not any(_find_spans(entropy)):
        raise RecordingError(f"No {WINDOW} s of it are usable one after the other.")
    return LabelledTrial(label, part, prepared.quality.trust, entropy)


def _find_usable_seconds(clean: npt.NDArray[np.bool_], start: float, seconds: int) -> npt.NDArray[np.bool_]:
    """Return whether each second from ``start`` on is usable, shape (seconds,).

    Both of the recording's whole seconds that it overlaps have to be clean.

    Args:
        clean: whether each whole second of the recording is clean, shape (recording's seconds,).
        start: seconds from the recording's beginning.
        seconds: number of seconds.
    """
    begins = start + np.arange(seconds)
    known = np.append(clean, clean[-1:])  # a trial may end in the recording's last, broken second
    usable = [known[np.minimum(second.astype(int), len(clean))] for second in (np.floor(begins), np.ceil(begins))]
    both: npt.NDArray[np.bool_] = usable[0] & usable[1]
    return both


def _find_spans(entropy: Array) -> list[tuple[int, int]]:
    """Return the windows of ten usable seconds, and the whole trial where it is longer than one window.

    Args:
        entropy: shape (30, seconds, 5), NaN in seconds that are not usable.

    Returns:
        First second, and the second behind the last, of each.
    """
    usable = np.atleast_1d(np.isfinite(entropy).any(axis=(0, 2)))
    seconds = len(usable)
    starts = range(0, seconds - WINDOW + 1, WINDOW)
    windows = [(start, start + WINDOW) for start in starts if usable[start : start + WINDOW].all()]
    whole = [(0, seconds)] if seconds >= 2 * WINDOW and usable.sum() >= WINDOW else []
    return windows + whole
