"""FACED's features as stretches of EEG text: three windows of ten seconds and the whole of every clip.

Probabilities of the training people come from decoders that did not see the person, those of the people kept back
from the decoder fitted on all the training people. The features hold no raw signal: of the codecs only those that
read differential entropy can be had.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from convert.progress import bar, each
from copilot import csv_tables
from copilot.eeg.classifier import Classifier, Floats
from copilot.eeg.features import Normal
from copilot.eeg.text_encoding import OF_FEATURES
from copilot.emotions import Probabilities
from copilot.person import Person
from copilot.pipeline import encode
from copilot.training import fit_classifier, splits
from copilot.training.dataset.schema import LabelledSegment
from copilot.training.examples import SPANS
from copilot.training.faced import BAD_SUBJECTS, TRAIN_SUBJECTS, CorpusError, Faced, Trial, describe


@dataclass(frozen=True)
class SubjectInfo:
    """What FACED's ``Recording_info.csv`` says about a subject: gender and age, and samples a second (Hz)."""

    person: Person = field(default_factory=Person)
    sampling_hz: float | None = None


def read_info(path: Path) -> dict[int, SubjectInfo]:
    """FACED's ``Recording_info.csv`` by subject (columns ``sub``, ``Gender``, ``Age``, ``Sample_rate``).

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
class Fitted:
    """The decoder of the training people, and what decoders that did not see them say of each of these.

    Attributes:
        decoder: fitted on all of them.
        rows: where each is in ``cross_fitted``.
        cross_fitted: probabilities, see ``fit_decoder.cross_fitted``.
    """

    decoder: Classifier
    rows: dict[int, int]
    cross_fitted: dict[str, Floats]

    @classmethod
    def on(cls, train: Faced) -> "Fitted":
        """Fit them all, which takes about half a minute for 79 people."""
        rows = {int(subject): row for row, subject in enumerate(train.subjects)}
        with bar("Decoder", total=2) as shown:
            decoder = fit_classifier.fit(train)
            shown.update()
            return cls(decoder, rows, fit_classifier.cross_fitted(train))

    def probabilities(self, trial: Trial, span: int, normal: Normal) -> Probabilities:
        """Of one trial, the ``span``-th of ``SPANS``, from a decoder that did not see the person."""
        if trial.subject not in self.rows:
            return self.decoder.probabilities(trial.de, normal)
        found: Probabilities = self.cross_fitted[normal.source][self.rows[trial.subject], trial.clip, span]
        return found


def name(subject: int) -> str:
    """``sub007``, as FACED calls its people."""
    return f"sub{subject:03}"


def check(codec: str) -> None:
    """Refuse a codec that needs the signal itself.

    Raises:
        CorpusError: it does.
    """
    if codec not in OF_FEATURES:
        raise CorpusError(
            f"FACED's features hold no raw signal, which {codec} needs; choose {' or '.join(OF_FEATURES)}."
        )


def stretches(faced: Faced, fitted: Fitted, codec: str, known: Mapping[int, SubjectInfo]) -> Iterator[LabelledSegment]:
    """Everybody but the bad subjects, each stretch compared with their own normal and with other people's.

    Args:
        faced: of anybody; fitted: on the training people.
        codec: one of ``text_encoding.OF_FEATURES``.
        known: of each subject; may be empty.

    Raises:
        CorpusError: the codec needs the signal itself.
    """
    check(codec)
    good = faced.of([int(s) for s in faced.subjects if s not in BAD_SUBJECTS])
    normals = good.normals()
    for subject in each(normals, "People", len(normals)):
        for number, trial in enumerate(good.of([subject]).trials(SPANS)):
            for normal in (normals[subject], fitted.decoder.population):
                yield _stretch(trial, number % len(SPANS), normal, fitted, codec, known.get(subject, SubjectInfo()))


def learned_from(faced: Faced) -> Faced:
    """The training people.

    Raises:
        CorpusError: none of them is there.
    """
    wanted = [subject for subject in TRAIN_SUBJECTS if subject not in BAD_SUBJECTS]
    if not np.isin(faced.subjects, wanted).any():
        raise CorpusError(
            f"The features hold {describe(faced.subjects)} and none of the subjects that are learned from (0-79), "
            "whom the decoder and what is normal come from."
        )
    return faced.of(wanted)


def _stretch(
    trial: Trial, span: int, normal: Normal, fitted: Fitted, codec: str, known: SubjectInfo
) -> LabelledSegment:
    eeg = encode(trial.de, normal, fitted.decoder, codec, evidence=False)
    return LabelledSegment(
        subject=name(trial.subject),
        clip=str(trial.clip),
        span=SPANS[span],
        emotion=trial.emotion,
        person=known.person,
        split=splits.of_faced(trial.subject),
        sampling_hz=known.sampling_hz,
        eeg_texts=eeg.texts,
        compared_with=eeg.compared_with,
        probabilities=fitted.probabilities(trial, span, normal),
    )
