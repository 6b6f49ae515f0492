"""Handle the form: Analyse, Stop and Clear turn inputs into updates of the page.

All data of a visitor are in their ``Session``, which Gradio keeps for each browser tab.
"""

from collections.abc import Generator
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gradio as gr

from copilot import pipeline
from copilot.eeg import sandbox, simulate
from copilot.eeg.types import RecordingError
from copilot.errors import CopilotError
from copilot.events import Event, RecordReady, StageBegun
from copilot.i18n import N_
from copilot.person import Person, PersonError
from copilot.safety import find_help
from copilot.web import chat, uploads
from copilot.web.html import explain, message
from copilot.web.layout import Page
from copilot.web.results import ResultScreen, clear_problems, clear_results, join_tokens, redraw_panel, set_buttons
from copilot.web.session import OWN, Form, Session, Update, return_memory


class ConsentError(CopilotError, ValueError):
    """The notice has not been agreed to."""


def allow_analysis(page: Page, agreed: bool) -> Update:
    """Allow an analysis only after consent."""
    return {page.actions.analyse: gr.update(interactive=agreed), page.consent.problem: ""}


def select_source(page: Page, name: str) -> Update:
    """Show the upload for an own recording, or the description of an example."""
    card = page.recording
    about = "" if name == OWN else message("quiet", page.translate(simulate.EXAMPLES[name].description))
    return {card.own: gr.update(visible=name == OWN), card.about: about, card.problem: ""}


def take_upload(page: Page, what: str, session: Session, uploaded: list[dict[str, Any]] | None) -> Update:
    """Move uploaded files into memory.

    Args:
        page: the visitor's.
        what: ``recording`` or ``baselines``, of the session and the card.
        session: the visitor's.
        uploaded: files as the browser describes them.
    """
    card = page.recording
    upload, kept = getattr(card, what), getattr(card, f"{what}_kept")
    try:
        files = uploads.read_uploads(uploaded, page.service.settings.max_upload_mb)
        if not all(file.content for file in files):
            raise RecordingError(N_("This file is empty. Copy or export it again, then choose it again."))
    except RecordingError as error:
        return {upload: None, card.problem: message("problem", explain(page.translate, error))}
    page.service.memory_budget.add(files)
    setattr(session, what, files)
    names = ", ".join(f"{file.name} ({len(file.content) / 1e6:.1f} MB)" for file in files)
    said = message("good-news", page.translate(N_("In memory, no longer on disk: {names}"), names=names))
    return {page.session: session, upload: None, kept: said, card.problem: ""}


def analyse(page: Page, session: Session, form: Form) -> Generator[Update, None, None]:
    """Analyse the recording of the form, and show every event of ``pipeline.analyse``."""
    return session.run_until_halted(_check_and_analyse(page, session, form))


def _check_and_analyse(page: Page, session: Session, form: Form) -> Generator[Update, None, None]:
    try:
        person = _check_form(session, form)
    except Exception as error:  # an earlier result stays: no analysis has begun
        yield {**clear_problems(page), **_show_error(page, error)}
        return
    session.forget_result()
    yield {**clear_results(page), **set_buttons(page, analyse=False, stop=True), page.session: session}
    try:
        # Words of danger in the form come before everything else.
        if found := find_help("\n".join((person.appearance, person.complaint, person.history)), session.region):
            yield {page.results.urgent: message("urgent", found.text)}
        screen = ResultScreen(page, dark=form.dark)
        for waiting in page.service.wait_for_model():
            yield screen.show(waiting)
        with closing(page.service.queue.run_in_turn(_run_pipeline(page, session, form, person))) as events:
            for event in join_tokens(events):
                update = screen.show(event)
                if isinstance(event, RecordReady):
                    _remember_result(page, session, screen, event)
                    # One message for all that is ready now: the next press, perhaps a question, ends this run.
                    update |= set_buttons(page, analyse=True, stop=False)
                yield update
        sandbox.warm_up()  # for the next one
        return_memory()
    except Exception as error:
        yield {**_show_error(page, error), **set_buttons(page, analyse=True, stop=False)}


def _show_error(page: Page, error: Exception) -> Update:
    """Show the sentence at its card and in the progress line, since the form may be out of sight."""
    problems = {
        ConsentError: page.consent.problem,
        PersonError: page.person.problem,
        RecordingError: page.recording.problem,
    }
    found = [problem for kind, problem in problems.items() if isinstance(error, kind)]
    return dict.fromkeys((page.results.progress, *found), message("problem", explain(page.translate, error)))


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


def _remember_result(page: Page, session: Session, screen: ResultScreen, event: RecordReady) -> None:
    """Store the result of a complete analysis in the session."""
    assert screen.result is not None
    assert screen.signal is not None
    session.record, session.pictures = event.record, screen.pictures()
    session.cleaned = screen.signal.cleaned if page.service.store else None
    session.facts = event.facts
    session.opening = [*screen.messages, {"role": "assistant", "content": screen.result.raw}]


def _run_pipeline(page: Page, session: Session, form: Form, person: Person) -> Generator[Event, None, None]:
    """Yield the events of one analysis. Its files exist from its turn in the queue until they are read."""
    engine, classifier = page.service.get_models()
    patient = form.patient_identity()
    temporary = TemporaryDirectory(prefix="eeg-copilot-")
    with temporary as name:
        folder, baselines = Path(name), []
        if form.source == OWN:
            baselines = [
                uploads.write_attachments([file], folder / f"baseline-{n}")[0]
                for n, file in enumerate(session.baselines)
            ]
            files = uploads.write_attachments(session.recording, folder / "recording")
        else:  # an example is of no real person, so it has no baselines
            files = [simulate.write_example(form.source, folder)]
        events = pipeline.analyse(
            files,
            person,
            engine=engine,
            settings=replace(page.service.settings, protocol="faced-films") if form.films else page.service.settings,
            classifier=classifier,
            baselines=baselines,
            sfreq=form.sampling_rate(),
            channels=form.channel_names(),
            trial=form.trial_number(),
            patient=patient,
            language=page.translate.language,
        )
        for event in events:
            if isinstance(event, StageBegun) and event.stage == "encode":
                temporary.cleanup()
            yield event


def stop(page: Page, session: Session) -> Update:
    """Stop the running analysis or answer."""
    return session.halt(
        lambda: {
            **set_buttons(page, analyse=True, stop=False),
            page.results.progress: message("said", page.translate(N_("Stopped. Press Analyse to start again."))),
            **chat.show_stopped(page, session),
        }
    )


def clear(page: Page, session: Session) -> Update:
    """Stop what is running and begin a new session, without the files, texts, result and record of the old one."""

    def clear_page() -> Update:
        kept = (page.recording.recording_kept, page.recording.baselines_kept)
        return {
            **clear_results(page),
            **redraw_panel(page),
            **set_buttons(page, analyse=False, stop=False),
            **dict.fromkeys(kept, ""),
        }

    empty = {page.form[name]: value for name, value in asdict(Form()).items()}
    return {**session.halt(clear_page), **empty, page.session: Session()}
