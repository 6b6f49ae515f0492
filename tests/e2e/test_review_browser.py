"""A clinician at the record panel, in a real browser: what is reviewed, typed, signed, kept and downloaded."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from copilot.chat.replies import nearest_questions
from copilot.i18n import N_, Translator, messages
from copilot.person import PatientIdentity
from copilot.record import review
from copilot.record.export.json_format import from_json, to_json
from copilot.record.model import Record
from copilot.record.store import Store
from copilot.web.layout import FIRST_QUESTIONS
from tests.helpers.fake_engine import FakeEngine
from tests.helpers.records import drafted
from tests.helpers.serving import CHROMIUM, PHONE, WIDE, button, fits, served

sync_api = pytest.importorskip("playwright.sync_api", reason="Install requirements-dev.txt for the browser tests.")
expect = sync_api.expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="No Chromium found; on Debian: apt-get install chromium"),
    # In the server's threads, where Gradio asks pandas for what it is about to drop.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def store(data: Path) -> Store:
    return Store(data)


@pytest.fixture(scope="module")
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture(scope="module")
def address(data: Path, engine: FakeEngine) -> Iterator[str]:
    with served(lambda _: engine, store=True, data=data) as address:
        yield address


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Any]:
    """Opens the page; what is left open is closed."""
    contexts = []

    def open_page(path: str = "", **options: Any) -> Any:
        contexts.append(browser.new_context(**{"viewport": WIDE, "locale": "en-GB", **options}))
        page = contexts[-1].new_page()
        page.set_default_timeout(20_000)
        page.goto(address + path)
        page.locator(".kept-row, #kept-card .quiet + *").first.wait_for()
        page.wait_for_timeout(300)  # until the list's stream has ended, with which Gradio may cancel what comes at once
        return page

    yield open_page
    for context in contexts:
        context.close()


def kept(store: Store, name: str, **changes: Any) -> Record:
    """A draft that is in the store under this name, with six suggestions to review."""
    record = drafted(patient=PatientIdentity(name=name), **changes)
    store.save(record)
    return record


def open_kept(page: Any, name: str) -> None:
    page.locator(".kept-row", has_text=name).get_by_role("button").first.click()
    page.locator("#reviewer").wait_for()


def box(page: Any, key: str) -> Any:
    return page.locator(f"#field-{key} textarea, #field-{key} input").first


def introduce(page: Any, name: str = "Dr Ada Weiss", role: str = "Neurologist") -> None:
    page.get_by_label(messages.REVIEWER).fill(name)
    page.get_by_label(N_("Your role"), exact=True).fill(role)


def reviewed(page: Any, done: int) -> None:
    """Wait until the panel says that so many suggestions are reviewed."""
    expect(page.locator(".left-to-review strong")).to_have_text(f"{done} of {6} suggestions reviewed")


def download(page: Any, format: str) -> bytes:
    with page.expect_download() as download:
        button(page, f"Download {format}").click()
    return Path(download.value.path()).read_bytes()


def test_review_sign_lock_and_amend(visit: Any, store: Store) -> None:
    draft = kept(store, "Rosa Lind")
    page = visit()
    open_kept(page, "Rosa Lind")
    reviewed(page, 0)
    expect(page.locator(".review")).to_have_count(6)
    expect(button(page, N_("Sign"))).to_be_disabled()

    introduce(page)
    for key in ("emotion", "probabilities", "three_class"):
        page.locator(f"#accept-{key}").click()
    box(page, "assessment").fill("Calm, in my view.")
    page.locator("#delete-suggestions").click()
    reviewed(page, 5)
    expect(page.locator("#field-assessment")).to_contain_text("Written by Dr Ada Weiss")
    expect(box(page, "suggestions")).to_have_value("")
    expect(page.locator(".left-to-review a")).to_have_text(["Valence (-1 to +1)"])
    expect(button(page, N_("Sign"))).to_be_disabled()
    page.locator("#accept-valence").click()
    button(page, N_("Sign")).click()

    expect(page.locator(".signed-by")).to_contain_text("Signed by Dr Ada Weiss, Neurologist")
    locked = page.locator(".record-fields :is(textarea, input)")
    assert locked.count() == len(draft.fields)
    assert all(locked.nth(n).is_disabled() for n in range(locked.count()))
    signed = from_json(download(page, "JSON").decode())
    assert signed == store.open(draft.id)[0]
    assert signed.signature is not None
    assert signed.field("assessment").value == "Calm, in my view."
    acts = [*["accepted"] * 3, "edited", "deleted", "accepted", "signed"]
    assert [change.action for change in signed.history] == acts

    button(page, N_("Amend")).click()
    expect(page.locator(".record-state")).to_contain_text("Version 2")
    box(page, "follow_up").fill("In two weeks")
    page.get_by_label(N_("What you sign")).click()
    expect(page.locator("#field-follow_up")).to_contain_text("Written by Dr Ada Weiss")
    amended = store.open(draft.id)[0]
    assert (amended.version, amended.status, amended.amends) == (2, "draft", signed.signature.sha256)
    assert amended.field("follow_up").value == "In two weeks"
    assert store.open(draft.id, 1)[0] == signed


def test_typed_text_is_not_lost_while_the_name_is_missing(visit: Any, store: Store) -> None:
    draft = kept(store, "Typed Text")
    page = visit(viewport=PHONE, color_scheme="dark")
    open_kept(page, "Typed Text")
    box(page, "follow_up").fill("Again in May")
    page.locator("#accept-emotion").click()
    expect(page.locator("#field-emotion").get_by_role("alert")).to_contain_text("Give your name and your role")
    assert box(page, "follow_up").input_value() == "Again in May"
    assert store.open(draft.id)[0] == draft
    assert fits(page)

    introduce(page)
    page.locator("#accept-emotion").click()
    reviewed(page, 1)
    assert box(page, "follow_up").input_value() == "Again in May"
    expect(page.locator("#record-card").get_by_role("alert")).to_have_count(0)
    record = store.open(draft.id)[0]
    assert record.field("follow_up").value == "Again in May"
    assert record.field("emotion").accepted


def test_text_that_is_being_typed_survives_other_presses(visit: Any, store: Store) -> None:
    kept(store, "Still Typing")
    page = visit()
    open_kept(page, "Still Typing")
    introduce(page)
    for key in ("emotion", "valence", "three_class"):
        page.locator(f"#accept-{key}").click()
        box(page, "follow_up").press_sequentially(f"{key} seen. ", delay=25)
    reviewed(page, 3)
    assert box(page, "follow_up").input_value() == "emotion seen. valence seen. three_class seen. "


def test_every_export_arrives_whole(visit: Any, store: Store) -> None:
    kept(store, "To Export")
    page = visit()
    open_kept(page, "To Export")
    assert download(page, "PDF").startswith(b"%PDF-")
    assert b'"resourceType":"Bundle"' in re.sub(rb"\s", b"", download(page, "FHIR R4"))
    assert "Draft medical record" in download(page, "Markdown").decode()
    with page.expect_download() as everything:
        button(page, N_("Export all")).click()
    assert Path(everything.value.path()).read_bytes().startswith(b"PK")


def test_two_reviewers_at_once_are_told_and_lose_nothing(visit: Any, store: Store) -> None:
    draft = kept(store, "Two Reviewers")
    page = visit()
    open_kept(page, "Two Reviewers")
    somebody = review.Reviewer("Dr Bo Berg", "Psychologist")
    other = review.edit(draft, "history", "no migraine", somebody, datetime.now(UTC))
    store.save(other)
    introduce(page)
    box(page, "complaint").fill("sleeps well")
    page.locator("#accept-emotion").click()
    expect(button(page, N_("Open the kept one instead"))).to_be_visible()
    assert store.open(draft.id)[0] == other
    assert box(page, "complaint").input_value() == "sleeps well"
    assert "sleeps well" in download(page, "JSON").decode()
    button(page, N_("Open the kept one instead")).click()
    expect(box(page, "history")).to_have_value("no migraine")


def test_a_kept_record_is_deleted_only_after_a_second_press(visit: Any, store: Store) -> None:
    kept(store, "Short Lived")
    page = visit()
    page.get_by_placeholder(N_("Words that stand in a record")).fill("short lived")
    rows = page.locator(".kept-row:not(.sure)")
    expect(rows).to_have_count(1)
    open_kept(page, "Short Lived")
    said = page.locator("#record-card .is-kept")
    expect(said).to_be_visible()
    expect(button(page, N_("Keep this record"))).to_be_hidden()
    rows.get_by_role("button").nth(1).click()
    button(page, N_("Cancel")).click()
    rows.get_by_role("button").nth(1).click()
    button(page, N_("Delete for good")).click()
    expect(page.get_by_text(N_("No kept record has these words."))).to_be_visible()
    assert store.find("short lived") == []
    expect(said).to_have_count(0)  # the record is still open, and says at once that it is not kept any more
    expect(button(page, N_("Keep this record"))).to_be_visible()


def test_a_downloaded_record_is_opened_again_and_what_is_being_typed_is_guarded(
    visit: Any, store: Store, tmp_path: Path
) -> None:
    kept(store, "Somebody")
    record, file = drafted(patient=PatientIdentity(name="Back Again")), tmp_path / "record.json"
    file.write_text(to_json(record))
    page = visit()
    page.get_by_text(N_("Go on with a record (JSON)")).click()
    page.locator("#actions input[type=file]").set_input_files(file)
    expect(box(page, "name")).to_have_value("Back Again")
    box(page, "follow_up").press_sequentially("In two")  # and the box is not left
    asked: list[str] = []
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    button(page, N_("Clear everything")).click()
    page.wait_for_timeout(500)
    assert asked == [messages.UNSAVED]
    expect(box(page, "follow_up")).to_have_value("In two")


def test_unsaved_work_is_asked_about_before_it_goes(visit: Any, store: Store) -> None:
    draft = kept(store, "Hers")
    page = visit()
    open_kept(page, "Hers")
    page.locator("#accept-emotion").click()  # without a name: work that waits
    expect(page.locator("#field-emotion").get_by_role("alert")).to_be_visible()
    asked: list[str] = []
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    button(page, N_("Clear everything")).click()
    page.wait_for_timeout(500)
    expect(page.locator("#reviewer")).to_be_visible()
    page.once("dialog", lambda dialog: dialog.accept())
    button(page, N_("Clear everything")).click()
    expect(page.locator("#reviewer")).to_have_count(0)
    assert asked == [messages.UNSAVED]
    assert store.open(draft.id)[0] == draft


def test_the_browser_s_language_decides_and_the_switch_changes_it(visit: Any, store: Store) -> None:
    kept(store, "王芳", language="zh")
    say = Translator("zh")
    page = visit(locale="zh-CN", viewport=PHONE)
    page.wait_for_url("**/zh")
    expect(button(page, say(N_("Analyse")))).to_be_visible()
    open_kept(page, "王芳")
    page.locator("#accept-emotion").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh")
    alert = page.locator("#field-emotion").get_by_role("alert")
    expect(alert).to_contain_text(say(messages.RECORD_NOBODY))
    assert fits(page)
    page.reload()
    page.get_by_role("link", name="English").click()
    expect(button(page, N_("Analyse"))).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_chinese_questions_are_answered_from_facts_in_chinese(visit: Any, engine: FakeEngine) -> None:
    say, page = Translator("zh"), visit("zh", locale="zh-CN")
    page.get_by_label(
        say(N_("I am this person or act with their agreement, and they know that an AI infers an emotion."))
    ).check()
    page.get_by_label(say(N_("Eyes closed (simulated)"))).check()
    button(page, say(N_("Analyse"))).click()
    page.get_by_text(say(messages.ABOUT_PROSE)).wait_for(timeout=60_000)
    engine.answers = ["请慢慢来。"]
    (question,) = nearest_questions(FIRST_QUESTIONS[:1], say)
    button(page, question).click(timeout=60_000)
    expect(page.locator("#chat .user")).to_contain_text(question)
    expect(page.locator("#chat .bot")).to_contain_text("请慢慢来", timeout=30_000)
    page.locator("#chat .facts summary").click()
    expect(page.locator("#chat .facts li").first).to_be_visible()
    expect(page.locator(".asks button:visible").first).not_to_have_text(question)
