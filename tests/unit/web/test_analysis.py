import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from copilot import pipeline
from copilot.events import Event
from copilot.i18n import N_
from copilot.llm.base import EngineError
from copilot.settings import Settings
from copilot.web import analysis, uploads
from copilot.web.queue import Service
from copilot.web.session import Form, Session
from tests.helpers.fake_engine import FakeEngine
from tests.helpers.pages import AGREED, NASTY, html, idle, merged, started, with_upload
from tests.helpers.records import drafted
from tests.helpers.serving import laid_out


def test_main_job_from_an_example_to_a_record() -> None:
    visit, form = Session(), Form(consent=True, gender="female", age="34", source="eyes-closed")
    page = laid_out(started())
    results = page.results
    updates = list(analysis.analyse(page, visit, form))
    order = [component for update in updates for component in update]
    shown = merged(iter(updates))
    prompted = order.index(page.prompt)
    assert order.index(results.signal) < prompted < order.index(results.assessment, prompted)
    assert "data:image/png" in shown[results.signal]
    assert "Film recognised: joy" in shown[results.emotion]
    assert "settled, pleasant state" in shown[results.assessment]
    assert "Repeat the recording" in shown[results.assessment]
    assert "34 years" in shown[page.prompt]
    assert visit.record is not None
    assert visit.record.field("age").value == "34"
    assert visit.pictures is not None
    assert "Done in" in html(shown[results.progress])
    assert shown[page.actions.analyse]["interactive"]
    assert [turn["role"] for turn in visit.opening] == ["system", "user", "assistant"]


def test_damaged_upload_is_refused_beside_the_upload() -> None:
    visit, page = with_upload("person.edf", b"0       not an EDF at all"), laid_out(started())
    shown = merged(analysis.analyse(page, visit, Form(consent=True)))
    sentence = html(shown[page.recording.problem])
    assert sentence.startswith('<div class="problem"')
    assert "Traceback" not in sentence
    assert shown[page.actions.analyse]["interactive"]


@pytest.mark.parametrize(
    ("form", "place", "sentence"),
    [
        (Form(), "consent", N_("Please agree to the notice first.")),
        (Form(consent=True), "recording", N_("Add an EEG file or choose one of the examples.")),
        (Form(consent=True, age="old", source="busy"), "person", "whole years from 0 to 120"),
        (Form(consent=True, age="121", source="busy"), "person", "121"),
        (Form(consent=True, complaint="x" * 601, source="busy"), "person", "at most 600"),
        (Form(consent=True, sfreq="fast", source="busy"), "recording", "not a sampling rate"),
        (Form(consent=True, trial="second", source="busy"), "recording", "not the number of a trial"),
    ],
)
def test_wrong_input_is_one_sentence_where_it_belongs(form: Form, place: str, sentence: str) -> None:
    page = laid_out(started())
    assert sentence in html(merged(analysis.analyse(page, Session(), form))[getattr(page, place).problem])


def test_wrong_input_leaves_the_reading_before_it_alone() -> None:
    visit, page = Session(record=drafted()), laid_out(started())
    shown = merged(analysis.analyse(page, visit, Form(consent=True, age="old", source="busy")))
    assert visit.record is not None
    assert not {page.results.emotion, page.results.assessment, page.record.redraw} & shown.keys()


def test_model_that_cannot_be_opened_is_one_sentence(brought: Session) -> None:
    def missing(_: Settings) -> FakeEngine:
        raise EngineError("The model file is missing; run `make model`.")

    service = Service(Settings(), missing)
    service.start()
    page = laid_out(service)
    assert "run `make model`" in html(merged(analysis.analyse(page, brought, AGREED))[page.results.progress])


