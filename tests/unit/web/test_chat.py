import base64

import pytest

from copilot.i18n import N_
from copilot.llm.base import EngineError
from copilot.person import PatientIdentity
from copilot.record.review import edit
from copilot.settings import Settings
from copilot.web import chat
from copilot.web.queue import Service
from copilot.web.session import Session
from tests.helpers.facts import make_facts
from tests.helpers.fake_engine import FakeEngine
from tests.helpers.pages import html, merged, started
from tests.helpers.records import NOW, REVIEWER, drafted
from tests.helpers.serving import laid_out


@pytest.fixture
def told() -> Session:
    roles = ("system", "user", "assistant")
    opening = [{"role": role, "content": f"the {role}"} for role in roles]
    return Session(opening=opening, facts=make_facts())  # type: ignore[arg-type]


def test_an_answer_streams_names_its_facts_and_is_remembered(told: Session) -> None:
    engine = FakeEngine(answers=["Please talk with someone you trust.", "Take your time."])
    page = laid_out(started(engine))
    updates = list(chat.ask(page, told, " I had a hard week "))
    answers = [update[page.chat.chatbot][-1] for update in updates if page.chat.chatbot in update]
    assert answers[-1]["role"] == "assistant"
    assert answers[-1]["content"].startswith("Please talk with someone you trust.")
    list(chat.ask(page, told, "And what else?"))
    contents = [message["content"] for message in engine.calls[-1].messages]
    assert contents[-3:] == ["I had a hard week", "Please talk with someone you trust.", "And what else?"]
    shown = merged(chat.ask(page, told, "How long was the recording?"))[page.chat.chatbot][-1]["content"]
    assert "<summary>Facts of this reading: " in shown
    assert "The recording is 40 s long." in shown.split("<li>", 1)[1]


def test_the_buttons_hold_questions_that_fit_what_was_asked(told: Session) -> None:
    page = laid_out(started(FakeEngine(answers=["Fine."])))
    shown = merged(chat.ask(page, told, "Which emotion came second?"))
    offered = [shown[button]["value"] for button in page.chat.asks]
    assert len(set(offered[:3])) == 3
    assert all(offered[:3])
    assert shown[page.chat.asks[3]]["visible"] is False


def test_what_the_record_corrects_is_corrected_in_the_chat(told: Session) -> None:
    told.record = edit(drafted(), "bad_channels", "O1 (loose)", REVIEWER, NOW)
    page = laid_out(started(FakeEngine(answers=["Fine."])))
    shown = merged(chat.ask(page, told, "Were any electrodes bad?"))[page.chat.chatbot][-1]["content"]
    assert "O1 (loose)" in shown
    assert "T7" not in shown.split("<li>", 1)[1]


def test_markup_in_question_and_answer_stays_text(told: Session) -> None:
    page = laid_out(started(FakeEngine(answers=["Look <img src=x> here."])))
    asked, answer = merged(chat.ask(page, told, "What is <b>this</b>?"))[page.chat.chatbot]
    assert "&lt;b&gt;this&lt;/b&gt;" in asked["content"]
    assert "<img" not in answer["content"]


def test_ratings_are_in_the_visitors_own_download_and_nowhere_else(told: Session) -> None:
    page = laid_out(started(FakeEngine(answers=["Take your time."])))
    list(chat.ask(page, told, "I had a hard week"))

    class Liked:
        index, liked = 1, True

    chat.rate_answer(told, Liked())  # type: ignore[arg-type]
    file = chat.download(page, told)[page.chat.file]
    text = base64.b64decode(file["base64"]).decode()
    assert "> I had a hard week\nTake your time. [+]" in text
    assert "not a medical device" in text


def test_a_question_names_nobody_to_the_model(told: Session) -> None:
    engine = FakeEngine()
    told.record = drafted(patient=PatientIdentity(name="Rosa Lind", number="47-11b"))
    page = laid_out(started(engine))
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


def test_less_certain_words_of_danger_show_the_visitors_country_beside_the_answer(told: Session) -> None:
    told.region = "NZ"
    page = laid_out(started())
    shown = merged(chat.ask(page, told, "I feel like nothing matters and I might do something stupid tonight"))
    assert "If you are in New Zealand" in html(shown[page.results.urgent])
    assert "If you are in New Zealand" in shown[page.chat.chatbot][-1]["content"]


def test_stopped_answer_keeps_what_was_said(told: Session) -> None:
    engine = FakeEngine(
        answers=["Please talk with someone you trust. Take your time. Please talk with someone you trust."], delay=0.03
    )
    page = laid_out(started(engine))
    chatbot = page.chat.chatbot
    updates = chat.ask(page, told, "What does it mean?")
    next(update for update in updates if chatbot in update and "trust" in update[chatbot][-1]["content"])
    updates.close()
    assert engine.stopped == 1
    assert chat.stop_answer(page, told)[chatbot][-1]["content"].startswith("Please talk")
    assert merged(chat.ask(page, told, "And now?"))[chatbot][-1]["content"]


def test_question_before_a_reading_and_failing_model_are_sentences(told: Session) -> None:
    page = laid_out(started())
    said = html(merged(chat.ask(page, Session(), "Why?"))[page.chat.status])
    assert N_("Analyse a recording first; then there is something to ask about.") in said
    failing = laid_out(started(FakeEngine(error=EngineError("The server is gone; start it again."))))
    assert "start it again" in html(merged(chat.ask(failing, told, "Why?"))[failing.chat.status])
