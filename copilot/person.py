"""What the form asks about a person, validated. Names and numbers have no field here: they never reach the prompt."""

import re
import unicodedata
from dataclasses import dataclass

GENDERS = ("female", "male", "other", "unspecified")
MAX_AGE = 120
MAX_TEXT = 600


class PersonError(ValueError):
    """A form field cannot be used; the message says which and what it accepts."""


@dataclass(frozen=True)
class Person:
    """Gender and age, and three optional texts in the person's own words (at most 600 characters each).

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
            raise PersonError(f"Gender is {self.gender!r}; choose one of: {', '.join(GENDERS)}.")
        if self.age is not None and not 0 <= self.age <= MAX_AGE:
            raise PersonError(f"Age is {self.age}; give whole years from 0 to {MAX_AGE}.")
        for name in ("appearance", "complaint", "history"):
            text = tidy(getattr(self, name))
            if len(text) > MAX_TEXT:
                raise PersonError(f"{name.capitalize()} has {len(text)} characters; at most {MAX_TEXT} are read.")
            object.__setattr__(self, name, text)

    @property
    def age_text(self) -> str:
        """Age as it may be written down: above 89 only ``90+`` (HIPAA Safe Harbor, 45 CFR 164.514(b)(2)(i)(C))."""
        if self.age is None:
            return "not given"
        return "90+" if self.age > 89 else str(self.age)


def tidy(text: str) -> str:
    """One line of printable text in Unicode's composed form, as the tokenizers expect it; white space folded."""
    printable = "".join(c if c.isprintable() else " " for c in unicodedata.normalize("NFC", text or ""))
    return re.sub(r"\s+", " ", printable).strip()
