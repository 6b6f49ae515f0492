"""The answer of one comparison between a GGUF file and the checkpoint it is said to be."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Finding:
    """What was compared, and the first thing that is not the same.

    Attributes:
        check: which comparison.
        compared: how many things; a comparison of nothing proves nothing, and has not passed.
        figure: the result in a few words, with its numbers.
        difference: the first, precisely; empty where there is none.
        notes: what is not as in the checkpoint and yet no fault of the file.
        values: the figure's numbers, for machines.
        rounded: the file may be off by what rounding does to numbers of its types.
    """

    check: str
    compared: int
    figure: str
    difference: str = ""
    notes: tuple[str, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict)
    rounded: bool = False

    @property
    def passed(self) -> bool:
        """Whether something was compared, and all of it was the same, or ``rounded`` and within its bound."""
        return self.compared > 0 and not self.difference

    @property
    def verdict(self) -> str:
        """In one word."""
        if not self.compared:
            return "SKIPPED"
        return "DIFFERS" if self.difference else "within" if self.rounded else "same"
