import gc
import json
import logging
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.client import Job

from copilot import NOTICE, pipeline
from copilot.eeg import sandbox, simulate
from copilot.events import Event, StageBegun, StageProgress
from copilot.i18n import N_, Translator, messages
from copilot.llm.base import EngineError
from copilot.person import PatientIdentity
from copilot.record.database import StoreError
from copilot.record.export.json_format import to_json
from copilot.record.model import Record
from copilot.record.store import Entry
from copilot.result import Result
from copilot.settings import Settings, SettingsError
from copilot.web import analysis, browser, chat, record_panel, record_review, record_store, uploads
from copilot.web.guard import choose_language
from copilot.web.html import format_percent, message, render
from copilot.web.layout import Page
from copilot.web.page import build_page
from copilot.web.queue import Ahead, Queue, Service
from copilot.web.record_review import RecordPanel
from copilot.web.results import ResultScreen, render_emotion
from copilot.web.server import launch_page
from copilot.web.session import Form, Session, Update
from tests.helpers.fake_engine import ANSWER, FakeEngine
from tests.helpers.records import drafted, signed
from tests.helpers.serving import laid_out, quietly, served

NASTY = "<img src=x onerror=alert(1)>"
SAY = Translator("en")
AGREED = Form(consent=True, gender="female", age="34")


@pytest.fixture(scope="module", autouse=True)
def _no_worker_left() -> Iterator[None]:
    yield
    sandbox.cool_down()


def idle(**settings: Any) -> Service:
    return Service(Settings(**settings), lambda _: FakeEngine())


def serving(engine: FakeEngine | None = None, **settings: Any) -> Service:
    service = Service(Settings(**settings), lambda _: engine or FakeEngine())
    service.start()
    return service


def reading(probabilities: list[float], **changes: Any) -> Result:
    fields = {
        **{"readout": "both", "assessment": "", "suggestions": (), "raw": "", "timings": {}, "model": "fake"},
        **{"model_sha256": "", "prompt_sha256": "", "codec": "bands"},
    }
    return Result(probabilities=np.array(probabilities), **{**fields, **changes})


def merged(updates: Iterator[Update]) -> Update:
    """What the page shows in the end."""
    shown: Update = {}
    for update in updates:
        shown |= update
    return shown


def html(value: Any) -> str:
    return value["value"] if isinstance(value, dict) else value


