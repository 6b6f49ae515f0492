"""Handlers speak of parts of the page by name; Gradio wants the parts (see ``once`` and ``stream``)."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any

import gradio as gr

Update = dict[str, Any]
Parts = dict[str, Any]

#: Presses that are answered at once stay out of Gradio's queue: when the stream of one queued event ends, Gradio 6.31
#: may cancel another that the same visitor has just begun, and leaving a box comes right before pressing a button.
NOT_QUEUED: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}

#: What ``gr.render`` draws waits in line: two renders at once change the same dictionaries of Gradio's.
ONE_AT_A_TIME: dict[str, Any] = {"concurrency_id": "render", "concurrency_limit": 1, "show_progress": "hidden"}


def html(value: str = "", **options: Any) -> gr.HTML:
    """HTML of our own: our style sheet is enough."""
    return gr.HTML(value, apply_default_css=False, **options)


def make_trigger() -> gr.Textbox:
    """A part whose change draws something anew: ``gr.State`` does not tell what changed outside the queue."""
    return gr.Textbox(visible="hidden", container=False)


def new_trigger_value() -> str:
    """Another value for a ``turn``."""
    return str(time.monotonic())


def bind(parts: Parts, handler: Callable[..., Update]) -> Callable[..., Parts]:
    """A handler that answers at once, with the parts in place of their names."""

    def run(*values: Any) -> Parts:
        return {parts[name]: value for name, value in handler(*values).items()}

    return run


def bind_stream(parts: Parts, handler: Callable[..., Generator[Update, None, None]]) -> Callable[..., Iterator[Parts]]:
    """The same for one that answers step by step; closed when Gradio closes it."""

    def run(*values: Any) -> Iterator[Parts]:
        with closing(handler(*values)) as updates:
            for update in updates:
                if update:
                    yield {parts[name]: value for name, value in update.items()}

    return run
