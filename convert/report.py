"""Present results: the base class of what verbs return, and the one way to format tables, numbers and templates."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined


@dataclass(frozen=True)
class VerbResult:
    """The result of one verb: its facts as lines for people and as plain values for machines."""

    def lines(self) -> list[str]:
        """Return the result as lines of text for people."""
        raise NotImplementedError

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain values, ready for JSON (``--json``)."""
        return asdict(self)

    @property
    def passed(self) -> bool:
        """Whether the verb's question was answered with yes; False leads to exit status 1.

        A verb that answers no question has always passed: it raises an error instead.
        """
        return True


@dataclass(frozen=True)
class Finding:
    """The result of one comparison of a GGUF file with its checkpoint.

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


def format_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, padded: bool = False, numbers: bool = False
) -> str:
    """Return a Markdown table.

    Args:
        headings: the cells of the first row.
        rows: the cells of the other rows, as many as there are headings.
        padded: whether to align the columns as plain text, too.
        numbers: whether to align the columns to the right where the table is rendered.
    """
    rules = ["---:" if numbers else "---"] * len(headings)
    lines: list[Sequence[str]] = [headings, rules, *rows]
    if padded:
        widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
        lines[1] = ["-" * width for width in widths]
        lines = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def align_columns(rows: Sequence[Sequence[str]], *, right: bool = True) -> list[str]:
    """Return a table as lines of plain text.

    Args:
        rows: the headings and the other rows; a row with fewer cells than the headings ends in a longer text, which is
            no column.
        right: whether to align cells to the right, or to the left.
    """
    whole = [row for row in rows if len(row) == len(rows[0])]
    widths = [max(map(len, column)) for column in zip(*whole, strict=True)]
    adjust = str.rjust if right else str.ljust
    return ["  ".join(map(adjust, row, widths)).rstrip() for row in rows]


def format_value(value: Any) -> str:
    """Format a JSON value for people: an integer in full, another number with four significant digits."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, list | tuple):
        return ", ".join(map(format_value, value))
    if isinstance(value, Mapping):
        return "; ".join(f"{key.replace('_', ' ')} {format_value(inner)}" for key, inner in value.items())
    return "" if value is None else " ".join(str(value).split()).replace("|", "\\|")


def in_millions(number: float) -> str:
    """Format a count of bytes as megabytes, or of parameters as millions of them."""
    return f"{number / 1e6:.1f}"


def render_template(path: Path, **facts: Any) -> str:
    """Return the text that a Jinja template writes.

    Args:
        path: the template, a file of this project.
        facts: the template's variables; one that is missing is an error.
    """
    environment = Environment(  # Markdown, not HTML: nothing is escaped
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    return environment.from_string(path.read_text(encoding="utf-8")).render(facts)