def with_upload(name: str, content: bytes) -> Session:
    return Session(recording=(uploads.Attachment(name, content),))


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 simulated seconds, so that cleaning is quick."""
    made, path = simulate.simulate(20, seed=4), tmp_path_factory.mktemp("recording") / "mine.npz"
    np.savez(path, data=made.data, sfreq=made.sfreq, channels=np.array(made.channels), units=np.array("uV"))
    return path


@pytest.fixture
def brought(recording: Path) -> Session:
    return with_upload("mine.npz", recording.read_bytes())


# The page


def test_page_builds_without_a_server_and_names_nothing_outside() -> None:
    page = quietly(lambda: build_page(serving()))
    text = json.dumps(page.get_config_file(), default=str)
    assert NOTICE in text
    assert "eeg-emotion-copilot" in text
    assert browser.make_theme()._stylesheets == []


def test_page_of_a_server_says_where_prompts_go() -> None:
    service = Service(Settings(server="http://somebody:secret@10.0.0.7:11434/v1"), lambda _: FakeEngine())
    page = json.dumps(quietly(lambda: build_page(service)).get_config_file(), default=str)
    assert (
        "Prompts go to the language model server that this copilot was set up with: {server}".format(server="10.0.0.7")
        in page
    )
    assert "secret" not in page
    assert N_("Everything runs on the machine that serves this page.") not in page


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_taken_port_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        service = Service(Settings(port=port), lambda _: FakeEngine())
        with pytest.raises(SettingsError, match=f"Port {port} is taken.*EEG_COPILOT_PORT"):
            quietly(lambda: launch_page(build_page(service), service))
    gc.collect()  # Gradio leaves the socket open with which it looked for the port


# What a person sees


def test_bars_carry_nine_probabilities_three_classes_and_valence() -> None:
    shown = render_emotion(SAY, reading([0.02, 0.02, 0.02, 0.04, 0.1, 0.1, 0.1, 0.5, 0.1]))
    assert [shown.count(f"<span>{name}</span>") for name in pipeline.emotions.EMOTIONS] == [1] * 9
    assert "Most likely joy" in shown
    assert "50 %" in shown
    assert "negative 10 %" in shown
    assert "positive 80 %" in shown
    assert "+0.70" in shown


def test_flat_probabilities_are_called_uncertain() -> None:
    assert "Uncertain" in render_emotion(SAY, reading([1 / 9] * 9))
    assert "Uncertain" not in render_emotion(SAY, reading([0.9, 0.1, 0, 0, 0, 0, 0, 0, 0]))


def test_calibration_is_claimed_only_where_it_was_measured() -> None:
    measured, other = (render_emotion(SAY, reading([1 / 9] * 9, calibrated=calibrated)) for calibrated in (True, False))
    assert messages.CALIBRATED in measured
    assert messages.CALIBRATED not in other
    assert messages.NOT_CALIBRATED in other


def test_text_from_outside_is_escaped() -> None:
    shown = (
        render("prose", SAY, assessment=NASTY, suggestions=[NASTY], writing=False)
        + message("problem", NASTY)
        + message("urgent", NASTY)
        + message("good-news", NASTY)
        + render("masthead", SAY, model=NASTY, where=NASTY, addresses={}, languages={})
        + render(
            "stages", SAY, names=pipeline.STAGES, waiting=NASTY, progress={"read": None}, estimates={}, detail=NASTY
        )
        + render("done", SAY, sentences=[NASTY])
        + render_emotion(SAY, reading([1 / 9] * 9, model=NASTY, codec=NASTY, notes=(NASTY,)))
    )
    assert "<img" not in shown
    assert shown.count("&lt;img") == 13


def test_stages_show_what_is_done_and_how_long_the_rest_takes() -> None:
    page = laid_out(idle())
    screen = ResultScreen(page)
    screen.show(StageBegun("read", 1))
    screen.show(StageBegun("clean", 4))
    shown = html(screen.show(StageProgress("clean", 0.5, "finding eye movements"))[page.results.progress])
    assert "Reading the file ✓" in shown
    assert "width:50%" in shown
    assert "finding eye movements" in shown
    assert "about 3 s" in html(screen.show(StageBegun("write", 3))[page.results.progress])


def test_place_in_the_line_is_said() -> None:
    page = laid_out(idle())
    one, three = (html(ResultScreen(page).show(Ahead(count))[page.results.progress]) for count in (1, 3))
    assert N_("1 person is ahead of you. Your turn comes by itself.") in one
    assert "3 people are ahead" in three


# Analysing


def test_main_job_from_an_example_to_a_record() -> None:
    visit, form = Session(), Form(consent=True, gender="female", age="34", source="eyes-closed")
    page = laid_out(serving())
    results = page.results
    updates = list(analysis.analyse(page, visit, form))
    order = [component for update in updates for component in update]
    shown = merged(iter(updates))
    prompted = order.index(page.prompt)
    assert order.index(results.signal) < prompted < order.index(results.assessment, prompted)
    assert "data:image/png" in shown[results.signal]
    assert "Most likely joy" in shown[results.emotion]
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
    visit, page = with_upload("person.edf", b"0       not an EDF at all"), laid_out(serving())
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
    page = laid_out(serving())
    assert sentence in html(merged(analysis.analyse(page, Session(), form))[getattr(page, place).problem])


def test_wrong_input_leaves_the_reading_before_it_alone() -> None:
    visit, page = Session(record=drafted()), laid_out(serving())
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
    page = laid_out(serving())
    with caplog.at_level(logging.DEBUG):
        shown = merged(analysis.analyse(page, brought, AGREED))
    assert N_(
        "Something went wrong inside the copilot. Nothing was kept; please try again or try another file."
    ) in html(shown[page.results.progress])
    assert "KeyError at" in caplog.text
    assert "Jane" not in caplog.text


def test_words_of_danger_in_the_form_are_answered_first() -> None:
    form = Form(consent=True, complaint="I want to kill myself", source="busy")
    page = laid_out(serving())
    updates = analysis.analyse(page, Session(), form)
    with_urgent = next(update for update in updates if html(update.get(page.results.urgent, "")))
    updates.close()
    assert 'role="alert"' in html(with_urgent[page.results.urgent])
    assert page.results.signal not in with_urgent


def test_stop_while_cleaning_ends_at_once_and_leaves_no_file(
    brought: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    page, seconds = laid_out(serving()), []
    for _ in range(3):
        updates = analysis.analyse(page, brought, AGREED)
        next(update for update in updates if "Reading the file ✓" in html(update.get(page.results.progress, "")))
        assert any(tmp_path.iterdir())
        started = time.perf_counter()
        updates.close()
        seconds.append(time.perf_counter() - started)
        assert not any(tmp_path.iterdir())
    assert min(seconds) < 0.2  # 0.005 s on an idle machine; the best, because others may use the cores too


def test_stop_while_writing_ends_the_stream_and_the_next_analysis_runs(brought: Session) -> None:
    engine = FakeEngine(delay=0.01)
    page = laid_out(serving(engine))
    updates = analysis.analyse(page, brought, AGREED)
    next(update for update in updates if "settled" in update.get(page.results.assessment, ""))
    updates.close()
    assert engine.stopped == 1
    assert brought.opening == []
    assert "Done in" in html(merged(analysis.analyse(page, brought, AGREED))[page.results.progress])


def test_stop_has_the_last_word_and_analyse_works_again(brought: Session) -> None:
    page = laid_out(serving())
    progress = page.results.progress
    updates = analysis.analyse(page, brought, AGREED)
    next(update for update in updates if "Reading the file ✓" in html(update.get(progress, "")))
    said = analysis.stop(page, brought)
    assert N_("Stopped. Press Analyse to start again.") in html(said[progress])
    assert [html(update[progress]) for update in updates] == [html(said[progress])]
    assert "Done in" in html(merged(analysis.analyse(page, brought, AGREED))[page.results.progress])


def test_second_press_replaces_the_first(brought: Session) -> None:
    page = laid_out(serving())
    first, second = (analysis.analyse(page, brought, AGREED) for _ in range(2))
    next(first)
    next(second)
    assert list(first) == []
    assert "Done in" in html(merged(second)[page.results.progress])


# Waiting in line


def test_line_is_first_come_first_served() -> None:
    line = Queue()
    first, second, third = (line.run_in_turn(iter([name])) for name in "abc")
    assert next(first) == "a"
    assert next(second) == Ahead(1)
    assert next(third) == Ahead(2)
    assert list(first) == []
    assert [next(second), next(second)] == [Ahead(0), "b"]
    assert next(third) == Ahead(1)


def test_closing_frees_the_place() -> None:
    line = Queue()
    first, second = line.run_in_turn(iter("ab")), line.run_in_turn(iter("c"))
    next(first)
    assert next(second) == Ahead(1)
    first.close()
    assert next(second) == Ahead(0)
    second.close()
    assert next(line.run_in_turn(iter("d"))) == "d"


# The chat


@pytest.fixture
def told() -> Session:
    roles = ("system", "user", "assistant")
    return Session(opening=[{"role": role, "content": f"the {role}"} for role in roles])  # type: ignore[typeddict-item]


def test_chat_streams_and_remembers(told: Session) -> None:
    engine = FakeEngine(answers=["Rather sure.", "No."])
    page = laid_out(serving(engine))
    updates = list(chat.ask(page, told, " How sure are you? "))
    answers = [update[page.chat.chatbot][-1] for update in updates if page.chat.chatbot in update]
    assert len({answer["content"] for answer in answers}) > 2
    assert answers[-1] == {"role": "assistant", "content": "Rather sure."}
    list(chat.ask(page, told, "Is this a diagnosis?"))
    contents = [message["content"] for message in engine.calls[-1].messages]
    assert contents[-3:] == ["How sure are you?", "Rather sure.", "Is this a diagnosis?"]


def test_a_question_names_nobody_to_the_model(told: Session) -> None:
    engine = FakeEngine()
    told.record = drafted(patient=PatientIdentity(name="Rosa Lind", number="47-11b"))
    page = laid_out(serving(engine))
    shown = merged(chat.ask(page, told, "Is Rosa, chart 47-11b, born 12.03.1980, well?"))
    assert shown[page.chat.chatbot][0]["content"] == "Is (name), chart (number), born (date), well?"
    assert all(text not in str(engine.calls) for text in ("Rosa", "47-11b", "1980"))


def test_words_of_danger_in_the_chat_need_no_model_and_no_turn(told: Session) -> None:
    service = Service(Settings(), lambda _: FakeEngine())  # never started: the model never opens
    busy = service.queue.run_in_turn(iter("ab"))
    next(busy)
    page = laid_out(service)
    shown = merged(chat.ask(page, told, "I want to end my life"))
    assert len(shown[page.chat.chatbot][-1]["content"]) > 100


def test_stopped_answer_keeps_what_was_said(told: Session) -> None:
    engine = FakeEngine(answers=["One two three four five six seven eight nine ten."], delay=0.03)
    page = laid_out(serving(engine))
    chatbot = page.chat.chatbot
    updates = chat.ask(page, told, "What does it mean?")
    next(update for update in updates if "two" in update[chatbot][-1]["content"])
    updates.close()
    assert engine.stopped == 1
    assert chat.stop_answer(page, told)[chatbot][-1]["content"].startswith("One two")
    assert merged(chat.ask(page, told, "And now?"))[chatbot][-1]["content"]


def test_question_before_a_reading_and_failing_model_are_sentences(told: Session) -> None:
    page = laid_out(serving())
    said = html(merged(chat.ask(page, Session(), "Why?"))[page.chat.status])
    assert N_("Analyse a recording first; then there is something to ask about.") in said
    failing = laid_out(serving(FakeEngine(error=EngineError("The server is gone; start it again."))))
    assert "start it again" in html(merged(chat.ask(failing, told, "Why?"))[failing.chat.status])


# The record and its store


def test_particulars_are_in_the_record_and_not_in_the_prompt() -> None:
    visit, form = Session(), Form(consent=True, source="busy", name="Rosa Lind", number="4711", laboratory="TSH 2.1")
    page = laid_out(serving())
    shown = merged(analysis.analyse(page, visit, form))
    assert visit.record is not None
    assert [visit.record.field(key).value for key in ("name", "number", "laboratory")] == [
        "Rosa Lind",
        "4711",
        "TSH 2.1",
    ]
    assert all(text not in shown[page.prompt] for text in ("Rosa", "4711", "TSH"))


def boxes(record: Record, name: str = "Dr Ada Weiss", **texts: str) -> list[str]:
    """What the panel's boxes hold: reviewer, role, statement, fields."""
    return [name, "Neurologist", "I have reviewed it.", *(texts.get(f.key, f.value) for f in record.fields)]


