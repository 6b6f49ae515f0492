"""What happens when somebody presses something: plain generators from inputs to updates.

An update names parts of the page (see ``layout``) and gives their new values; nothing here knows where they are. All
that belongs to a visitor is in their ``Visit``, which Gradio keeps for each browser tab.
"""

import logging
import time
import traceback
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gradio as gr

from copilot import analysis, chat
from copilot.eeg import preparation, simulate
from copilot.eeg.decoder import DecoderError
from copilot.eeg.recording import RecordingError
from copilot.engine.base import EngineError, Message, Token
from copilot.person import Person, PersonError
from copilot.record.exports import to_json, to_markdown
from copilot.record.record import Record, edit
from copilot.safety import answer_at_once
from copilot.settings import Settings, SettingsError
from copilot.web import charts, uploads, words
from copilot.web.screen import Screen, Update, blank, show, status
from copilot.web.service import Service
from copilot.web.visit import OWN, Form, Visit


class ConsentError(ValueError):
    """The notice has not been agreed to."""


#: Errors whose message is already one plain sentence, and the part of the page next to where they come from.
PLAIN: dict[type[Exception], str] = {
    ConsentError: "consent_problem",
    PersonError: "person_problem",
    RecordingError: "recording_problem",
    EngineError: "progress",
    DecoderError: "progress",
    SettingsError: "progress",
}

#: The page is drawn anew at most this often while text streams in, seconds.
REDRAW_S = 0.05

#: How a record is written: function, suffix, media type.
EXPORTS = {
    "markdown": (to_markdown, ".md", "text/markdown"),
    "json": (to_json, ".json", "application/json"),
}

log = logging.getLogger(__name__)


def consent(agreed: bool) -> Update:
    """Without consent there is no analysis."""
    return {"analyse": gr.update(interactive=agreed), "consent_problem": show("")}


def source(name: str) -> Update:
    """The upload for an own recording; for an example, what it simulates."""
    about = "" if name == OWN else charts.quiet(simulate.EXAMPLES[name].description)
    return {"own": gr.update(visible=name == OWN), "about": show(about), "recording_problem": show("")}


def keep(settings: Settings, what: str, visit: Visit, uploaded: list[dict[str, Any]] | None) -> Update:
    """Move uploaded files into memory, as the visit's ``recording`` or ``baselines``."""
    try:
        files = uploads.take(uploaded, settings.max_upload_mb)
    except RecordingError as error:
        return {what: None, "recording_problem": show(charts.problem(str(error)))}
    setattr(visit, what, files)
    names = ", ".join(f"{file.name} ({len(file.content) / 1e6:.1f} MB)" for file in files)
    said = charts.good_news(words.IN_MEMORY.format(names=names))
    return {"visit": visit, what: None, f"{what}_kept": show(said), "recording_problem": show("")}


def analyse(service: Service, visit: Visit, form: Form) -> Generator[Update, None, None]:
    """Walk from the form to the record, showing every event of ``analysis.analyse``."""
    return visit.running(_analyse(service, visit, form))


def _analyse(service: Service, visit: Visit, form: Form) -> Generator[Update, None, None]:
    visit.opening, visit.turns = [], []
    yield {**blank(), **buttons(analyse=False, stop=True), "visit": visit}
    try:
        yield from _show(service, visit, form)
    except Exception as error:
        place, sentence = explain(error)
        said = charts.problem(sentence)
        # Where it belongs, and where one looks: the form may be scrolled out of sight.
        yield {"progress": show(said), place: show(said), "empty_card": gr.update(visible=False)}
    yield buttons(analyse=True, stop=False)


def _show(service: Service, visit: Visit, form: Form) -> Generator[Update, None, None]:
    if not form.consent:
        raise ConsentError(words.NO_CONSENT)
    person = form.person()
    if form.source == OWN and not visit.recording:
        raise RecordingError(words.NO_RECORDING)
    if fixed := answer_at_once(" ".join((person.appearance, person.complaint, person.history))):
        yield {"urgent": show(charts.urgent(fixed))}  # words of danger in the form come before everything else
    screen = Screen(dark=form.dark)
    for waiting in service.opened():
        yield screen.show(waiting)
    with closing(service.line.in_turn(_walk(service, visit, form, person))) as events:
        for event in joined(events):
            yield screen.show(event)
    preparation.warm_up()  # for the next one
    if screen.reading:
        visit.opening = [*screen.messages, {"role": "assistant", "content": screen.reading.raw}]


def _walk(service: Service, visit: Visit, form: Form, person: Person) -> Generator[analysis.Event, None, None]:
    """The events of one analysis. Its files exist from its turn in the line until they are read."""
    engine, decoder = service.tools()
    folder = TemporaryDirectory(prefix="eeg-copilot-")
    with folder:
        files, baselines = _files(visit, form.source, Path(folder.name))
        events = analysis.analyse(
            files,
            person,
            engine=engine,
            settings=service.settings,
            decoder=decoder,
            baselines=baselines,
            sfreq=form.samples_a_second(),
            channels=form.channel_names(),
        )
        for event in events:
            if isinstance(event, analysis.StageBegun) and event.stage == "encode":
                folder.cleanup()
            yield event


