"""Handle the chat about a result: questions, and stopping an answer."""

from collections.abc import Generator
from contextlib import closing
from typing import Any

import gradio as gr

from copilot import chat
from copilot.chat import FixedText
from copilot.deidentify import remove_identity
from copilot.i18n import N_, messages
from copilot.llm.base import EngineError, Message, Token
from copilot.safety import Help, find_help
from copilot.web.html import explain, message, render
from copilot.web.layout import Page
from copilot.web.queue import Service
from copilot.web.results import describe_waiting, join_tokens
from copilot.web.session import Session, Update

STOPPED = N_("(stopped)")


def ask(page: Page, session: Session, question: str | None) -> Generator[Update, None, None]:
    """Answer a question about the result, streaming."""
    yield from session.run_until_halted(_stream_answer(page, session, question or ""))


def _stream_answer(page: Page, session: Session, question: str) -> Generator[Update, None, None]:
    card, translate = page.chat, page.translate
    # The person's name and number must not reach the model.
    patient = {field.key: field.value for field in session.record.fields} if session.record else {}
    question = remove_identity(question.strip(), name=patient.get("name", ""), number=patient.get("number", ""))
    if not question:
        yield {card.question: ""}
        return
    help_there = find_help(question, session.region)
    if help_there:
        yield {page.results.urgent: message("urgent", help_there.text)}
    if len(question) > chat.MAX_QUESTION and not (help_there and help_there.certain):
        too_long = translate(messages.QUESTION_TOO_LONG, length=len(question), most=chat.MAX_QUESTION)
        yield {card.status: message("problem", too_long)}  # the question stays in its text field
        return
    asked: Message = {"role": "user", "content": question}
    answer: Message = {"role": "assistant", "content": ""}
    earlier = [*session.opening, *session.model_turns]
    trust = session.record.findings.trust if session.record else "good"
    session.turns += [asked, answer]
    yield {
        card.question: "",
        card.chatbot: _format_turns(page, session),
        card.stop: gr.update(interactive=True),
        card.status: "",
    }
    by_model = True
    try:
        with closing(_answer_events(page.service, earlier, question, trust, help_there, session.region)) as events:
            for event in join_tokens(events):
                if isinstance(event, Token):
                    by_model = by_model and not isinstance(event, FixedText)
                    answer["content"] += event.text
                yield {
                    card.chatbot: _format_turns(page, session),
                    card.status: message("status", describe_waiting(translate, event)),
                }
        if by_model and answer["content"]:
            session.model_turns += [asked, answer]
    except Exception as error:
        yield {card.status: message("problem", explain(translate, error))}
    finally:
        answer["content"] = answer["content"] or translate(STOPPED)
    yield {card.chatbot: _format_turns(page, session), card.stop: gr.update(interactive=False)}


def _answer_events(
    service: Service,
    conversation: list[Message],
    question: str,
    trust: str,
    help_there: Help | None,
    region: str,
) -> Generator[Any, None, None]:
    """Yield the events of one answer; a message about danger waits neither for the model nor in the queue.

    Args:
        service: the copilot.
        conversation: about the result so far; empty before there is one.
        question: without names and numbers.
        trust: the quality of the recording that the chat is about.
        help_there: for the words of danger in the question, if there are any.
        region: the visitor's country.
    """
    if help_there and help_there.certain:
        yield FixedText(help_there.text)
        return
    if not conversation:
        raise EngineError(N_("Analyse a recording first; then there is something to ask about."))
    yield from service.wait_for_model()
    engine, _ = service.get_models()
    yield from service.queue.run_in_turn(chat.ask(engine, conversation, question, trust, region))


def _format_turns(page: Page, session: Session, nothing_said: str = "") -> list[dict[str, str]]:
    """Return the chat as plain text, escaped, since Gradio's chat renders HTML from any source.

    The page's own questions, which the model gets in English, are shown in the page's language.

    Args:
        page: the visitor's.
        session: the visitor's.
        nothing_said: shown for an empty turn.
    """
    own = {str(question): page.translate(question) for question in messages.QUESTIONS}
    turns = []
    for turn in session.turns:
        text = own.get(turn["content"], turn["content"]) if turn["role"] == "user" else turn["content"]
        content = render("chat_turn", page.translate, text=text) if text else nothing_said
        turns.append({"role": turn["role"], "content": content})
    return turns


def stop_answer(page: Page, session: Session) -> Update:
    """Stop the running answer and keep its text so far."""
    return session.halt(lambda: show_stopped(page, session))


def show_stopped(page: Page, session: Session) -> Update:
    """Return the chat after an answer was stopped."""
    return {
        page.chat.chatbot: _format_turns(page, session, page.translate(STOPPED)),
        page.chat.status: "",
        page.chat.stop: gr.update(interactive=False),
    }
