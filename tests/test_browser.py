import asyncio
import json
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from copilot import NOTICE
from copilot.eeg import preparation, simulate
from copilot.engine.base import Engine
from copilot.engine.opening import open_engine
from copilot.settings import ROOT, Settings
from copilot.web import layout, words
from copilot.web.service import Service
from tests.fake_engine import FakeEngine

sync_api = pytest.importorskip("playwright.sync_api", reason="Install requirements-dev.txt for the browser tests.")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run"),
)
SCREENSHOTS = ROOT / "build" / "screenshots"
WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="No Chromium found; on Debian: apt-get install chromium"),
    # In the server's threads, where Gradio asks pandas for what it is about to drop.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def quietly(make: Callable[[], Any]) -> Any:
    """Gradio leaves an event loop unclosed wherever it builds or launches without a running one."""

    async def run() -> Any:
        return make()

    return asyncio.run(run())


def model(settings: Settings) -> Engine:
    """The model in the box, or a stand-in where it has not been made yet."""
    return open_engine(settings) if settings.model.exists() else FakeEngine(delay=0.02)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    service = Service(Settings(port=port, threads=2), model)
    page = quietly(lambda: layout.build(service))
    yield quietly(lambda: layout.launch(page, service, ))
    page.close()
    preparation.cool_down()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made, path = simulate.simulate(60, alpha_uv=12, seed=5), tmp_path_factory.mktemp("recording") / "mine.npz"
    np.savez(path, data=made.data, sfreq=made.sfreq, channels=np.array(made.channels), units=np.array("uV"))
    return path