def test_surprise_is_one_sentence_and_the_log_quotes_nobody(
    brought: Session, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> Iterator[Event]:
        raise KeyError("complaint of Jane Doe")

    monkeypatch.setattr(pipeline, "analyse", broken)
    page = laid_out(started())
    with caplog.at_level(logging.DEBUG):
        shown = merged(analysis.analyse(page, brought, AGREED))
    assert N_(
        "Something went wrong inside the copilot. Nothing was kept; please try again or try another file."
    ) in html(shown[page.results.progress])
    assert "KeyError at" in caplog.text
    assert "Jane" not in caplog.text


def test_words_of_danger_in_the_form_are_answered_first() -> None:
    form = Form(consent=True, complaint="I want to kill myself", source="busy")
    page = laid_out(started())
    updates = analysis.analyse(page, Session(), form)
    with_urgent = next(update for update in updates if html(update.get(page.results.urgent, "")))
    updates.close()
    assert 'role="alert"' in html(with_urgent[page.results.urgent])
    assert page.results.signal not in with_urgent


def test_stop_while_cleaning_ends_at_once_and_leaves_no_file(
    brought: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    page, seconds = laid_out(started()), []
    for _ in range(3):
        updates = analysis.analyse(page, brought, AGREED)
        next(update for update in updates if "Reading the file ✓" in html(update.get(page.results.progress, "")))
        assert any(tmp_path.iterdir())
        began = time.perf_counter()
        updates.close()
        seconds.append(time.perf_counter() - began)
        assert not any(tmp_path.iterdir())
    assert min(seconds) < 0.2  # 0.005 s on an idle machine; the best, because others may use the cores too


def test_stop_while_writing_ends_the_stream_and_the_next_analysis_runs(brought: Session) -> None:
    engine = FakeEngine(delay=0.01)
    page = laid_out(started(engine))
    updates = analysis.analyse(page, brought, AGREED)
    next(update for update in updates if "settled" in update.get(page.results.assessment, ""))
    updates.close()
    assert engine.stopped == 1
    assert brought.opening == []
    assert "Done in" in html(merged(analysis.analyse(page, brought, AGREED))[page.results.progress])


def test_stop_has_the_last_word_and_analyse_works_again(brought: Session) -> None:
    page = laid_out(started())
    progress = page.results.progress
    updates = analysis.analyse(page, brought, AGREED)
    next(update for update in updates if "Reading the file ✓" in html(update.get(progress, "")))
    said = analysis.stop(page, brought)
    assert N_("Stopped. Press Analyse to start again.") in html(said[progress])
    assert [html(update[progress]) for update in updates] == [html(said[progress])]
    assert "Done in" in html(merged(analysis.analyse(page, brought, AGREED))[page.results.progress])


def test_second_press_replaces_the_first(brought: Session) -> None:
    page = laid_out(started())
    first, second = (analysis.analyse(page, brought, AGREED) for _ in range(2))
    next(first)
    next(second)
    assert list(first) == []
    assert "Done in" in html(merged(second)[page.results.progress])


def test_particulars_are_in_the_record_and_not_in_the_prompt() -> None:
    visit, form = Session(), Form(consent=True, source="busy", name="Rosa Lind", number="4711", laboratory="TSH 2.1")
    page = laid_out(started())
    shown = merged(analysis.analyse(page, visit, form))
    assert visit.record is not None
    assert [visit.record.field(key).value for key in ("name", "number", "laboratory")] == [
        "Rosa Lind",
        "4711",
        "TSH 2.1",
    ]
    assert all(text not in shown[page.prompt] for text in ("Rosa", "4711", "TSH"))


def test_upload_is_in_memory_and_gone_from_disk(tmp_path: Path) -> None:
    path = tmp_path / "hash" / "mine.edf"
    path.parent.mkdir()
    path.write_bytes(b"data")
    visit = Session()
    page = laid_out(idle())
    shown = analysis.take_upload(page, "recording", visit, [{"path": str(path), "orig_name": NASTY}])
    assert visit.recording == (uploads.Attachment(NASTY, b"data"),)
    assert not any(tmp_path.iterdir())
    assert "<img" not in html(shown[page.recording.recording_kept])


def test_files_that_are_too_large_together_are_refused_and_gone_from_disk(tmp_path: Path) -> None:
    files = []
    for name in ("one.eeg", "two.eeg"):
        path = tmp_path / name / name
        path.parent.mkdir()
        path.write_bytes(bytes(600 * 2**10))
        files.append({"path": str(path), "orig_name": name})
    visit = Session()
    page = laid_out(idle(max_upload_mb=1))
    shown = analysis.take_upload(page, "recording", visit, files)
    assert "at most 1 MB" in html(shown[page.recording.problem])
    assert visit.recording == ()
    assert not any(tmp_path.iterdir())


def test_clear_forgets_everything() -> None:
    page = laid_out(idle())
    shown = analysis.clear(page, with_upload("mine.edf", b"data"))
    assert shown[page.session].recording == () == shown[page.session].baselines
    assert shown[page.session].record is None
    assert shown[page.chat.chatbot] == []
    assert (shown[page.person.complaint], shown[page.person.age], shown[page.consent.consent]) == ("", "", False)
    assert not shown[page.actions.analyse]["interactive"]
