"""Open records and keep them on this machine; list the kept ones, to search, open, export and delete them.

A record comes from an analysis, from a file (``open_file``) or from the store (``open_kept``). There is a store only if
the settings have one.
"""

import io
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import gradio as gr
import numpy as np

from copilot.i18n import N_, messages
from copilot.record.database import RecordGone
from copilot.record.export.json_format import from_json
from copilot.record.model import Record, RecordError, digest, timestamp
from copilot.record.store import Entry
from copilot.web import browser, uploads
from copilot.web.html import explain, message, render, show
from copilot.web.layout import NOT_QUEUED, Page, new_trigger_value
from copilot.web.results import clear_results, redraw_panel, set_buttons
from copilot.web.session import Session, Update

#: More than any record takes, megabytes.
MAX_MB = 5

#: Records that are listed at once; the rest is found by searching.
MAX_LISTED = 30


def redraw_list(page: Page) -> Update:
    """Return an update that redraws the list of kept records."""
    return {page.kept.redraw: new_trigger_value()} if page.kept else {}


def save(page: Page, session: Session, *, with_signal: bool = False, kept: bool = False) -> None:
    """Write the session's record into the store.

    Args:
        page: with a store.
        session: the visitor's.
        with_signal: whether to keep the cleaned signal too, as an ``.npz`` file of the kind that the copilot reads.
        kept: whether the record is in the store already.

    Raises:
        StoreError: it cannot be kept, or was changed elsewhere meanwhile.
    """
    assert page.service.store is not None
    assert session.record is not None
    signal = None
    if with_signal and session.cleaned:
        buffer, cleaned = io.BytesIO(), session.cleaned
        channels, units = np.array(cleaned.channels), np.array("uV")
        np.savez_compressed(buffer, data=cleaned.data, sfreq=cleaned.sfreq, channels=channels, units=units)
        signal = buffer.getvalue()
    page.service.store.save(session.record, session.pictures, signal, must_exist=kept)
    session.saving_problem = ""
    session.kept_at, session.saved_digest = timestamp(datetime.now(UTC)), digest(session.record)


def save_changes(page: Page, session: Session, before: Record) -> Update:
    """Save a kept record after a press; if that fails, the panel shows why, and the next press tries again."""
    if session.record is before and not session.saving_problem:
        return show_saving(page, session)
    try:
        save(page, session, kept=True)
    except Exception as error:
        session.saving_problem = explain(page.translate, error)
        if isinstance(error, RecordGone):
            session.kept_at = session.saved_digest = ""
    list_changed = session.record is None or session.record.status != before.status
    return {**show_saving(page, session), **(redraw_list(page) if list_changed else {})}


def show_saving(page: Page, session: Session) -> Update:
    """Show whether and since when the record is kept."""
    at, problem = session.kept_at, session.saving_problem
    return {
        page.record.kept: render("record_kept", page.translate, at="" if problem else at) if at else "",
        page.record.problem: message("problem", problem) if problem else "",
    }


def open_file(page: Page, session: Session, agreed: bool, uploaded: dict[str, Any] | None) -> Update:
    """Open a record that was downloaded as JSON, or written by a batch; the file is read into memory and deleted.

    Args:
        page: the visitor's.
        session: the visitor's.
        agreed: whether they agreed to the notice.
        uploaded: the file as the browser describes it.
    """
    card = page.actions
    try:
        (file,) = uploads.read_uploads([uploaded] if uploaded else [], MAX_MB)
        try:
            record = from_json(file.content.decode())
        except UnicodeDecodeError:
            raise RecordError(messages.RECORD_NOT_JSON) from None
    except Exception as error:
        problem = message("problem", explain(page.translate, error, messages.FAILED_HERE))
        return {card.record_file: None, card.problem: problem}
    return {**open_record(page, session, Session(record=record), agreed), card.record_file: None}


def open_record(page: Page, session: Session, new: Session, agreed: bool) -> Update:
    """Replace the session by a new one with a record and without an analysis; the form stays as it is."""
    assert new.record is not None
    new.saved_digest, new.reviewer = digest(new.record), session.reviewer
    new.recording, new.baselines = session.recording, session.baselines

    def reset_page() -> Update:
        return {**clear_results(page), **redraw_panel(page), **set_buttons(page, analyse=agreed, stop=False)}

    return {**session.halt(reset_page), page.session: new}


