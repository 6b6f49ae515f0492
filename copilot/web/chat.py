"""Handle the chat about a result: questions, and stopping an answer."""

from collections.abc import Generator
from contextlib import closing
from html import escape
from typing import Any

import gradio as gr

from copilot import chat
from copilot.chat import FixedText
from copilot.deidentify import remove_identity
from copilot.i18n import N_, Translator, messages
from copilot.llm.base import EngineError, Message, Token
from copilot.safety import Help, find_help
from copilot.web import panels
from copilot.web.errors import explain
from copilot.web.queue import Service
from copilot.web.render import describe_waiting, join_tokens
from copilot.web.session import Session
from copilot.web.wiring import Update

STOPPED = N_("(stopped)")


def ask(service: Service, translate: Translator, session: Session, question: str) -> Generator[Update, None, None]:
    """Answer a question about the result, streaming."""
    return session.run_until_halted(_stream_answer(service, translate, session, question))


def _stream_answer(
    service: Service, translate: Translator, session: Session, question: str
) -> Generator[Update, None, None]:
    question = _remove_patient(session, question.strip())
    if not question:
        yield {"question": ""}
        return
    help_there = find_help(question)
    if help_there:
        yield {"urgent": panels.urgent_text(help_there.text)}
    if len(question) > chat.MAX_QUESTION and not (help_there and help_there.certain):
        too_long = translate(messages.QUESTION_TOO_LONG, length=len(question), most=chat.MAX_QUESTION)
        yield {"chat_status": panels.problem(too_long)}  # the question stays in its text field
        return
    asked: Message = {"role": "user", "content": question}
    answer: Message = {"role": "assistant", "content": ""}
    earlier = [*session.opening, *session.model_turns]
    session.turns += [asked, answer]
    yield {
        "question": "",
        "chatbot": format_turns(translate, session),
        "chat_stop": gr.update(interactive=True),
        "chat_status": "",
    }
    by_model = True
    try:
        with closing(_answer_events(service, earlier, question, _find_trust(session), help_there)) as events:
            for event in join_tokens(events):
                if isinstance(event, Token):
                    by_model = by_model and not isinstance(event, FixedText)
                    answer["content"] += event.text
                yield {
                    "chatbot": format_turns(translate, session),
                    "chat_status": panels.status(describe_waiting(translate, event)),
                }
        if by_model and answer["content"]:
            session.model_turns += [asked, answer]
    except Exception as error:
        yield {"chat_status": panels.problem(explain(translate, error)[1])}
    finally:
        answer["content"] = answer["content"] or translate(STOPPED)
    yield {"chatbot": format_turns(translate, session), "chat_stop": gr.update(interactive=False)}


def _remove_patient(session: Session, question: str) -> str:
    """Return the question without the person's name and number, which must not reach the model."""
    named = {field.key: field.value for field in session.record.fields} if session.record else {}
    return remove_identity(question, name=named.get("name", ""), number=named.get("number", ""))


def _find_trust(session: Session) -> str:
    """Return the quality of the recording that the chat is about."""
    return session.record.findings.trust if session.record else "good"


def _answer_events(
    service: Service, conversation: list[Message], question: str, trust: str, help_there: Help | None
) -> Generator[Any, None, None]:
    """Yield the events of one answer; a message about danger waits neither for the model nor in the queue."""
    if help_there and help_there.certain:
        yield FixedText(help_there.text)
        return
    if not conversation:
        raise EngineError(N_("Analyse a recording first; then there is something to ask about."))
    yield from service.wait_for_model()
    engine, _ = service.get_models()
    yield from service.queue.run_in_turn(chat.ask(engine, conversation, question, trust))


def format_turns(translate: Translator, session: Session, nothing_said: str = "") -> list[dict[str, str]]:
    """Return the chat as plain text, escaped, since Gradio's chat renders HTML from any source.

    The page's own questions, which the model gets in English, are shown in the page's language.

    Args:
        translate: into the visitor's language.
        session: the visitor's.
        nothing_said: shown for an empty turn.
    """
    own = {
        str(question): translate(question) for question in messages.QUESTIONS
    }  # the page's, which reach it in English
    return [
        {
            "role": turn["role"],
            "content": escape(own.get(turn["content"], turn["content"]) if turn["role"] == "user" else turn["content"])
            or nothing_said,
        }
        for turn in session.turns
    ]


def stop_answer(translate: Translator, session: Session) -> Update:
    """Stop the running answer and keep its text so far."""
    return session.halt(lambda: show_stopped(translate, session))


def show_stopped(translate: Translator, session: Session) -> Update:
    """Return the chat after an answer was stopped."""
    return {
        "chatbot": format_turns(translate, session, translate(STOPPED)),
        "chat_status": "",
        "chat_stop": gr.update(interactive=False),
    }
