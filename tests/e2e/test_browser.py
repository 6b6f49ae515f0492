import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from copilot import NOTICE
from copilot.eeg import simulate
from copilot.i18n import N_, messages
from copilot.llm import open_engine
from copilot.llm.base import Engine
from copilot.settings import ROOT, Settings
from tests.helpers.fake_engine import FakeEngine
from tests.helpers.serving import CHROMIUM, PHONE, WIDE, button, fits, served

sync_api = pytest.importorskip("playwright.sync_api", reason="Install requirements-dev.txt for the browser tests.")

SCREENSHOTS = ROOT / "build" / "screenshots"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="No Chromium found; on Debian: apt-get install chromium"),
    # In the server's threads, where Gradio asks pandas for what it is about to drop.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def model(settings: Settings) -> Engine:
    """The model in the box, or a stand-in where it has not been made yet."""
    return open_engine(settings) if settings.model.exists() else FakeEngine(delay=0.02)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served(model) as address:
        yield address


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made, path = simulate.simulate(60, alpha_uv=12, seed=5), tmp_path_factory.mktemp("recording") / "mine.npz"
    np.savez(path, data=made.data, sfreq=made.sfreq, channels=np.array(made.channels), units=np.array("uV"))
    return path


def open_page(browser: Any, address: str, viewport: dict[str, int], scheme: str) -> Any:
    context = browser.new_context(viewport=viewport, color_scheme=scheme, accept_downloads=True)
    page = context.new_page()
    page.outside = []
    page.on("request", lambda request: page.outside.append(request.url) if is_outside(request.url, address) else None)
    page.goto(address)
    return page


def is_outside(url: str, address: str) -> bool:
    return not url.startswith((address, "data:", "blob:"))


def shot(page: Any, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.evaluate("scrollTo(0, 0); document.getElementById('left').scrollTo(0, 0)")
    page.wait_for_timeout(500)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def saved(page: Any, format: str) -> str:
    with page.expect_download() as download:
        button(page, f"Download {format}").click()
    return Path(download.value.path()).read_text(encoding="utf-8")


def test_main_job_in_the_browser(browser: Any, address: str, recording: Path) -> None:
    page = open_page(browser, address, WIDE, "light")
    analyse = button(page, N_("Analyse"))
    sync_api.expect(page.get_by_text(NOTICE)).to_be_visible()
    sync_api.expect(analyse).to_be_disabled()
    page.get_by_label(
        N_("I am this person or act with their agreement, and they know that an AI infers an emotion.")
    ).check()
    page.get_by_label(N_("Age"), exact=True).fill("34")
    page.get_by_label(messages.COMPLAINT).fill("Sleeps badly <b>since</b> March")
    page.locator("input[type=file]").first.set_input_files(recording)
    page.get_by_text("mine.npz").wait_for()
    analyse.click()
    page.get_by_alt_text(messages.SIGNAL_ALT).wait_for(timeout=60_000)
    page.get_by_text("Done in").wait_for(timeout=120_000)
    assert page.locator(".bars li").count() == 9
    assert page.locator(".essay").inner_text().strip()

    page.get_by_placeholder(N_("Ask about this reading")).fill("Is this a diagnosis?")
    button(page, N_("Send")).click()
    sync_api.expect(page.locator("#chat .bot")).not_to_have_text("", timeout=60_000)
    sync_api.expect(button(page, messages.STOP, 1)).to_be_disabled(timeout=60_000)

    page.get_by_label(messages.REVIEWER).fill("Dr Ada Weiss")
    page.get_by_label(N_("Your role"), exact=True).fill("Neurologist")
    page.locator("#field-follow_up textarea").fill("Again in two weeks")
    assert "Again in two weeks" in saved(page, "Markdown")
    record = saved(page, "JSON")
    assert "Again in two weeks" in record
    assert "Sleeps badly <b>since</b> March" in str(json.loads(record))
    page.get_by_text(N_("The exact prompt")).click()
    assert "34 years" in page.locator("#prompt textarea").input_value()
    assert fits(page)
    shot(page, "wide-light")

    button(page, N_("Clear everything")).click()
    sync_api.expect(page.get_by_text(N_("Your reading appears here"))).to_be_visible()
    assert page.get_by_label(messages.COMPLAINT).input_value() == ""
    assert page.outside == []
    page.context.close()


def test_the_page_can_load_and_send_nothing_elsewhere(browser: Any, address: str) -> None:
    hits: list[str] = []

    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hits.append(self.path)

        do_POST = do_GET

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = open_page(browser, address, WIDE, "light")
        page.get_by_text(NOTICE).wait_for()
        other = f"http://127.0.0.1:{server.server_port}"
        assert "getRandomValues" in page.evaluate("String(Math.random)")  # from which Gradio draws a visit's name
        assert page.evaluate("[...Array(99)].every(() => 0 <= Math.random() && Math.random() < 1)")
        assert page.evaluate("fetch(location.href).then((answer) => answer.ok)")
        assert page.evaluate(
            """async (other) => {
              document.body.insertAdjacentHTML("beforeend", `
                <img src="${other}/img.png"><video src="${other}/v.mp4"></video><iframe src="${other}/frame"></iframe>
                <div style="background: url(${other}/bg.png); width: 9px; height: 9px"></div>
                <link rel="stylesheet" href="${other}/style.css">
                <form id="f" method="post" action="${other}/form"></form>`);
              document.getElementById("f").submit();
              const refused = await fetch(`${other}/fetch`).then(() => false, () => true);
              await new Promise((done) => setTimeout(done, 500));
              return refused;
            }""",
            other,
        )
        server.shutdown()
    assert hits == []
    page.context.close()


def test_stop_and_again_on_a_dark_phone(browser: Any, address: str) -> None:
    page = open_page(browser, address, PHONE, "dark")
    page.get_by_label(
        N_("I am this person or act with their agreement, and they know that an AI infers an emotion.")
    ).check()
    page.get_by_label("Poor contact").check()
    button(page, N_("Analyse")).click()
    page.locator(".stages .now").wait_for()
    button(page, messages.STOP).click()
    page.get_by_text(N_("Stopped. Press Analyse to start again.")).wait_for(timeout=5_000)
    page.wait_for_timeout(1_000)
    assert page.locator(".stages").count() == 0  # nothing of the stopped run comes late
    button(page, N_("Analyse")).click()
    page.get_by_text("Done in").wait_for(timeout=120_000)
    assert fits(page)
    shot(page, "phone-dark")
    page.context.close()


def test_two_browsers_at_once_wait_visibly(browser: Any, address: str) -> None:
    pages = [open_page(browser, address, WIDE, "light") for _ in range(2)]
    for page in pages:
        page.get_by_label(
            N_("I am this person or act with their agreement, and they know that an AI infers an emotion.")
        ).check()
        page.get_by_label("Eyes closed").check()
    for page in pages:
        button(page, N_("Analyse")).click()
    for _ in range(200):  # whichever press came second
        if any(
            page.get_by_text(N_("1 person is ahead of you. Your turn comes by itself.")).is_visible() for page in pages
        ):
            break
        pages[0].wait_for_timeout(100)
    else:
        pytest.fail("neither page says that somebody is ahead")
    for page in pages:
        page.get_by_text("Done in").wait_for(timeout=120_000)
        page.context.close()
