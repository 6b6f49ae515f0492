from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from copilot.record.database import StoreError
from copilot.record.export.json_format import to_json
from copilot.record.store import Entry
from copilot.web import record_review, record_store
from copilot.web.html import render
from copilot.web.session import Session
from tests.helpers.pages import SAY, boxes, drawn, html, idle
from tests.helpers.records import drafted, signed
from tests.helpers.serving import laid_out


def raising(error: Exception) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def test_a_change_that_could_not_be_kept_is_kept_at_the_next_press(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel, visit = drawn(tmp_path)
    store = panel.page.service.store
    assert store is not None
    assert visit.record is not None
    first = visit.record
    record_review.keep(panel, visit, False, *boxes(first))
    with monkeypatch.context() as patch:
        patch.setattr(store, "save", raising(StoreError("The disk is full.")))
        texts = boxes(first, follow_up="In two weeks.")
        shown = record_review.take_edits(panel, panel.fields["follow_up"].problem, visit, *texts)
    assert "The disk is full." in html(shown[panel.page.record.problem])
    assert store.open(first.id)[0] == first
    record_review.export(panel, "json", visit, *boxes(visit.record))
    assert store.open(first.id)[0] == visit.record
    assert visit.record.field("follow_up").value == "In two weeks."


def test_a_record_that_somebody_deleted_can_be_kept_again_and_does_not_come_back_by_itself(tmp_path: Path) -> None:
    panel, visit = drawn(tmp_path)
    store, card = panel.page.service.store, panel.page.record
    assert store is not None
    assert visit.record is not None
    record_review.keep(panel, visit, False, *boxes(visit.record))
    store.delete(visit.record.id)
    texts = boxes(visit.record, follow_up="In two weeks.")
    shown = record_review.take_edits(panel, panel.fields["follow_up"].problem, visit, *texts)
    assert "not kept any more" in html(shown[card.problem])
    assert shown[card.kept] == ""  # the style sheet shows the button again
    assert not store.find()
    record_review.keep(panel, visit, False, *boxes(visit.record))
    assert store.open(visit.record.id)[0] == visit.record


def test_a_record_that_was_downloaded_is_gone_on_with(tmp_path: Path) -> None:
    record, file = signed(), tmp_path / "record.json"
    file.write_text(to_json(record))
    visit = Session(reviewer=("Dr Ada Weiss", "Neurologist"))
    page = laid_out(idle())
    opened = record_store.open_file(page, visit, True, {"path": str(file), "orig_name": file.name})
    assert opened[page.session].record == record
    assert opened[page.record.redraw]  # which draws it
    assert not opened[page.session].unsaved
    assert not file.exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe", "not JSON"),
        (b"{}", "not a record that this version"),
        (to_json(signed()).replace("Dr Ada Weiss", "Dr Mallory").encode(), "changed after it was signed"),
        (b" " * 6_000_000, "at most 5"),
    ],
)
def test_a_file_that_is_no_record_is_refused_and_what_is_there_stays(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "record.json").write_bytes(content)
    visit = Session(record=drafted())
    path = {"path": str(tmp_path / "record.json"), "orig_name": "record.json"}
    page = laid_out(idle())
    shown = record_store.open_file(page, visit, True, path)
    assert said in html(shown[page.actions.problem])
    assert visit.record is not None
    assert page.session not in shown
    assert not (tmp_path / "record.json").exists()


def test_the_list_says_which_records_will_be_deleted_and_when() -> None:
    at = "2026-03-01T10:30:00Z"
    kept = Entry("a" * 8, version=1, status="draft", created=at, changed=at, headline="neutral", label="Rosa Lind")
    assert "2026-04-30" in render("kept_entry", SAY, entry=kept, due=datetime(2026, 4, 30, tzinfo=UTC))
    assert "deleted" not in render("kept_entry", SAY, entry=kept, due=None)
