"""Validate what the form asks about a person: ``Person`` for the prompt, ``PatientIdentity`` for the record alone."""

from collections.abc import Callable
from dataclasses import dataclass, field

from copilot.errors import CopilotError
from copilot.i18n import N_, messages
from copilot.text import normalise_line

GENDERS = ("female", "male", "other", "unspecified")
MAX_AGE = 120
MAX_TEXT = 600
MAX_NAME = 120


class PersonError(CopilotError, ValueError):
    """A form field cannot be used; the message says which and what it accepts."""


@dataclass(frozen=True)
class Person:
    """Gender and age, and three optional texts in the person's own words (at most 600 characters each).

    Names and numbers have no field here, so that they never reach a prompt.
    ``appearance`` is how the person says they look or feel, never derived from a label: the paper's example filled
    it with the answer (PAPERS, defect 1).

    Raises:
        PersonError: unknown gender, age outside 0 to 120, or a text that is too long.
    """

    gender: str = "unspecified"
    age: int | None = None
    appearance: str = ""
    complaint: str = ""
    history: str = ""

    def __post_init__(self) -> None:
        if self.gender not in GENDERS:
            raise PersonError(
                N_("Gender is {gender!r}; choose one of: {choices}.", gender=self.gender, choices=GENDERS)
            )
        if self.age is not None and not 0 <= self.age <= MAX_AGE:
            raise PersonError(N_(messages.NOT_AN_AGE, age=self.age, most=MAX_AGE))
        labels = {"appearance": messages.APPEARANCE, "complaint": messages.COMPLAINT, "history": messages.HISTORY}
        for name, label in labels.items():
            text = normalise_line(getattr(self, name))
            if len(text) > MAX_TEXT:
                raise PersonError(
                    N_(
                        "{label} has {length} characters; at most {most} are read.",
                        label=label,
                        length=len(text),
                        most=MAX_TEXT,
                    )
                )
            object.__setattr__(self, name, text)

    def map_texts(self, change: Callable[[str], str]) -> "Person":
        """Return the person with ``change`` applied to each free text, cut to ``MAX_TEXT`` characters."""
        texts = (change(text)[:MAX_TEXT] for text in (self.appearance, self.complaint, self.history))
        return Person(self.gender, self.age, *texts)

    @property
    def age_text(self) -> str:
        """Return the age as text; above 89 only ``90+`` (HIPAA Safe Harbor, 45 CFR 164.514(b)(2)(i)(C))."""
        if self.age is None:
            return "not given"
        return "90+" if self.age > 89 else str(self.age)


@dataclass(frozen=True)
class PatientIdentity:
    """Name, number (of a chart or study), laboratory results and expenses: all optional, all for the record alone.

    None of them ever reach a prompt, a file name or a log.

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
