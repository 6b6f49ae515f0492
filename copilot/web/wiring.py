"""Connect handlers, which name parts of the page, to Gradio, which needs the parts (``bind`` and ``bind_stream``)."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any

import gradio as gr

Update = dict[str, Any]
Parts = dict[str, Any]

#: Events that are answered at once stay out of Gradio's queue: when the stream of one queued event ends, Gradio 6.31
#: may cancel another that the same visitor has just begun, and leaving a text field precedes the press of a button.
NOT_QUEUED: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}

#: Renders of ``gr.render`` run one after another: two at once would change the same dictionaries of Gradio's.
ONE_AT_A_TIME: dict[str, Any] = {"concurrency_id": "render", "concurrency_limit": 1, "show_progress": "hidden"}


def html(value: str = "", **options: Any) -> gr.HTML:
    """Return HTML without Gradio's default style: our style sheet is enough."""
    return gr.HTML(value, apply_default_css=False, **options)


def make_trigger() -> gr.Textbox:
    """Return a part whose change redraws another: ``gr.State`` does not report changes outside the queue."""
    return gr.Textbox(visible="hidden", container=False)


def new_trigger_value() -> str:
    """Return a new value for ``make_trigger``'s part."""
    return str(time.monotonic())


def bind(parts: Parts, handler: Callable[..., Update]) -> Callable[..., Parts]:
    """Return the handler for Gradio, with the parts in place of their names."""

    def run(*values: Any) -> Parts:
        return {parts[name]: value for name, value in handler(*values).items()}

    return run


def bind_stream(parts: Parts, handler: Callable[..., Generator[Update, None, None]]) -> Callable[..., Iterator[Parts]]:
    """Return a handler that yields updates for Gradio; it is closed when Gradio closes it."""

    def run(*values: Any) -> Iterator[Parts]:
        with closing(handler(*values)) as updates:
            for update in updates:
                if update:
                    yield {parts[name]: value for name, value in update.items()}

    return run
