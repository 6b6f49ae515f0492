"""What a visitor sees: every card, also in a slow browser; the newest answer; mistakes; markup of others as letters."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from copilot.eeg import simulate
from copilot.i18n import N_, messages
from copilot.person import PatientIdentity
from copilot.record.export.json_format import to_json
from tests.helpers.fake_engine import FakeEngine
from tests.helpers.records import drafted
from tests.helpers.serving import CHROMIUM, PHONE, WIDE, button, served

sync_api = pytest.importorskip("playwright.sync_api", reason="Install requirements-dev.txt for the browser tests.")
expect = sync_api.expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="No Chromium found; on Debian: apt-get install chromium"),
    # In the server's threads, where Gradio asks pandas for what it is about to drop.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

HEADINGS = (
    N_("The signal"),
    N_("The reading"),
    N_("The assessment"),
    N_("Ask about it"),
    N_("The record"),
)


@pytest.fixture(scope="module")
def engine() -> FakeEngine:
    return FakeEngine(delay=0.005)


@pytest.fixture(scope="module")
def address(engine: FakeEngine) -> Iterator[str]:
    with served(lambda _: engine) as address:
        yield address


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 simulated seconds, so that cleaning is quick."""
    made, path = simulate.simulate(20, seed=4), tmp_path_factory.mktemp("recording") / "mine.npz"
    np.savez(path, data=made.data, sfreq=made.sfreq, channels=np.array(made.channels), units=np.array("uV"))
    return path


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Any]:
    """Opens the page; what is left open is closed."""
    contexts = []

    def open_page(slower: int = 1, **options: Any) -> Any:
        contexts.append(browser.new_context(**{"viewport": WIDE, "locale": "en-GB", **options}))
        page = contexts[-1].new_page()
        page.set_default_timeout(60_000)
        if slower > 1:
            contexts[-1].new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slower})
        page.goto(address)
        page.get_by_label(
            N_("I am this person or act with their agreement, and they know that an AI infers an emotion.")
        ).check()
        return page

    yield open_page
    for context in contexts:
        context.close()


def upload(page: Any, *files: Path | dict[str, Any]) -> None:
    page.locator("input[type=file]").first.set_input_files(list(files))
    name = files[0].name if isinstance(files[0], Path) else files[0]["name"]
    page.get_by_text(f"In memory, no longer on disk: {name}").wait_for()


def analyse(page: Any) -> None:
    button(page, N_("Analyse")).click()
    page.get_by_text("Done in").wait_for()


def ask(page: Any, question: str) -> None:
    before = page.locator("#chat .user").count()
    page.get_by_placeholder(N_("Ask about this reading")).fill(question)
    button(page, N_("Send")).click()
    expect(page.locator("#chat .user")).to_have_count(before + 1)
    expect(page.locator("#chat .bot").last).not_to_have_text("")
    expect(button(page, messages.STOP, 1)).to_be_disabled()


def headings(page: Any) -> list[str]:
    return [text for text in page.locator("#results h2:visible").all_inner_texts() if text in HEADINGS]


@pytest.mark.parametrize("run", range(10))
def test_every_card_appears_in_a_browser_at_a_quarter_of_the_speed(visit: Any, recording: Path, run: int) -> None:
    look = {"viewport": PHONE, "color_scheme": "dark"} if run % 2 else {}
    page = visit(slower=4, **look)
    upload(page, recording)
    analyse(page)
    page.locator("#reviewer").wait_for()
    assert headings(page) == list(HEADINGS)
    assert page.locator(".bars li").count() == 9
    assert page.locator(".essay").inner_text().strip()
    expect(page.get_by_text(N_("Your reading appears here"))).to_be_hidden()


