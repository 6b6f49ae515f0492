"""What all tests share: which are slow, one core for each worker, no unexpected skip in CI, and a browser."""

import logging
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

# Two processes with more threads than cores slow each other many times: each worker of pytest-xdist gets one core.
if (worker := os.environ.get("PYTEST_XDIST_WORKER")) and hasattr(os, "sched_setaffinity"):
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})

from tests.helpers.serving import CHROMIUM, FLAGS

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# A shell starts what it runs in the background with interrupts ignored (nohup: hang-ups), and what is started from
# there inherits that: tests that end a process would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

#: Reasons that may be given for a skip in CI, each with why it is right there.
ALLOWED_SKIPS = {
    "FULL_SIZE=1 runs it": "a model of full size takes minutes and 8 GB",
    "set EEG_COPILOT_DEV_DATA": "real recordings stay out of the project",
    "ggml-vocab-qwen2.gguf is not there": "Qwen2's vocabulary stays out of the project",
    "Qwen2's vocabulary is not there": "the same",
}


#: Files and tests of more than about 20 s: ``make test-all`` runs them, ``make test`` does not.
SLOW = (
    "tests/e2e/test_memory.py",
    "tests/e2e/test_notebooks.py",
    "tests/e2e/test_page_browser.py::test_every_card_appears_in_a_browser_at_a_quarter_of_the_speed",
    "tests/e2e/test_review_browser.py",
    "tests/e2e/test_space.py::test_a_killed_app_leaves_no_name_and_the_next_start_removes_the_rest",
    "tests/external/test_llama_cpp_converter.py",
    "tests/external/test_ray.py",
    "tests/unit/convert/test_plan.py",
    "tests/unit/test_deidentify.py::test_who_somebody_is_reaches_no_prompt_log_export_or_disk",
    "tests/unit/test_fuzz.py",
    "tests/unit/training/test_clusters.py",
    "tests/unit/training/test_make_model.py",
    "tests/unit/training/test_trainer.py::test_killed_at_any_moment_it_reaches_the_same_weights_bit_by_bit",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow tests and let them begin first, so that no worker waits for the last of them."""
    for item in items:
        if item.nodeid.startswith(SLOW):
            item.add_marker("slow")
    items.sort(key=lambda item: "slow" not in item.keywords)


class SkipGuard:
    """Fail the run in CI where a test was skipped for a reason that is not in ``ALLOWED_SKIPS``."""

    def __init__(self) -> None:
        self.unexpected: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a skipped test."""
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a skipped module."""
        self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if report.skipped and not any(known in reason for known in ALLOWED_SKIPS):
            self.unexpected.append(f"{report.nodeid}: {reason}")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Turn a run with unexpected skips red."""
        if self.unexpected and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print what was skipped and should not have been."""
        for line in self.unexpected:
            terminalreporter.write_line(f"UNEXPECTED SKIP {line}", red=True)


def pytest_configure(config: pytest.Config) -> None:
    """Guard against skips in CI, in the process that sees all reports."""
    if os.environ.get("CI") and "PYTEST_XDIST_WORKER" not in os.environ:
        config.pluginmanager.register(SkipGuard())


class FaultList(logging.Handler):
    """Collect what ``copilot.eeg.reader`` logs about our own code."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.faults: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line."""
        self.faults.append(record.getMessage())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a test in which our own readers crashed, although a person is told that the file is damaged."""
    handler, log = FaultList(), logging.getLogger("copilot.eeg.reader")
    log.addHandler(handler)
    try:
        result = yield
    finally:
        log.removeHandler(handler)
    if handler.faults and "reader_faults_expected" not in item.keywords:
        raise AssertionError(f"Our own readers crashed: {handler.faults}")
    return result


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real Chromium, driven by Playwright."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Install requirements-dev.txt for the browser tests.")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()