def drawn(tmp_path: Path) -> tuple[RecordPanel, Session]:
    """The panel of a draft, on a page with a store, and the session of its visitor."""
    visit, panels = Session(record=drafted()), []

    def draw(page: Page) -> None:
        assert visit.record is not None
        panels.append(record_panel.add_panel(page, visit, visit.record))

    laid_out(serving(store=True, data=tmp_path), draw=draw)
    return panels[0], visit


def test_one_wrong_text_does_not_lose_another(tmp_path: Path) -> None:
    panel, visit = drawn(tmp_path)
    typed = boxes(drafted(), complaint="x" * 4001, follow_up="In two weeks.")
    shown = record_review.take_edits(panel, panel.fields["follow_up"].problem, visit, *typed)
    assert visit.record is not None
    assert visit.record.field("follow_up").value == "In two weeks."
    assert "at most 4000" in html(shown[panel.fields["complaint"].problem])
    assert not html(shown[panel.fields["follow_up"].problem])


def test_a_late_press_in_an_earlier_panel_changes_nothing(tmp_path: Path) -> None:
    panel, visit = drawn(tmp_path)
    first, visit.panel = visit.record, panel.token + 1
    shown = record_review.accept(panel, "emotion", visit, *boxes(drafted(), follow_up="In two weeks."))
    assert shown == gr.skip()
    assert visit.record is first


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


