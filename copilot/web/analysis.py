"""Handle the form: Analyse, Stop and Clear turn inputs into updates of the page.

An update names parts of the page (see ``layout``) and gives their new values. All data of a visitor are in their
``Session``, which Gradio keeps for each browser tab.
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
from copilot.web.render import ResultScreen, clear_problems, clear_results, join_tokens, redraw_panel
from copilot.web.session import OWN, Form, Session
from copilot.web.wiring import Update


def allow_analysis(agreed: bool) -> Update:
    """Allow an analysis only after consent."""
    return {"analyse": gr.update(interactive=agreed), "consent_problem": ""}


def select_source(translate: Translator, name: str) -> Update:
    """Show the upload for an own recording, or the description of an example."""
    about = "" if name == OWN else panels.quiet_text(translate(simulate.EXAMPLES[name].description))
    return {"own": gr.update(visible=name == OWN), "about": about, "recording_problem": ""}


def take_upload(
    service: Service, translate: Translator, what: str, session: Session, uploaded: list[dict[str, Any]] | None
) -> Update:
    """Move uploaded files into memory, as the session's ``recording`` or ``baselines``.

    Args:
        service: the copilot.
        translate: into the visitor's language.
        what: ``recording`` or ``baselines``.
        session: the visitor's.
        uploaded: files as the browser describes them.
    """
    try:
        files = uploads.read_uploads(uploaded, service.settings.max_upload_mb)
        if not all(file.content for file in files):
            raise RecordingError(N_("This file is empty. Copy or export it again, then choose it again."))
    except RecordingError as error:
        return {what: None, "recording_problem": panels.problem(explain(translate, error)[1])}
    service.memory_budget.add(files)
    setattr(session, what, files)
    names = ", ".join(f"{file.name} ({len(file.content) / 1e6:.1f} MB)" for file in files)
    said = panels.confirmation(translate(N_("In memory, no longer on disk: {names}"), names=names))
    return {"visit": session, what: None, f"{what}_kept": said, "recording_problem": ""}


def analyse(service: Service, translate: Translator, session: Session, form: Form) -> Generator[Update, None, None]:
    """Analyse the recording of the form, and show every event of ``pipeline.analyse``."""
    return session.run_until_halted(_check_and_analyse(service, translate, session, form))


def _check_and_analyse(
    service: Service, translate: Translator, session: Session, form: Form
) -> Generator[Update, None, None]:
    try:
        person = _check_form(session, form)
    except Exception as error:  # an earlier result stays: no analysis has begun
        yield {**clear_problems(), **_show_error(translate, error)}
        return
    session.forget_result()
    yield {**clear_results(), **set_buttons(analyse=False, stop=True), "visit": session}
    try:
        yield from _stream_events(service, translate, session, form, person)
    except Exception as error:
        yield {**_show_error(translate, error), **set_buttons(analyse=True, stop=False)}


def _show_error(translate: Translator, error: Exception) -> Update:
    """Show the sentence at its part of the page and in the progress line, since the form may be out of sight."""
    place, sentence = explain(translate, error)
    return dict.fromkeys(("progress", place), panels.problem(sentence))


def _check_form(session: Session, form: Form) -> Person:
    """Return the person, after checking everything that an analysis needs.

    Raises:
        ConsentError, PersonError, RecordingError: something is missing or cannot be used.
    """
    if not form.consent:
        raise ConsentError(N_("Please agree to the notice first."))
    if form.source == OWN and not session.recording:
        raise RecordingError(N_("Add an EEG file or choose one of the examples."))
    uploads.check_present((*session.recording, *session.baselines) if form.source == OWN else ())
    form.patient_identity()
    form.sampling_rate()
    return form.person()


def _stream_events(
    service: Service, translate: Translator, session: Session, form: Form, person: Person
) -> Generator[Update, None, None]:
    if found := find_help("\n".join((person.appearance, person.complaint, person.history))):
        yield {"urgent": panels.urgent_text(found.text)}  # words of danger in the form come before everything else
    screen = ResultScreen(translate, dark=form.dark)
    for waiting in service.wait_for_model():
        yield screen.show(waiting)
    with closing(service.queue.run_in_turn(_run_pipeline(service, translate, session, form, person))) as events:
        for event in join_tokens(events):
            if isinstance(event, RecordReady):
                _remember_result(service, session, screen, event)
                # One message for all that is ready now: the next press, perhaps a question, ends this run.
                yield {**screen.show(event), **set_buttons(analyse=True, stop=False)}
            else:
                yield screen.show(event)
    sandbox.warm_up()  # for the next one
    memory.return_memory()


def _remember_result(service: Service, session: Session, screen: ResultScreen, event: RecordReady) -> None:
    """Store the result of a complete analysis in the session."""
    assert screen.result is not None
    assert screen.signal is not None
    session.record, session.pictures = event.record, screen.pictures()
    session.cleaned = screen.signal.cleaned if service.store else None
    session.opening = [*screen.messages, {"role": "assistant", "content": screen.result.raw}]


def _run_pipeline(
    service: Service, translate: Translator, session: Session, form: Form, person: Person
) -> Generator[Event, None, None]:
    """Yield the events of one analysis. Its files exist from its turn in the queue until they are read."""
    engine, classifier = service.get_models()
    particulars = form.patient_identity()
    folder = TemporaryDirectory(prefix="eeg-copilot-")
    with folder:
        files, baselines = _write_files(session, form.source, Path(folder.name))
        events = pipeline.analyse(
            files,
            person,
            engine=engine,
            settings=service.settings,
            classifier=classifier,
            baselines=baselines,
            sfreq=form.sampling_rate(),
            channels=form.channel_names(),
            trial=form.trial_number(),
            patient=particulars,
            language=translate.language,
        )
        for event in events:
            if isinstance(event, StageBegun) and event.stage == "encode":
                folder.cleanup()
            yield event


def _write_files(session: Session, source: str, folder: Path) -> tuple[list[Path], list[Path]]:
    """Write the recording and its baselines; an example has none, since it is of no real person."""
    if source != OWN:
        return [simulate.write_example(source, folder)], []
    baselines = [
        uploads.write_attachments([file], folder / f"baseline-{n}")[0] for n, file in enumerate(session.baselines)
    ]
    return uploads.write_attachments(session.recording, folder / "recording"), baselines


def set_buttons(*, analyse: bool, stop: bool) -> Update:
    """Enable or disable Analyse and Stop. The update is new each time, because Gradio changes updates in place."""
    return {"analyse": gr.update(interactive=analyse), "stop": gr.update(interactive=stop)}


def stop(translate: Translator, session: Session) -> Update:
    """Stop the running analysis or answer."""
    return session.halt(
        lambda: {
            **set_buttons(analyse=True, stop=False),
            "progress": panels.message_card(translate(N_("Stopped. Press Analyse to start again."))),
            **chat.show_stopped(translate, session),
        }
    )


def clear(session: Session) -> Update:
    """Stop what is running and begin a new session, without the files, texts, result and record of the old one."""
    return {**session.halt(_clear_page), **asdict(Form()), "visit": Session()}


def _clear_page() -> Update:
    return {
        **clear_results(),
        **redraw_panel(),
        **set_buttons(analyse=False, stop=False),
        "recording_kept": "",
        "baselines_kept": "",
    }
