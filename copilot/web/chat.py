"""Handle the chat about a result: questions, stopping an answer, ratings, and the download of the conversation."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from typing import Any

import gradio as gr

from copilot import NOTICE, chat
from copilot.chat import Answered, FactText, Turn
from copilot.deidentify import remove_identity
from copilot.i18n import N_, messages
from copilot.llm.base import EngineError, Token
from copilot.safety import Help, find_help
from copilot.web.browser import encode_download
from copilot.web.html import explain, message, render
from copilot.web.layout import Page
from copilot.web.queue import Service
from copilot.web.results import describe_waiting, join_tokens, offer_questions
from copilot.web.session import Session, ShownTurn, Update

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
    earlier = [Turn(turn.question, turn.text, turn.asked) for turn in session.turns if turn.asked]
    turn = ShownTurn(question)
    session.turns.append(turn)
    yield {
        card.question: "",
        card.chatbot: _format_turns(page, session),
        card.stop: gr.update(interactive=True),
        card.status: "",
    }
    try:
        with closing(_answer_events(page.service, session, question, earlier, help_there)) as events:
            for event in join_tokens(events):
                match event:
                    case Answered(asked, facts, next_questions):
                        turn.asked, turn.facts = asked, tuple(translate(fact.sentence) for fact in facts)
                        yield offer_questions(page, [translate(text) for text in next_questions])
                    case Token(text):
                        turn.parts.append((text, isinstance(event, FactText)))
                yield {
                    card.chatbot: _format_turns(page, session),
                    card.status: message("status", describe_waiting(translate, event)),
                }
    except Exception as error:
        yield {card.status: message("problem", explain(translate, error))}
    finally:
        if not turn.text:
            turn.parts = [(translate(STOPPED), False)]
    yield {card.chatbot: _format_turns(page, session), card.stop: gr.update(interactive=False)}


def _answer_events(
    service: Service, session: Session, question: str, earlier: list[Turn], help_there: Help | None
) -> Generator[Any, None, None]:
    """Yield the events of one answer; a message about danger waits neither for the model nor in the queue.

    Args:
        service: the copilot.
        session: of the visitor, with the result that the chat is about.
        question: without names and numbers.
        earlier: turns before.
        help_there: for the words of danger in the question, if there are any.
    """
    if help_there and help_there.certain:
        yield chat.FixedText(help_there.text)
        return
    if session.facts is None:
        raise EngineError(N_("Analyse a recording first; then there is something to ask about."))
    facts = session.facts.correct(session.record) if session.record else session.facts
    yield from service.wait_for_model()
    engine, _ = service.get_models()
    yield from service.queue.run_in_turn(
        chat.ask(engine, session.opening, question, facts, earlier, region=session.region)
    )


def _format_turns(page: Page, session: Session) -> list[dict[str, str]]:
    """Return the chat as escaped text with the facts below each answer, since Gradio's chat renders any HTML."""
    turns = []
    for turn in session.turns:
        turns.append({"role": "user", "content": render("chat_question", page.translate, text=turn.question)})
        answer = render("chat_answer", page.translate, parts=turn.parts, facts=turn.facts)
        turns.append({"role": "assistant", "content": answer if turn.parts else ""})
    return turns


def rate_answer(session: Session, event: gr.LikeData) -> None:
    """Remember what the visitor thinks of an answer, for their own download; nothing is sent or kept anywhere else."""
    place = event.index[0] if isinstance(event.index, (list, tuple)) else event.index
    number = int(place) // 2
    if 0 <= number < len(session.turns):
        session.turns[number].rating = {True: "+", False: "-"}.get(event.liked, "")


def download(page: Page, session: Session) -> Update:
    """Send the conversation to the browser as a text file."""
    translate = page.translate
    lines = [translate(messages.TITLE), translate(NOTICE), ""]
    for turn in session.turns:
        rated = f" [{turn.rating}]" if turn.rating else ""
        lines += [f"> {turn.question}", f"{turn.text}{rated}", *(f"  - {fact}" for fact in turn.facts), ""]
    content = "\n".join(lines).encode()
    return {page.chat.file: encode_download("eeg-copilot-chat.txt", "text/plain", content)}


def stop_answer(page: Page, session: Session) -> Update:
    """Stop the running answer and keep its text so far."""
    return session.halt(lambda: show_stopped(page, session))


def show_stopped(page: Page, session: Session) -> Update:
    """Return the chat after an answer was stopped."""
    if session.turns and not session.turns[-1].parts:
        session.turns[-1] = replace(session.turns[-1], parts=[(page.translate(STOPPED), False)])
    return {
        page.chat.chatbot: _format_turns(page, session),
        page.chat.status: "",
        page.chat.stop: gr.update(interactive=False),
    }
