"""Show the records that are kept on this machine: a list to search, open, export and delete from. Only with a store."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import gradio as gr

from copilot.i18n import N_, Translator, messages
from copilot.record.store import Entry
from copilot.web import panels, record_html, record_saving, scripts
from copilot.web.errors import explain
from copilot.web.queue import Service
from copilot.web.record_file import show_in_panel
from copilot.web.session import Session
from copilot.web.wiring import NOT_QUEUED, ONE_AT_A_TIME, Parts, Update, bind, html, make_trigger, new_trigger_value

KEPT_HINT = N_(
    "They are in a file on the copilot's computer, and everybody who uses this page there sees the same list. Each is "
    "deleted {days} days after its last change."
)


#: Records that are listed at once; the rest is found by searching.
MAX_LISTED = 30


def card(service: Service, translate: Translator, page: Parts, blocks: gr.Blocks) -> Parts:
    """Add the card with the list.

    Args:
        service: the copilot, with its store.
        translate: into the visitor's language.
        page: the parts of the page, complete when the list is first drawn.
        blocks: the page, whose loading draws the list.
    """
    with gr.Column(elem_classes="card", elem_id="kept-card"):
        html(panels.heading(translate(N_("Kept records"))))
        html(panels.quiet_text(translate(KEPT_HINT, days=service.settings.keep_days)))
        with gr.Row(elem_classes="kept-tools"):
            hint = translate(N_("Words that stand in a record"))
            words = gr.Textbox(
                label=translate(N_("Search")), placeholder=hint, show_label=False, scale=4, min_width=200
            )
            take = gr.Button(translate(N_("Export all")), size="sm", scale=1, min_width=110)
        problem, file, again = html(), gr.JSON(visible=False), make_trigger()
        draw = partial(_draw_list, service, translate, page)
        gr.render(inputs=[words], triggers=[blocks.load, words.change, again.change], **ONE_AT_A_TIME)(draw)
    parts = {"kept_file": file, "kept_problem": problem, "kept_turn": again}
    taken = take.click(bind(parts, partial(export_all, service, translate)), None, list(parts.values()), **NOT_QUEUED)
    taken.success(None, file, None, js=scripts.SAVE)
    return parts


def _draw_list(service: Service, translate: Translator, page: Parts, words: str) -> None:
    assert service.store is not None
    try:
        entries = service.store.find(words or "")
        due = service.store.find_due(service.settings.keep_days, datetime.now(UTC))
    except Exception as error:
        html(panels.problem(explain(translate, error)[1]))
        return
    if not entries:
        html(panels.quiet_text(translate(N_("No kept record has these words.") if words else N_("No record is kept."))))
    for entry in entries[:MAX_LISTED]:
        _draw_row(service, translate, page, entry, due.get(entry.id))
    if more := len(entries[MAX_LISTED:]):
        html(panels.quiet_text(translate(N_("{count} more are kept; search to find them."), count=more)))


def _draw_row(service: Service, translate: Translator, page: Parts, entry: Entry, due: datetime | None) -> None:
    """Draw one record, and the question before it is deleted."""
    with gr.Row(elem_classes="kept-row"):
        html(record_html.list_entry(translate, entry, due))
        opening = gr.Button(translate(N_("Open")), size="sm", scale=0, min_width=80)
        delete_it = gr.Button(translate(messages.DELETE), size="sm", scale=0, min_width=80)
    with gr.Row(visible=False, elem_classes="kept-row sure") as sure:
        html(panels.problem(translate(N_("Delete this record with all its versions? It cannot be brought back."))))
        really = gr.Button(translate(N_("Delete for good")), variant="stop", size="sm", scale=0, min_width=110)
        no = gr.Button(translate(N_("Cancel")), size="sm", scale=0, min_width=80)
    delete_it.click(lambda: gr.update(visible=True), None, sure, **NOT_QUEUED)
    no.click(lambda: gr.update(visible=False), None, sure, **NOT_QUEUED)
    connect_opening(opening.click, service, translate, page, entry.id)
    reached = {name: page[name] for name in ("kept_problem", "kept_turn", "kept", "problem keep")}
    handler = bind(reached, partial(delete, service, translate, entry.id))
    really.click(handler, page["visit"], list(reached.values()), **NOT_QUEUED)


def connect_opening(
    event: Callable[..., Any], service: Service, translate: Translator, page: Parts, identifier: str
) -> None:
    """Make ``event`` open the record in the panel.

    Args:
        event: such as a button's ``click``.
        service: the copilot, with its store.
        translate: into the visitor's language.
        page: the parts of the page.
        identifier: of the record.
    """
    reached = {name: part for name, part in page.items() if name != "asks"}
    handler = bind(reached, partial(open_record, service, translate, identifier))
    inputs = [page["visit"], page["consent"]]
    opened = event(
        handler, inputs, list(reached.values()), js=scripts.confirm_loss(translate(messages.UNSAVED)), **NOT_QUEUED
    )
    opened.success(None, js=scripts.SHOW_RECORD)


def open_record(service: Service, translate: Translator, identifier: str, session: Session, agreed: bool) -> Update:
    """Begin a new session with this record, without an analysis."""
    assert service.store is not None
    try:
        record, pictures = service.store.open(identifier)
    except Exception as error:
        return {"kept_problem": panels.problem(explain(translate, error)[1]), "kept_turn": new_trigger_value()}
    kept = Session(record=record, pictures=pictures, kept_at=record.changed)
    return {**show_in_panel(session, kept, agreed), **record_saving.show_saving(translate, kept), "kept_problem": ""}


def delete(service: Service, translate: Translator, identifier: str, session: Session) -> Update:
    """Delete a record for good; if it is open, it stays open, but is not kept."""
    assert service.store is not None
    again = {"kept_turn": new_trigger_value()}
    try:
        service.store.delete(identifier)
    except Exception as error:
        return {**again, "kept_problem": panels.problem(explain(translate, error)[1])}
    if session.record and session.record.id == identifier:
        session.kept_at = session.saving_problem = session.saved_digest = ""
        again |= record_saving.show_saving(translate, session)
    return {**again, "kept_problem": panels.confirmation(translate(N_("The record has been deleted for good.")))}


def export_all(service: Service, translate: Translator) -> Update:
    """Return all kept records as one zip for the browser to save."""
    assert service.store is not None
    try:
        content = service.store.export_all()
    except Exception as error:
        return {"kept_file": None, "kept_problem": panels.problem(explain(translate, error)[1])}
    name = f"records-{datetime.now(UTC):%Y-%m-%d}.zip"
    return {"kept_file": scripts.encode_download(name, "application/zip", content), "kept_problem": ""}
