"""A bar with an estimate on long work, where somebody watches: on a terminal's standard error, and nowhere else."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def track_progress(items: Iterable[Item], task: str, total: int | None = None) -> Iterator[Item]:
    """Give ``items`` one after the other under a bar that says what is being done."""
    yield from progress_bar(task, total, items)


def progress_bar(task: str, total: int | None = None, items: Iterable[Any] | None = None) -> Any:
    """A ``tqdm`` bar to update by hand or to iterate over; silent where standard error is no terminal."""
    return tqdm(items, desc=task, total=total, disable=None, leave=False)
