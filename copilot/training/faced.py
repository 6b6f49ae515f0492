"""Read FACED's published features, which this project trains and scores on (Chen et al. 2023, Sci Data 10:740).

The file is an npz with ``DE``, differential entropy in natural units, float32, shape (people, 28 clips, electrodes,
30 seconds, 5 bands), and ``subject``, ``channels``, ``bands_hz`` and ``clip_emotion``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from copilot.eeg.features import BANDS_HZ, ELECTRODES, Array, Normal, person_normal
from copilot.emotions import EMOTIONS
from copilot.errors import CopilotError

#: Known to be bad recordings; left out of training, scored where they are asked for.
BAD_SUBJECTS = (23,)

#: The published split: models are fitted on these people and scored on those after them.
TRAIN_SUBJECTS = range(80)

#: First subject of the second cohort, which was recorded later and scores lower; new people are more like it.
SECOND_COHORT = 61

SECONDS = 30
SEGMENTS = ((0, 10), (10, 20), (20, 30))
WHOLE_CLIP = ((0, 30),)


class CorpusError(CopilotError, ValueError):
    """The features or labels cannot be used; the message states why."""


@dataclass(frozen=True)
class Trial:
    """A segment of one clip that one person watched.

    Attributes:
        subject: number of the person.
        clip: number of the clip, from 0.
        emotion: index of the clip's emotion.
        de: differential entropy, shape (30, seconds, 5).
    """

    subject: int
    clip: int
    emotion: int
    de: Array


@dataclass(frozen=True)
class Faced:
    """Features of several people.

    Attributes:
        de: differential entropy, shape (people, clips, 30, seconds, 5).
        subjects: numbers of the people, shape (people,).
        emotions: index of each clip's emotion, shape (clips,).
    """

    de: Array
    subjects: npt.NDArray[np.int64]
    emotions: npt.NDArray[np.int64]

    def select(self, subjects: range | list[int]) -> "Faced":
        """Return the features of those of these subjects that the file has.

        Raises:
            CorpusError: the file has none of them.
        """
        keep = np.isin(self.subjects, list(subjects))
        if not keep.any():
            raise CorpusError(f"None of the subjects asked for is in the file, which has {describe(self.subjects)}.")
        return Faced(self.de[keep], self.subjects[keep], self.emotions)

    def normals(self) -> dict[int, Normal]:
        """Return each subject's mean and standard deviation over all their clips, without any label."""
        return {int(s): person_normal(list(de)) for s, de in zip(self.subjects, self.de, strict=True)}

    def trials(self, spans: tuple[tuple[int, int], ...]) -> Iterator[Trial]:
        """Yield a trial for every person, clip and span, people outermost.

        Args:
            spans: first second, and the second behind the last, of each segment of a clip.
        """
        for subject, clips in zip(self.subjects, self.de, strict=True):
            for clip, (emotion, de) in enumerate(zip(self.emotions, clips, strict=True)):
                for start, stop in spans:
                    yield Trial(int(subject), clip, int(emotion), de[:, start:stop])


def load(path: Path) -> Faced:
    """Read the features and put their electrodes into the order of ``ELECTRODES``.

    Raises:
        CorpusError: the file is missing or has another layout.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            de, subjects = file["DE"], file["subject"].astype(np.int64)
            channels, labels = [str(c) for c in file["channels"]], [str(e).lower() for e in file["clip_emotion"]]
            bands = file["bands_hz"]
    except FileNotFoundError:
        raise CorpusError(f"{path} does not exist.") from None
    except (OSError, KeyError, ValueError, EOFError, BadZipFile) as error:
        raise CorpusError(f"{path.name} is no npz with DE, subject, channels, bands_hz, clip_emotion.") from error
    missing = [name for name in ELECTRODES if name not in channels]
    unknown = sorted(set(labels) - set(EMOTIONS))
    if missing or unknown or not np.allclose(bands, list(BANDS_HZ.values())):
        raise CorpusError(f"{path.name} has another montage, other bands or other emotions than FACED.")
    clips, seconds = de.shape[1:4:2] if de.ndim == 5 else (0, 0)
    if clips != len(labels) or len(de) != len(subjects) or seconds != SECONDS or not np.isfinite(de).all():
        raise CorpusError(f"{path.name} does not have {SECONDS} s of finite values for each of its people and clips.")
    rows = [channels.index(name) for name in ELECTRODES]
    return Faced(de[:, :, rows].astype(np.float32), subjects, np.array([EMOTIONS.index(e) for e in labels]))


def describe(subjects: npt.NDArray[np.int64]) -> str:
    """Return subjects as text, such as ``80-99`` or ``0-22, 24-79``."""
    numbers = sorted(int(s) for s in subjects)
    starts = [n for n in numbers if n - 1 not in numbers]
    stops = [n for n in numbers if n + 1 not in numbers]
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in zip(starts, stops, strict=True))


def parse_subjects(text: str) -> list[int]:
    """Return the numbers in a text such as ``80-99`` or ``1,5,80-82``.

    Raises:
        CorpusError: the text does not have that form.
    """
    numbers: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,6})(?:-(\d{1,6}))?\s*", part)
        if not found:
            raise CorpusError(f"Subjects are given like 80-99 or 1,5,80-82, not {text!r}.")
        numbers += range(int(found[1]), int(found[2] or found[1]) + 1)
    return numbers
