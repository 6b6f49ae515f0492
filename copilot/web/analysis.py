"""What happens when somebody fills in the form and presses Analyse, Stop or Clear: inputs to updates.

An update names parts of the page (see ``layout``) and gives their new values; nothing here knows where they are. All
that belongs to a visitor is in their ``Session``, which Gradio keeps for each browser tab.
"""

from collections.abc import Generator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gradio as gr

from copilot import pipeline
from copilot.eeg import sandbox, simulate
from copilot.eeg.types import RecordingError
from copilot.events import Event, RecordReady, StageBegun
from copilot.i18n import N_, Translator
from copilot.person import Person
from copilot.safety import find_help
from copilot.web import chat, memory, panels, uploads
from copilot.web.errors import ConsentError, explain
from copilot.web.queue import Service
from copilot.web.render import Screen, blank, joined, no_problems, redrawn
from copilot.web.session import OWN, Form, Session
from copilot.web.wiring import Update


def consent(agreed: bool) -> Update:
    """Without consent there is no analysis."""
    return {"analyse": gr.update(interactive=agreed), "consent_problem": ""}


def source(say: Translator, name: str) -> Update:
    """The upload for an own recording; for an example, what it simulates."""
    about = "" if name == OWN else panels.quiet(say(simulate.EXAMPLES[name].description))
    return {"own": gr.update(visible=name == OWN), "about": about, "recording_problem": ""}


def keep(service: Service, say: Translator, what: str, visit: Session, uploaded: list[dict[str, Any]] | None) -> Update:
    """Move uploaded files into memory, as the visit's ``recording`` or ``baselines``."""
    try:
        files = uploads.take(uploaded, service.settings.max_upload_mb)
        if not all(file.content for file in files):
            raise RecordingError(N_("This file is empty. Copy or export it again, then choose it again."))
    except RecordingError as error:
        return {what: None, "recording_problem": panels.problem(explain(say, error)[1])}
    service.held.add(files)
    setattr(visit, what, files)
    names = ", ".join(f"{file.name} ({len(file.content) / 1e6:.1f} MB)" for file in files)
    said = panels.good_news(say(N_("In memory, no longer on disk: {names}"), names=names))
    return {"visit": visit, what: None, f"{what}_kept": said, "recording_problem": ""}


def analyse(service: Service, say: Translator, visit: Session, form: Form) -> Generator[Update, None, None]:
    """Walk from the form to the record, showing every event of ``analysis.analyse``."""
    return visit.running(_analyse(service, say, visit, form))


def _analyse(service: Service, say: Translator, visit: Session, form: Form) -> Generator[Update, None, None]:
    try:
        person = _checked(visit, form)
    except Exception as error:  # an earlier reading stays: nothing has begun
        yield {**no_problems(), **_failed(say, error)}
        return
    visit.forget_reading()
    yield {**blank(), **buttons(analyse=False, stop=True), "visit": visit}
    try:
        yield from _show(service, say, visit, form, person)
    except Exception as error:
        yield {**_failed(say, error), **buttons(analyse=True, stop=False)}


def _failed(say: Translator, error: Exception) -> Update:
    """The sentence where it belongs, and where one looks: the form may be scrolled out of sight."""
    place, sentence = explain(say, error)
    return dict.fromkeys(("progress", place), panels.problem(sentence))


def _checked(visit: Session, form: Form) -> Person:
    """The person, where everything that an analysis needs has been filled in as it should.

    Raises:
        ConsentError, PersonError, RecordingError: it has not.
    """
    if not form.consent:
        raise ConsentError(N_("Please agree to the notice first."))
    if form.source == OWN and not visit.recording:
        raise RecordingError(N_("Add an EEG file or choose one of the examples."))
    uploads.check_there((*visit.recording, *visit.baselines) if form.source == OWN else ())
    form.particulars()
    form.samples_a_second()
    return form.person()


def _show(
    service: Service, say: Translator, visit: Session, form: Form, person: Person
) -> Generator[Update, None, None]:
    if found := find_help("\n".join((person.appearance, person.complaint, person.history))):
        yield {"urgent": panels.urgent(found.text)}  # words of danger in the form come before everything else
    screen = Screen(say, dark=form.dark)
    for waiting in service.opened():
        yield screen.show(waiting)
    with closing(service.line.in_turn(_walk(service, say, visit, form, person))) as events:
        for event in joined(events):
            if isinstance(event, RecordReady):
                _take(service, visit, screen, event)
                # One message for all that is ready now: the next press, perhaps a question, ends this run.
                yield {**screen.show(event), **buttons(analyse=True, stop=False)}
            else:
                yield screen.show(event)
    sandbox.warm_up()  # for the next one
    memory.give_back()


def _take(service: Service, visit: Session, screen: Screen, event: RecordReady) -> None:
    """What the visit remembers of an analysis that went well."""
    assert screen.reading is not None
    assert screen.signal is not None
    visit.record, visit.pictures = event.record, screen.pictures()
    visit.cleaned = screen.signal.cleaned if service.store else None
    visit.opening = [*screen.messages, {"role": "assistant", "content": screen.reading.raw}]


def _walk(
    service: Service, say: Translator, visit: Session, form: Form, person: Person
) -> Generator[Event, None, None]:
    """The events of one analysis. Its files exist from its turn in the line until they are read."""
    engine, decoder = service.tools()
    particulars = form.particulars()
    folder = TemporaryDirectory(prefix="eeg-copilot-")
    with folder:
        files, baselines = _files(visit, form.source, Path(folder.name))
        events = pipeline.analyse(
            files,
            person,
            engine=engine,
            settings=service.settings,
            classifier=decoder,
            baselines=baselines,
            sfreq=form.samples_a_second(),
            channels=form.channel_names(),
            trial=form.trial_number(),
            patient=particulars,
            language=say.language,
        )
        for event in events:
            if isinstance(event, StageBegun) and event.stage == "encode":
                folder.cleanup()
            yield event


def _files(visit: Session, source: str, folder: Path) -> tuple[list[Path], list[Path]]:
    """Write the recording and its baselines; an example has none, since it is nobody's."""
    if source != OWN:
        return [simulate.write_example(source, folder)], []
    baselines = [uploads.write([file], folder / f"baseline-{n}")[0] for n, file in enumerate(visit.baselines)]
    return uploads.write(visit.recording, folder / "recording"), baselines


def buttons(*, analyse: bool, stop: bool) -> Update:
    """Which of the two can be pressed. Made anew each time, because Gradio takes updates apart."""
    return {"analyse": gr.update(interactive=analyse), "stop": gr.update(interactive=stop)}


def stop(say: Translator, visit: Session) -> Update:
    """End the analysis or the answer that is running."""
    return visit.halt(
        lambda: {
            **buttons(analyse=True, stop=False),
            "progress": panels.said(say(N_("Stopped. Press Analyse to start again."))),
            **chat.stopped(say, visit),
        }
    )


def clear(visit: Session) -> Update:
    """End what is running and begin a new visit: the old one's files, words, reading and record are forgotten."""
    return {**visit.halt(_cleared), **asdict(Form()), "visit": Session()}


def _cleared() -> Update:
    return {
        **blank(),
        **redrawn(),
        **buttons(analyse=False, stop=False),
        "recording_kept": "",
        "baselines_kept": "",
    }