def raising(error: Exception) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


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


def test_nothing_of_a_store_is_on_the_page_unless_it_is_on(tmp_path: Path) -> None:
    without, with_it = (
        json.dumps(quietly(lambda: build_page(idle(**settings))).get_config_file(), default=str)  # noqa: B023
        for settings in ({}, {"store": True, "data": tmp_path})
    )
    assert N_("Kept records") not in without
    assert N_("Kept records") in with_it


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("fr-FR, zh-TW;q=0.5", "zh"),
        ("en-GB,zh;q=0.9", "en"),
        ("zh;q=0, en;q=0.1", "en"),
        ("de", "en"),
        (";;q=,zh;q=x", "en"),
    ],
)
def test_browser_s_language_decides(accept: str, language: str) -> None:
    assert choose_language(accept, ("en", "zh")) == language


# Uploads and forgetting


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


@pytest.mark.parametrize("name", ["../../evil", "/etc/passwd", "", "..", "a\0b", "x" * 300])
def test_names_from_the_browser_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    path = tmp_path / "in" / "safe.edf"
    path.parent.mkdir()
    path.write_bytes(b"data")
    files = uploads.write_attachments(
        uploads.read_uploads([{"path": str(path), "orig_name": name}], 1), tmp_path / "out"
    )
    assert [file.name for file in files] == ["safe.edf"]


