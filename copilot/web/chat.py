"""The chat about a reading: what happens when somebody asks, or stops the answer."""

from collections.abc import Generator
from contextlib import closing
from html import escape
from typing import Any

import gradio as gr

from copilot import chat
from copilot.chat import Fixed
from copilot.deidentify import hidden
from copilot.i18n import N_, Translator, english
from copilot.llm.base import EngineError, Message, Token
from copilot.safety import Help, find_help
from copilot.web import panels
from copilot.web.errors import explain
from copilot.web.queue import Service
from copilot.web.render import joined, status
from copilot.web.session import Session
from copilot.web.wiring import Update

HALTED = N_("(stopped)")


def ask(service: Service, say: Translator, visit: Session, question: str) -> Generator[Update, None, None]:
    """Answer a question about the reading, streaming."""
    return visit.running(_ask(service, say, visit, question))


def _ask(service: Service, say: Translator, visit: Session, question: str) -> Generator[Update, None, None]:
    question = _unnamed(visit, question.strip())
    if not question:
        yield {"question": ""}
        return
    help_there = find_help(question)
    if help_there:
        yield {"urgent": panels.urgent(help_there.text)}
    if len(question) > chat.MAX_QUESTION and not (help_there and help_there.certain):
        too_long = say(english.QUESTION_TOO_LONG, length=len(question), most=chat.MAX_QUESTION)
        yield {"chat_status": panels.problem(too_long)}  # what was typed stays in its box
        return
    asked: Message = {"role": "user", "content": question}
    answer: Message = {"role": "assistant", "content": ""}
    earlier = [*visit.opening, *visit.answered]
    visit.turns += [asked, answer]
    yield {
        "question": "",
        "chatbot": turns(say, visit),
        "chat_stop": gr.update(interactive=True),
        "chat_status": "",
    }
    by_model = True
    try:
        with closing(_answer(service, earlier, question, _trust(visit), help_there)) as events:
            for event in joined(events):
                if isinstance(event, Token):
                    by_model = by_model and not isinstance(event, Fixed)
                    answer["content"] += event.text
                yield {"chatbot": turns(say, visit), "chat_status": panels.status(status(say, event))}
        if by_model and answer["content"]:
            visit.answered += [asked, answer]
    except Exception as error:
        yield {"chat_status": panels.problem(explain(say, error)[1])}
    finally:
        answer["content"] = answer["content"] or say(HALTED)
    yield {"chatbot": turns(say, visit), "chat_stop": gr.update(interactive=False)}


def _unnamed(visit: Session, question: str) -> str:
    """The question without the person's name and number, which must not reach the model."""
    named = {field.key: field.value for field in visit.record.fields} if visit.record else {}
    return hidden(question, name=named.get("name", ""), number=named.get("number", ""))


def _trust(visit: Session) -> str:
    """The quality of the recording that is talked about."""
    return visit.record.findings.trust if visit.record else "good"


def _answer(
    service: Service, conversation: list[Message], question: str, trust: str, help_there: Help | None
) -> Generator[Any, None, None]:
    """The events of one answer; words of danger do not wait for the model or in the line."""
    if help_there and help_there.certain:
        yield Fixed(help_there.text)
        return
    if not conversation:
        raise EngineError(N_("Analyse a recording first; then there is something to ask about."))
    yield from service.opened()
    engine, _ = service.tools()
    yield from service.line.in_turn(chat.ask(engine, conversation, question, trust))


def turns(say: Translator, visit: Session, nothing_said: str = "") -> list[dict[str, str]]:
    """The chat as the page shows it: letters only, since Gradio's chat draws HTML, whoever wrote it.

    The ready-made questions, which the model gets in English, stand there in the page's language.
    """
    return [
        {
            "role": turn["role"],
            "content": escape(say(turn["content"]) if turn["role"] == "user" else turn["content"]) or nothing_said,
        }
        for turn in visit.turns
    ]


def stop_answer(say: Translator, visit: Session) -> Update:
    """End the answer that is running and keep what it said."""
    return visit.halt(lambda: stopped(say, visit))


def stopped(say: Translator, visit: Session) -> Update:
    """The chat after an answer was ended."""
    return {
        "chatbot": turns(say, visit, say(HALTED)),
        "chat_status": "",
        "chat_stop": gr.update(interactive=False),
    }
