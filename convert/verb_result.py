"""What every verb gives back: the same facts as lines for people and as plain values for machines (``--json``)."""

from typing import Any, Protocol


class VerbResult(Protocol):
    """The result of one verb."""

    def lines(self) -> list[str]:
        """For people, printed one below the other."""
        ...

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        ...

    @property
    def passed(self) -> bool:
        """False where the verb's own question was answered with no (``check``): exit status 1."""
        ...


class AlwaysPassed:
    """The ending of verbs that ask nothing: what cannot be done is refused instead."""

    @property
    def passed(self) -> bool:
        """Always."""
        return True