def connect_list(page: Page) -> None:
    """Connect what stands above the list."""
    card = page.kept
    assert card is not None
    taken = card.take.click(partial(export_all, page), None, [card.file, card.problem], **NOT_QUEUED)
    taken.success(None, card.file, None, js=browser.SAVE)


def draw_list(page: Page, words: str) -> None:
    """Draw the list of the records that contain all these words."""
    store, translate = page.service.store, page.translate
    assert store is not None
    try:
        entries = store.find(words or "")
        due = store.find_due(page.service.settings.keep_days, datetime.now(UTC))
    except Exception as error:
        show(message("problem", explain(translate, error)))
        return
    if not entries:
        none = N_("No kept record has these words.") if words else N_("No record is kept.")
        show(message("quiet", translate(none)))
    for entry in entries[:MAX_LISTED]:
        _draw_row(page, entry, due.get(entry.id))
    if more := len(entries[MAX_LISTED:]):
        show(message("quiet", translate(N_("{count} more are kept; search to find them."), count=more)))


def _draw_row(page: Page, entry: Entry, due: datetime | None) -> None:
    """Draw one record, and the question before it is deleted."""
    translate, card = page.translate, page.kept
    assert card is not None
    with gr.Row(elem_classes="kept-row"):
        show(render("kept_entry", translate, entry=entry, due=due))
        opening = gr.Button(translate(N_("Open")), size="sm", scale=0, min_width=80)
        delete_it = gr.Button(translate(messages.DELETE), size="sm", scale=0, min_width=80)
    with gr.Row(visible=False, elem_classes="kept-row sure") as sure:
        question = N_("Delete this record with all its versions? It cannot be brought back.")
        show(message("problem", translate(question)))
        really = gr.Button(translate(N_("Delete for good")), variant="stop", size="sm", scale=0, min_width=110)
        no = gr.Button(translate(N_("Cancel")), size="sm", scale=0, min_width=80)
    delete_it.click(lambda: gr.update(visible=True), None, sure, **NOT_QUEUED)
    no.click(lambda: gr.update(visible=False), None, sure, **NOT_QUEUED)
    connect_opening(opening.click, page, entry.id)
    changed = [card.problem, card.redraw, page.record.kept, page.record.problem]
    really.click(partial(delete, page, entry.id), page.session, changed, **NOT_QUEUED)


def connect_opening(event: Callable[..., Any], page: Page, identifier: str) -> None:
    """Make ``event`` open the record in the panel.

    Args:
        event: such as a button's ``click``.
        page: with a store.
        identifier: of the record.
    """
    guard = browser.confirm_loss(page.translate(messages.UNSAVED))
    inputs = [page.session, page.consent.consent]
    opened = event(partial(open_kept, page, identifier), inputs, page.components, js=guard, **NOT_QUEUED)
    opened.success(None, js=browser.SHOW_RECORD)


def open_kept(page: Page, identifier: str, session: Session, agreed: bool) -> Update:
    """Begin a new session with this record, without an analysis."""
    store, card = page.service.store, page.kept
    assert store is not None
    assert card is not None
    try:
        record, pictures = store.open(identifier)
    except Exception as error:
        return {card.problem: message("problem", explain(page.translate, error)), **redraw_list(page)}
    kept = Session(record=record, pictures=pictures, kept_at=record.changed)
    opened = open_record(page, session, kept, agreed)
    return {**opened, **show_saving(page, kept), card.problem: ""}


def delete(page: Page, identifier: str, session: Session) -> Update:
    """Delete a record for good; if it is open, it stays open, but is not kept."""
    store, card = page.service.store, page.kept
    assert store is not None
    assert card is not None
    again = redraw_list(page)
    try:
        store.delete(identifier)
    except Exception as error:
        return {**again, card.problem: message("problem", explain(page.translate, error))}
    if session.record and session.record.id == identifier:
        session.kept_at = session.saving_problem = session.saved_digest = ""
        again |= show_saving(page, session)
    return {**again, card.problem: message("good-news", page.translate(N_("The record has been deleted for good.")))}


def export_all(page: Page) -> Update:
    """Return all kept records as one zip for the browser to save."""
    store, card = page.service.store, page.kept
    assert store is not None
    assert card is not None
    try:
        content = store.export_all()
    except Exception as error:
        return {card.file: None, card.problem: message("problem", explain(page.translate, error))}
    name = f"records-{datetime.now(UTC):%Y-%m-%d}.zip"
    return {card.file: browser.encode_download(name, "application/zip", content), card.problem: ""}
