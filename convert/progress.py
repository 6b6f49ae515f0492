"""Show the progress of long work as a bar on standard error, if that is a terminal."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def track_progress(items: Iterable[Item], task: str, total: int | None = None) -> Iterator[Item]:
    """Yield each of ``items`` and advance a progress bar.

    Args:
        items: any items.
        task: name of the work, shown before the bar.
        total: count of the items, where they have no length.
    """
    yield from progress_bar(task, total, items)


def progress_bar(task: str, total: int | None = None, items: Iterable[Any] | None = None) -> Any:
    """Return a ``tqdm`` bar to update or to iterate over; it is silent where standard error is no terminal.

    Args:
        task: name of the work, shown before the bar.
        total: count of the steps.
        items: items to iterate over.
    """
    return tqdm(items, desc=task, total=total, disable=None, leave=False)
