"""Turn FACED's features into segments of EEG text: three windows of ten seconds and the whole of every clip.

Probabilities of the training people come from classifiers that were not fitted on the person, those of the held-out
people from the classifier fitted on all training people. The features contain no raw signal: only the text encodings
that read differential entropy are possible.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from convert.progress import progress_bar, track_progress
from copilot import csv_tables
from copilot.eeg.classifier import Classifier, Floats
from copilot.eeg.features import Normal
from copilot.eeg.text_encoding import FEATURE_CODECS
from copilot.emotions import Probabilities
from copilot.person import Person
from copilot.pipeline import encode
from copilot.training import fit_classifier, splits
from copilot.training.dataset.jsonl import LabelledSegment
from copilot.training.examples import SPANS
from copilot.training.faced import BAD_SUBJECTS, TRAIN_SUBJECTS, CorpusError, Faced, Trial, describe


@dataclass(frozen=True)
class SubjectInfo:
    """A subject's row of FACED's ``Recording_info.csv``: gender and age, and the sampling rate in Hz."""

    person: Person = field(default_factory=Person)
    sampling_hz: float | None = None


def read_info(path: Path) -> dict[int, SubjectInfo]:
    """Read FACED's ``Recording_info.csv`` by subject (columns ``sub``, ``Gender``, ``Age``, ``Sample_rate``).

    Raises:
        CorpusError: it is another table.
    """
    known = {}
    for row in csv_tables.read_rows(path, ("sub", "gender", "age", "sample_rate")):
        found = re.fullmatch(r"sub-?(\d{1,6})", row.get("sub", ""))
        if not found:
            raise CorpusError(f"{path}: sub is {row.get('sub', '')!r}; it is given like sub007.")
        where = f"{path.name}, {row['sub']}"
        known[int(found[1])] = SubjectInfo(
            csv_tables.parse_person(row, where), csv_tables.parse_number(row, "sample_rate", where)
        )
    return known


@dataclass(frozen=True)
class FittedClassifiers:
    """The classifier of the training people, and for each of them probabilities of classifiers fitted without them.

    Attributes:
        classifier: fitted on all of them.
        rows: subject -> row in ``cross_fitted``.
        cross_fitted: probabilities for ``person`` and ``population``, shape (people, clips, 4, 9), see
            ``fit_classifier.cross_fit``.
    """

    classifier: Classifier
    rows: dict[int, int]
    cross_fitted: dict[str, Floats]

    @classmethod
    def fit(cls, train: Faced) -> "FittedClassifiers":
        """Fit all classifiers, which takes about half a minute for 79 people."""
        rows = {int(subject): row for row, subject in enumerate(train.subjects)}
        with progress_bar("Decoder", total=2) as progress:
            classifier = fit_classifier.fit(train)
            progress.update()
            return cls(classifier, rows, fit_classifier.cross_fit(train))

    def probabilities(self, trial: Trial, span: int, normal: Normal) -> Probabilities:
        """Return the probabilities of one trial from a classifier that was not fitted on the person.

        Args:
            trial: the trial.
            span: index of its seconds in ``SPANS``.
            normal: what the trial is compared with.

        Returns:
            Shape (9,).
        """
        if trial.subject not in self.rows:
            return self.classifier.predict(trial.de, normal)
        found: Probabilities = self.cross_fitted[normal.source][self.rows[trial.subject], trial.clip, span]
        return found


def subject_name(subject: int) -> str:
    """Return FACED's name of a subject, such as ``sub007``."""
    return f"sub{subject:03}"


def refuse_codec(codec: str) -> None:
    """Refuse a text encoding that needs the signal itself.

    Raises:
        CorpusError: the text encoding needs it.
    """
    if codec not in FEATURE_CODECS:
        raise CorpusError(
            f"FACED's features contain no raw signal, which {codec} needs; choose {' or '.join(FEATURE_CODECS)}."
        )


def make_segments(
    faced: Faced, fitted: FittedClassifiers, codec: str, known: Mapping[int, SubjectInfo]
) -> Iterator[LabelledSegment]:
    """Yield the segments of all but the bad subjects, each compared with the person's own normal and with others'.

    Args:
        faced: features of any people.
        fitted: classifiers of the training people.
        codec: text encoding, one of ``text_encoding.FEATURE_CODECS``.
        known: subject -> what is known of the subject; may be empty.

    Raises:
        CorpusError: the text encoding needs the signal itself.
    """
    refuse_codec(codec)
    good = faced.select([int(s) for s in faced.subjects if s not in BAD_SUBJECTS])
    normals = good.normals()
    for subject in track_progress(normals, "People", len(normals)):
        info, split = known.get(subject, SubjectInfo()), splits.assign_faced_subject(subject)
        for number, trial in enumerate(good.select([subject]).trials(SPANS)):
            span = number % len(SPANS)
            for normal in (normals[subject], fitted.classifier.population):
                eeg = encode(trial.de, normal, fitted.classifier, codec, evidence=False)
                yield LabelledSegment(
                    subject=subject_name(subject),
                    clip=str(trial.clip),
                    span=SPANS[span],
                    emotion=trial.emotion,
                    person=info.person,
                    split=split,
                    sampling_hz=info.sampling_hz,
                    eeg=replace(eeg, evidence=fitted.probabilities(trial, span, normal)),
                )


def select_training_people(faced: Faced) -> Faced:
    """Return the features of the training people.

    Raises:
        CorpusError: the features have none of them.
    """
    wanted = [subject for subject in TRAIN_SUBJECTS if subject not in BAD_SUBJECTS]
    if not np.isin(faced.subjects, wanted).any():
        raise CorpusError(
            f"The features contain subjects {describe(faced.subjects)} and none of the training subjects (0-79), "
            "which the classifier and the population's normal are fitted on."
        )
    return faced.select(wanted)
