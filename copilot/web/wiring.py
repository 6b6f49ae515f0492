"""Handlers speak of parts of the page by name; Gradio wants the parts (see ``once`` and ``stream``)."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any

import gradio as gr

from copilot.web.screen import Update

Parts = dict[str, Any]

#: Presses in the record panel and among the kept records are carried out in the order in which they were made, and what
#: ``gr.render`` draws comes in between: two renders at once change the same dictionaries of Gradio's.
ONE_BY_ONE = {"concurrency_id": "records", "concurrency_limit": 1, "show_progress": "hidden"}
IN_ORDER = {**ONE_BY_ONE, "api_visibility": "private"}


def html(value: str = "", **options: Any) -> gr.HTML:
    """HTML of our own: our style sheet is enough."""
    return gr.HTML(value, apply_default_css=False, **options)


def once(parts: Parts, handler: Callable[..., Update]) -> Callable[..., Parts]:
    """A handler that answers at once, with the parts in place of their names."""

    def run(*values: Any) -> Parts:
        return {parts[name]: value for name, value in handler(*values).items()}

    return run


def stream(parts: Parts, handler: Callable[..., Generator[Update, None, None]]) -> Callable[..., Iterator[Parts]]:
    """The same for one that answers step by step; closed when Gradio closes it."""

    def run(*values: Any) -> Iterator[Parts]:
        with closing(handler(*values)) as updates:
            for update in updates:
                if update:
                    yield {parts[name]: value for name, value in update.items()}

    return run