def test_a_question_as_soon_as_there_is_a_chat_costs_nothing(visit: Any, recording: Path) -> None:
    page = visit(color_scheme="dark")  # on a dark page the record's pictures are drawn again, after the reading
    upload(page, recording)
    button(page, N_("Analyse")).click()
    ask(page, "What does it mean?")
    page.locator("#reviewer").wait_for()
    assert headings(page) == list(HEADINGS)
    expect(button(page, N_("Analyse"))).to_be_enabled()


def test_the_newest_answer_is_in_view(visit: Any, recording: Path) -> None:
    page = visit(viewport=PHONE)
    upload(page, recording)
    analyse(page)
    for question in ("What does it mean?", "And then?", "Why?", "What can I do now?"):
        ask(page, question)
    page.wait_for_timeout(1000)  # it scrolls smoothly
    box = page.locator("#chat .bubble-wrap").bounding_box()
    newest = page.locator("#chat .bot").last.bounding_box()
    assert newest["y"] >= box["y"] - 1
    assert newest["y"] + newest["height"] <= box["y"] + box["height"] + 1


def test_words_of_danger_in_the_chat_stand_in_the_banner(visit: Any, recording: Path) -> None:
    page = visit()
    upload(page, recording)
    analyse(page)
    ask(page, "I do not want to live any more")
    expect(page.locator(".urgent")).to_contain_text("988")
    box = page.locator(".urgent").bounding_box()
    assert box["y"] >= 0
    assert box["y"] < WIDE["height"] / 2


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("scan.pdf", b"%PDF-1.4 hello", "PDF"),
        ("photo.edf", b"\xff\xd8\xff\xe0 a picture", "picture"),
        ("cut.edf", b"0       " + b" " * 300, "damaged"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_where_one_looks(visit: Any, name: str, content: bytes, said: str) -> None:
    page = visit()
    upload(page, {"name": name, "mimeType": "application/octet-stream", "buffer": content})
    button(page, N_("Analyse")).click()
    for side in ("#left", "#progress"):
        expect(page.locator(side).get_by_role("alert")).to_contain_text(said, ignore_case=True)
    expect(page.locator(".stages")).to_have_count(0)
    expect(button(page, N_("Analyse"))).to_be_enabled()


def test_an_empty_file_and_no_file_are_said(visit: Any) -> None:
    page = visit()
    button(page, N_("Analyse")).click()
    expect(page.locator("#progress").get_by_role("alert")).to_have_text(
        N_("Add an EEG file or choose one of the examples.")
    )
    empty = {"name": "zero.edf", "mimeType": "application/octet-stream", "buffer": b""}
    page.locator("input[type=file]").first.set_input_files([empty])
    expect(page.locator("#left").get_by_role("alert")).to_have_text(
        N_("This file is empty. Copy or export it again, then choose it again.")
    )
    expect(page.get_by_text("zero.edf")).to_have_count(0)


def test_stop_while_writing_keeps_the_signal_and_the_next_run_is_whole(visit: Any, engine: FakeEngine) -> None:
    page = visit()
    page.get_by_label("Eyes closed").check()
    engine.delay = 0.2
    try:
        button(page, N_("Analyse")).click()
        page.locator(".headline").wait_for()
        button(page, messages.STOP).click()
        page.get_by_text(N_("Stopped. Press Analyse to start again.")).wait_for()
    finally:
        engine.delay = 0.005
    expect(page.get_by_alt_text(messages.SIGNAL_ALT)).to_be_visible()
    expect(page.get_by_text(N_("Ask about it"), exact=True)).to_be_hidden()
    analyse(page)
    page.locator("#reviewer").wait_for()
    assert headings(page) == list(HEADINGS)


def test_a_reading_whose_form_has_changed_says_so_and_leaving_asks(visit: Any, recording: Path) -> None:
    page = visit()
    upload(page, recording)
    analyse(page)
    page.locator("#reviewer").wait_for()
    expect(
        page.get_by_text(
            N_("The form has changed since this reading. Press Analyse for a reading of what it says now.")
        )
    ).to_be_hidden()
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.get_by_placeholder(N_("What brings them here")).fill("Sleeps badly")
    expect(
        page.get_by_text(
            N_("The form has changed since this reading. Press Analyse for a reading of what it says now.")
        )
    ).to_be_visible()
    analyse(page)
    expect(
        page.get_by_text(
            N_("The form has changed since this reading. Press Analyse for a reading of what it says now.")
        )
    ).to_be_hidden()
    page.get_by_role("link", name="中文").click()
    page.wait_for_url("**/zh")
    assert asked == ["beforeunload"]


def test_a_text_that_is_too_long_is_not_cut_without_a_word(visit: Any) -> None:
    page = visit()
    page.get_by_label("Eyes closed").check()
    page.get_by_placeholder(N_("What brings them here")).fill("x" * 601)
    button(page, N_("Analyse")).click()
    expect(page.locator("#progress").get_by_role("alert")).to_contain_text("at most 600")
    assert page.get_by_placeholder(N_("What brings them here")).input_value() == "x" * 601


# Markup from a person, a file or a model


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """Another server, and the paths that somebody asked it for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_markup_of_others_loads_nothing_and_stays_letters(
    visit: Any, address: str, engine: FakeEngine, elsewhere: tuple[str, list[str]], tmp_path: Path
) -> None:
    other, asked = elsewhere

    def image(where: str) -> str:
        return f'<img src="{other}/{where}.png"> ![x]({other}/{where}-md.png) <b>{where}</b>'

    page = visit()
    outside: list[str] = []
    own = (address, "data:", "blob:")
    page.on("request", lambda request: None if request.url.startswith(own) else outside.append(request.url))
    made = simulate.simulate(20, seed=4)
    path = tmp_path / "x.npz"
    labels = np.array([*made.channels, image("label")])
    np.savez(path, data=np.vstack([made.data, made.data[:1]]), sfreq=made.sfreq, channels=labels, units=np.array("uV"))
    name = f"<img src={other.removeprefix('http:').replace('/', '&#47;')}&#47;name.png>.npz"
    page.locator("input[type=file]").first.set_input_files(
        [{"name": name, "mimeType": "application/octet-stream", "buffer": path.read_bytes()}]
    )
    page.locator("#left .good-news").wait_for()
    page.get_by_placeholder(N_("What brings them here")).fill(image("complaint"))
    engine.answers = [f"Assessment: {image('assessment')}\nSuggestions:\n- {image('suggestion')}"]
    try:
        analyse(page)
        page.locator("#reviewer").wait_for()
        engine.answers = [image("answer")]
        ask(page, image("question"))
    finally:
        engine.answers = FakeEngine().answers
    expect(page.locator("#chat .user")).to_contain_text("<b>question</b>")
    expect(page.locator("#chat .bot").last).not_to_have_text("")  # an answer with markup is replaced by facts
    expect(page.locator(".essay")).to_contain_text("<b>assessment</b>")
    page.get_by_label(messages.REVIEWER).fill(f"{image('reviewer')[:100]} O'Neil & Sons [Berlin] *MD*"[-110:])
    page.get_by_label(N_("Your role"), exact=True).fill("Neurologist")
    page.locator("#accept-assessment").click()
    expect(page.locator("#field-assessment .origin")).to_contain_text("O'Neil & Sons [Berlin] *MD*")

    record = json.loads(to_json(drafted(patient=PatientIdentity(name=image("kept"), number=image("number")[:100]))))
    for section in record["sections"]:
        section["title"] = image("title")[:100]
        for field in section["fields"]:
            field["label"] = image("field-label")[:100]
    file = tmp_path / "record.json"
    file.write_text(json.dumps(record))
    page.get_by_text(N_("Go on with a record (JSON)")).click()
    page.on("dialog", lambda dialog: dialog.accept())
    page.locator("#actions input[type=file]").set_input_files(file)
    page.wait_for_timeout(2000)
    assert outside == []
    assert asked == []
    assert page.locator(f"img[src^='{other}']").count() == 0