def _files(visit: Visit, source: str, folder: Path) -> tuple[list[Path], list[Path]]:
    """Write the recording and its baselines; an example has none, since it is nobody's."""
    if source != OWN:
        return [simulate.write_example(source, folder)], []
    baselines = [uploads.write([file], folder / f"baseline-{n}")[0] for n, file in enumerate(visit.baselines)]
    return uploads.write(visit.recording, folder / "recording"), baselines


def ask(service: Service, visit: Visit, question: str) -> Generator[Update, None, None]:
    """Answer a question about the reading, streaming."""
    return visit.running(_ask(service, visit, question))


def _ask(service: Service, visit: Visit, question: str) -> Generator[Update, None, None]:
    question = question.strip()
    if not question:
        yield {"question": ""}
        return
    answer: Message = {"role": "assistant", "content": ""}
    earlier = [*visit.opening, *visit.turns]
    visit.turns += [{"role": "user", "content": question}, answer]
    yield {"question": "", "chatbot": turns(visit), "chat_stop": gr.update(interactive=True), "chat_status": show("")}
    try:
        with closing(_answer(service, earlier, question)) as events:
            for event in joined(events):
                if isinstance(event, Token):
                    answer["content"] += event.text
                yield {"chatbot": turns(visit), "chat_status": show(charts.status(status(event)))}
    except Exception as error:
        yield {"chat_status": show(charts.problem(explain(error)[1]))}
    finally:
        answer["content"] = answer["content"] or words.HALTED
    yield {"chatbot": turns(visit), "chat_stop": gr.update(interactive=False)}


def _answer(service: Service, conversation: list[Message], question: str) -> Generator[Any, None, None]:
    """The events of one answer; words of danger do not wait for the model or in the line."""
    if fixed := answer_at_once(question):
        yield Token(fixed)
        return
    if not conversation:
        raise EngineError(words.NO_READING)
    yield from service.opened()
    engine, _ = service.tools()
    yield from service.line.in_turn(chat.ask(engine, conversation, question))


def joined(events: Iterable[Any]) -> Iterator[Any]:
    """The same events with tokens joined: to draw the page for each of them would slow the model down."""
    text, drawn = "", 0.0
    for event in events:
        if isinstance(event, Token):
            text += event.text
            if time.monotonic() - drawn < REDRAW_S:
                continue
        if text:
            yield Token(text)
            text, drawn = "", time.monotonic()
        if not isinstance(event, Token):
            yield event
    if text:
        yield Token(text)


def turns(visit: Visit, nothing_said: str = "") -> list[dict[str, str]]:
    """The chat as the page shows it."""
    return [{"role": turn["role"], "content": turn["content"] or nothing_said} for turn in visit.turns]


def buttons(*, analyse: bool, stop: bool) -> Update:
    """Which of the two can be pressed. Made anew each time, because Gradio takes updates apart."""
    return {"analyse": gr.update(interactive=analyse), "stop": gr.update(interactive=stop)}


def stop(visit: Visit) -> Update:
    """End the analysis or the answer that is running."""
    return visit.halt(
        lambda: {
            **buttons(analyse=True, stop=False),
            "progress": show(charts.said(words.STOPPED)),
            **_answer_stopped(visit),
        }
    )


def stop_answer(visit: Visit) -> Update:
    """End the answer that is running and keep what it said."""
    return visit.halt(lambda: _answer_stopped(visit))


def _answer_stopped(visit: Visit) -> Update:
    return {
        "chatbot": turns(visit, words.HALTED),
        "chat_status": show(""),
        "chat_stop": gr.update(interactive=False),
    }


def clear(visit: Visit) -> Update:
    """End what is running and begin a new visit: the old one's files, words and reading are forgotten."""
    return {**visit.halt(_cleared), **asdict(Form()), "visit": Visit()}


def _cleared() -> Update:
    return {
        **blank(),
        **buttons(analyse=False, stop=False),
        "recording_kept": show(""),
        "baselines_kept": show(""),
    }


def export(kind: str, record: Record, *values: str) -> dict[str, str]:
    """The record with the page's edits, as text for the browser to save: nothing is written on this machine.

    Args:
        kind: a key of ``EXPORTS``.
        record: as drafted.
        values: the fields as they stand on the page, in the record's order.
    """
    for line, value in zip(record.fields, values, strict=True):
        record = edit(record, line.key, value)
    write, suffix, media_type = EXPORTS[kind]
    return {"name": f"eeg-emotion-draft-record{suffix}", "type": media_type, "text": write(record)}


def explain(error: Exception) -> tuple[str, str]:
    """Where on the page an error belongs, and its sentence. The log gets no message: it could quote the person."""
    for kind, place in PLAIN.items():
        if isinstance(error, kind):
            return place, str(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    log.error("%s at %s:%s", type(error).__name__, frame.filename, frame.lineno)
    return "progress", words.FAILED
