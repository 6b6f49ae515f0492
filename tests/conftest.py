"""What all tests share: no deadline for a property on a busy machine, interrupts that arrive, and a browser."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from tests.serving import CHROMIUM, FLAGS

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# A shell starts what it runs in the background with interrupts ignored (nohup: hang-ups), and what is started from
# there inherits that: tests that end a process would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real Chromium, driven by Playwright."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Install requirements-dev.txt for the browser tests.")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()