def test_clear_forgets_everything() -> None:
    page = laid_out(idle())
    shown = analysis.clear(page, with_upload("mine.edf", b"data"))
    assert shown[page.session].recording == () == shown[page.session].baselines
    assert shown[page.session].record is None
    assert shown[page.chat.chatbot] == []
    assert (shown[page.person.complaint], shown[page.person.age], shown[page.consent.consent]) == ("", "", False)
    assert not shown[page.actions.analyse]["interactive"]


# Served

#: In the server's threads, where Gradio asks pandas for what it is about to drop.
over_the_wire = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def engine() -> FakeEngine:
    return FakeEngine(delay=0.02)


@pytest.fixture(scope="module")
def uploads_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gradio")


@pytest.fixture(scope="module")
def address(engine: FakeEngine, uploads_folder: Path) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(uploads_folder))
        with served(lambda _: engine) as address:
            yield address


@pytest.fixture
def visitor(address: str) -> Iterator[Client]:
    client = Client(address, verbose=False)
    yield client
    client.close()


def submit(client: Client, recording: Path, complaint: str = "") -> Job:
    client.predict([handle_file(recording)], api_name="/recording")
    return client.submit(True, "female", "34", "", complaint, "", "own", "", "", api_name="/analyse")


@over_the_wire
def test_main_job_over_the_wire_leaves_no_file(visitor: Client, recording: Path, uploads_folder: Path) -> None:
    page = everything_shown(submit(visitor, recording))
    assert "Done in" in page
    assert "settled, pleasant state" in page
    assert ANSWER.split()[1] in str(visitor.predict("How sure are you?", api_name="/ask"))
    assert [path for path in uploads_folder.rglob("*") if path.is_file()] == []


@over_the_wire
def test_two_visitors_at_once_never_see_each_other(address: str, engine: FakeEngine, recording: Path) -> None:
    clients = {complaint: Client(address, verbose=False) for complaint in ("apples", "pears")}
    jobs = {complaint: submit(client, recording, complaint) for complaint, client in clients.items()}
    pages = {complaint: everything_shown(job) for complaint, job in jobs.items()}
    assert engine.most_at_once == 1
    assert N_("1 person is ahead of you. Your turn comes by itself.") in str(pages)
    for mine, other in (("apples", "pears"), ("pears", "apples")):
        assert "Done in" in pages[mine]
        assert mine in pages[mine]
        assert other not in pages[mine]
    for client in clients.values():
        client.close()


@over_the_wire
def test_stop_then_analyse_again(visitor: Client, engine: FakeEngine, recording: Path) -> None:
    stopped = engine.stopped
    job = submit(visitor, recording)
    wait_until(lambda: "settled" in str(job.outputs()))
    assert N_("Stopped. Press Analyse to start again.") in str(visitor.predict(api_name="/stop"))
    wait_until(lambda: engine.stopped == stopped + 1)
    assert N_("Stopped. Press Analyse to start again.") in everything_shown(job)
    assert "Done in" in everything_shown(submit(visitor, recording))


@over_the_wire
def test_closed_tab_ends_its_analysis(visitor: Client, engine: FakeEngine, recording: Path) -> None:
    stopped = engine.stopped
    visitor.predict([handle_file(recording)], api_name="/recording")
    analyse = next(press for press in visitor.config["dependencies"] if press["api_name"] == "analyse")
    values = [None, True, "female", "34", *[""] * 3, "own", *[""] * 7, False]
    press = {"fn_index": analyse["id"], "session_hash": visitor.session_hash, "data": values}
    httpx.post(f"{visitor.src_prefixed}queue/join", json=press).raise_for_status()
    stream = f"{visitor.src_prefixed}queue/data?session_hash={visitor.session_hash}"
    with httpx.stream("GET", stream, timeout=60) as answer:
        next(line for line in answer.iter_lines() if "settled" in line)
    wait_until(lambda: engine.stopped == stopped + 1)


def everything_shown(job: Job) -> str:
    job.result(timeout=60)
    return str(job.outputs())


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_the_list_says_which_records_will_be_deleted_and_when() -> None:
    at = "2026-03-01T10:30:00Z"
    kept = Entry("a" * 8, version=1, status="draft", created=at, changed=at, headline="neutral", label="Rosa Lind")
    assert "2026-04-30" in render("kept_entry", SAY, entry=kept, due=datetime(2026, 4, 30, tzinfo=UTC))
    assert "deleted" not in render("kept_entry", SAY, entry=kept, due=None)


@pytest.mark.parametrize(("share", "shown"), [(0.0, "0 %"), (0.004, "< 1 %"), (0.006, "1 %"), (0.995, "100 %")])
def test_a_small_share_is_not_shown_as_none(share: float, shown: str) -> None:
    assert format_percent(share) == shown
