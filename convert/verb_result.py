"""Define the result of a verb: the same facts as lines for people and as plain values for machines (``--json``)."""

from typing import Any, Protocol


class VerbResult(Protocol):
    """The result of one verb."""

    def lines(self) -> list[str]:
        """Return the result as lines of text for people."""
        ...

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain values, ready for JSON."""
        ...

    @property
    def passed(self) -> bool:
        """Whether the verb's question was answered with yes (``check``); False leads to exit status 1."""
        ...


class AlwaysPassed:
    """The base class of results of verbs that answer no question: they raise an error instead."""

    @property
    def passed(self) -> bool:
        """Always True."""
        return True
