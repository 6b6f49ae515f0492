import pytest

from copilot.i18n import N_
from copilot.llm.base import EngineError
from copilot.person import PatientIdentity
from copilot.settings import Settings
from copilot.web import chat
from copilot.web.queue import Service
from copilot.web.session import Session
from tests.helpers.fake_engine import FakeEngine
from tests.helpers.pages import html, merged, started
from tests.helpers.records import drafted
from tests.helpers.serving import laid_out


@pytest.fixture
def told() -> Session:
    roles = ("system", "user", "assistant")
    return Session(opening=[{"role": role, "content": f"the {role}"} for role in roles])  # type: ignore[typeddict-item]


def test_chat_streams_and_remembers(told: Session) -> None:
    engine = FakeEngine(answers=["Rather sure.", "No."])
    page = laid_out(started(engine))
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
    engine = FakeEngine(answers=["One two three four five six seven eight nine ten."], delay=0.03)
    page = laid_out(started(engine))
    chatbot = page.chat.chatbot
    updates = chat.ask(page, told, "What does it mean?")
    next(update for update in updates if "two" in update[chatbot][-1]["content"])
    updates.close()
    assert engine.stopped == 1
    assert chat.stop_answer(page, told)[chatbot][-1]["content"].startswith("One two")
    assert merged(chat.ask(page, told, "And now?"))[chatbot][-1]["content"]


def test_question_before_a_reading_and_failing_model_are_sentences(told: Session) -> None:
    page = laid_out(started())
    said = html(merged(chat.ask(page, Session(), "Why?"))[page.chat.status])
    assert N_("Analyse a recording first; then there is something to ask about.") in said
    failing = laid_out(started(FakeEngine(error=EngineError("The server is gone; start it again."))))
    assert "start it again" in html(merged(chat.ask(failing, told, "Why?"))[failing.chat.status])
