"""Define the result of one comparison between a GGUF file and its checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Finding:
    """The result of one comparison.

    Attributes:
        check: name of the comparison.
        compared: count of the compared items; a comparison of no items has not passed.
        figure: the result in a few words, with its numbers.
        difference: the first difference; empty where there is none.
        notes: differences from the checkpoint that are no faults of the file.
        values: the figure's numbers, for machines.
        rounded: whether the file may differ by the rounding of its types.
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
        """Whether something was compared, and all of it was the same, or within the bound where ``rounded``."""
        return self.compared > 0 and not self.difference

    @property
    def verdict(self) -> str:
        """The result in one word."""
        if not self.compared:
            return "SKIPPED"
        return "DIFFERS" if self.difference else "within" if self.rounded else "same"
