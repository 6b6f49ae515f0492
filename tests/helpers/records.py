"""Records with known contents, for tests of everything that a record passes through."""

from datetime import datetime, timedelta, timezone

import numpy as np

from copilot.eeg.preprocessing.quality import ChannelQuality, Quality
from copilot.eeg.types import Recording
from copilot.emotions import EMOTIONS
from copilot.person import Person
from copilot.record import review
from copilot.record.draft import draft
from copilot.result import Result

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=timezone(timedelta(hours=2)))
PERSON = Person("female", 20, appearance="tired", complaint="sleeps badly", history="migraine")
REVIEWER = review.Reviewer("Dr Ada Weiss", "Neurologist")


def quality(trust="good"):
    return Quality(
        channels=(ChannelQuality("Fp1"), ChannelQuality("T7", flat=True, interpolated=True), ChannelQuality("O1")),
        line_hz=50.0,
        line_ratio=12.34,
        clean=np.arange(60) >= 3,
        components_removed={"ocular": 2, "muscle": 0},
        trust=trust,
        sentences=("One electrode was flat and was interpolated.",),
    )


def reading(joy=0.44, **changes):
    values = {
        "probabilities": np.array([joy if name == "joy" else (1 - joy) / 8 for name in EMOTIONS]),
        "readout": "both",
        "assessment": "It is 99 % joy, says the prose.",
        "suggestions": ("Rest.", "Walk."),
        "raw": "",
        "timings": {},
        "model": "tiny",
        "model_sha256": "a" * 64,
        "prompt_sha256": "b" * 64,
        "codec": "bands",
        "notes": ("No other recording was given.",),
    }
    return Result(**{**values, **changes})


def drafted(person=PERSON, trust="good", patient=None, language="en", **changes):
    """A draft; ``changes`` are of the reading."""
    recording = Recording(np.zeros((3, 15000), np.float32), 250.0, ("Fp1", "T7", "O1"), "EDF", ("ECG was left out.",))
    made = {"patient": patient, "language": language}
    return draft(person, recording, quality(trust), reading(**changes), now=NOW, **made)


def reviewed(record=None):
    """Everything that waits is accepted."""
    record = record or drafted()
    for field in record.pending:
        record = review.accept(record, field.key, REVIEWER, NOW)
    return record


def signed(record=None):
    return review.sign(reviewed(record), REVIEWER, "I have reviewed it.", NOW)
