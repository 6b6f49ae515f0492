"""Validate data for the record alone: none of them ever reach a prompt, a file name or a log."""

from dataclasses import dataclass, field

from copilot.i18n import N_, messages
from copilot.person import MAX_TEXT, PersonError
from copilot.text import normalise_line

MAX_NAME = 120


@dataclass(frozen=True)
class PatientIdentity:
    """Name, number (of a chart or study), laboratory results and expenses: all optional, all for the record alone.

    Raises:
        PersonError: a text that is too long.
    """

    name: str = field(default="", repr=False)
    number: str = field(default="", repr=False)
    laboratory: str = field(default="", repr=False)
    expenses: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        limits = {
            "name": (messages.FIELD_NAME, MAX_NAME),
            "number": (messages.FIELD_NUMBER, MAX_NAME),
            "laboratory": (messages.FIELD_LABORATORY, MAX_TEXT),
            "expenses": (messages.FIELD_EXPENSES, MAX_TEXT),
        }
        for what, (label, most) in limits.items():
            text = normalise_line(getattr(self, what))
            if len(text) > most:
                raise PersonError(N_(messages.RECORD_TOO_LONG, label=label, length=len(text), most=most))
            object.__setattr__(self, what, text)
