"""Serve the page on a free port, for tests that need a server (see ``served``), and look at it in a browser."""

import asyncio
import shutil
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from copilot.eeg import sandbox
from copilot.i18n import Translator
from copilot.llm.base import Engine
from copilot.settings import Settings
from copilot.web.layout import Page
from copilot.web.page import build_page, lay_out_page
from copilot.web.queue import Service
from copilot.web.server import launch_page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run"),
)
WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


def quietly(make: Callable[[], Any]) -> Any:
    """Call ``make`` inside a running event loop: without one, Gradio leaves event loops unclosed."""

    async def run() -> Any:
        return make()

    with ThreadPoolExecutor(1) as thread:  # not this one, whose loop may be a browser's
        return thread.submit(lambda: asyncio.run(run())).result()


def laid_out(service: Service, language: str = "en", draw: Callable[[Page], None] = lambda page: None) -> Page:
    """A page in one language that nobody serves; ``draw`` adds to it."""

    def lay_out() -> Page:
        import gradio as gr  # after ``copilot.web``, which sets it up

        with gr.Blocks() as blocks:
            page = lay_out_page(service, Translator(language), blocks)
            draw(page)
            return page

    made: Page = quietly(lay_out)
    return made


@contextmanager
def served(open_engine: Callable[[Settings], Engine], **settings: Any) -> Iterator[str]:
    """The address of a page served by this process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    service = Service(Settings(**{"port": port, "threads": 2, "protocol": "faced-films", **settings}), open_engine)
    with serving(service) as address:
        yield address


@contextmanager
def serving(service: Service) -> Iterator[str]:
    """The address of a service's page."""
    service.start()
    page = quietly(lambda: build_page(service))
    try:
        yield quietly(lambda: launch_page(page, service))
    finally:
        page.close()
        sandbox.cool_down()


def button(page: Any, name: str, nth: int = 0) -> Any:
    """The button with exactly this name."""
    return page.get_by_role("button", name=name, exact=True).nth(nth)


def fits(page: Any) -> bool:
    """Whether nothing is wider than the window."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))
