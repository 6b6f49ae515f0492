"""Lay out the record panel, and connect its parts to their handlers (see ``record_review``).

The panel is redrawn for another record and after signing or amending. Every other press changes only what it must, so
that no text is lost while it is being typed.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from typing import Any

import gradio as gr

from copilot.i18n import N_, Translator, messages
from copilot.record.export.registry import EXPORTS
from copilot.record.model import WRITTEN, Field, Record, Section
from copilot.web import history, panels, record_html, record_review, scripts
from copilot.web.queue import Service
from copilot.web.record_review import RecordPanel
from copilot.web.session import Session
from copilot.web.wiring import NOT_QUEUED, ONE_AT_A_TIME, Parts, Update, bind, html

RECORD_HINT = N_(
    "Go through what the model suggested: accept it, change it or delete it. What you change is marked as written by "
    "you. Nothing is signed or sent by itself."
)
NOT_REVIEWED = N_("Not reviewed yet")
STATEMENT = N_(
    "I have reviewed this record against the recording and the person. What the model suggested in it I accept, or "
    "have changed or deleted."
)


def card(service: Service, translate: Translator, page: Parts) -> Parts:
    """Add the card with the panel.

    Args:
        service: the copilot.
        translate: into the visitor's language.
        page: the parts of the page, complete when the panel is first drawn; a change of ``panel`` redraws it.
    """
    with gr.Column(elem_classes="card", elem_id="record-card"):
        html(panels.heading(translate(N_("The record"))))
        draw = partial(_draw_panel, service, translate, page)
        gr.render(inputs=[page["visit"]], triggers=[page["panel"].change], **ONE_AT_A_TIME)(draw)
        return _saving_fields(translate, service)


def _draw_panel(service: Service, translate: Translator, page: Parts, session: Session) -> None:
    if session.record is None:
        return
    session.panel = time.monotonic()
    record = session.record
    parts = {"state": html(record_html.state(translate, session))}
    parts |= _reviewer_fields(translate, session)
    parts["left"] = html(record_html.review_progress(translate, record), elem_id="left-card")
    for section in record.sections:
        parts |= _section(translate, record, section)
    parts |= _signing(translate, record) | _downloads(translate)
    with gr.Accordion(translate(messages.CHANGES), open=False, elem_classes="record-section"):
        parts["history"] = html(record_html.history(translate, record))
    _connect_handlers(RecordPanel(service, translate, session.panel), record, parts, page)


def _reviewer_fields(translate: Translator, session: Session) -> Parts:
    locked = session.record is not None and session.record.signature is not None
    html(
        panels.quiet_text(
            translate(
                N_("This version is signed and locked. To change something, amend it: that begins the next version.")
                if locked
                else RECORD_HINT
            )
        )
    )
    name, role = session.reviewer
    with gr.Row(elem_id="reviewer"):
        parts = {
            "name": gr.Textbox(name, label=translate(messages.REVIEWER), min_width=180, interactive=True),
            "role": gr.Textbox(
                role,
                label=translate(N_("Your role")),
                placeholder=translate(N_("For example physician or psychologist")),
                min_width=180,
                interactive=True,
            ),
        }
    return {**parts, "problem reviewer": html()}


def _section(translate: Translator, record: Record, section: Section) -> Parts:
    # The measurements are long and seldom edited; everything else is open.
    parts: Parts = {}
    shut = section.key == "examination"
    with (
        gr.Accordion(section.title, open=not shut, elem_classes="record-section"),
        gr.Row(elem_classes="record-fields"),
    ):
        for field in section.fields:
            parts |= _field(translate, record, field)
    return parts


def _field(translate: Translator, record: Record, field: Field) -> Parts:
    with gr.Column(elem_classes=["field", _choose_size(field)], elem_id=f"field-{field.key}", min_width=220):
        box = gr.Textbox(
            field.value,
            label=field.label,
            lines=1,
            max_lines=12,
            interactive=record.signature is None,
        )
        named = {"box": box, "about": html(record_html.field_origin(translate, record, field))}
        named |= {**(_review_buttons(translate, field) if not field.accepted else {}), "problem": html()}
    return {f"{what} {field.key}": part for what, part in named.items()}


def _choose_size(field: Field) -> str:
    """Return the CSS class for the size of a field."""
    lines = field.value.splitlines()
    if field.origin.kind == WRITTEN or len(field.value) > 60 * max(1, len(lines) - 1):
        return "wide"
    return "tall" if len(lines) > 4 else "short"


def _review_buttons(translate: Translator, field: Field) -> Parts:
    with gr.Row(elem_classes="review") as row:
        html(f'<span class="not-reviewed">{escape(translate(NOT_REVIEWED))}</span>')
        buttons = {
            what: gr.Button(translate(word), size="sm", min_width=80, elem_classes=what, elem_id=f"{what}-{field.key}")
            for what, word in (("accept", N_("Accept")), ("delete", messages.DELETE))
        }
    return {"review": row, **buttons}


def _signing(translate: Translator, record: Record) -> Parts:
    locked = record.signature is not None
    with gr.Column(elem_classes="signing"):
        html(record_html.signature(translate, record))
        statement = gr.Textbox(
            translate(STATEMENT),
            label=translate(N_("What you sign")),
            lines=2,
            visible=not locked,
            interactive=True,
        )
        ready = not record.pending
        press = gr.Button(translate(N_("Sign")), variant="primary", interactive=ready, visible=not locked)
        not_yet = html("" if ready else panels.quiet_text(translate(messages.NOT_YET)))
        amend = gr.Button(translate(N_("Amend")), visible=locked)
        problem = html()
    return {"statement": statement, "sign": press, "not_yet": not_yet, "amend": amend, "problem sign": problem}


def _downloads(translate: Translator) -> Parts:
    with gr.Row(elem_classes="downloads"):
        buttons = {
            f"export {kind}": gr.Button(
                translate(N_("Download {format}"), format=export.title), size="sm", min_width=120
            )
            for kind, export in EXPORTS.items()
        }
    return {**buttons, "problem export": html(), "file": gr.JSON(visible=False)}


def _saving_fields(translate: Translator, service: Service) -> Parts:
    """Add what shows whether the record is kept, outside the panel, since the list of kept records changes it too."""
    parts: Parts = {}
    if service.store:
        with gr.Row(elem_id="keep-row"):
            parts["keep"] = gr.Button(translate(N_("Keep this record")), size="sm")
            parts["with_signal"] = gr.Checkbox(
                False, label=translate(N_("Keep the cleaned signal too")), container=False, elem_id="with-signal"
            )
    parts |= {"kept": html(), "problem keep": html(elem_id="keep-problem")}
    if service.store:
        parts["open_kept"] = gr.Button(translate(N_("Open the kept one instead")), size="sm", elem_id="open-kept")
    return parts


def _connect_handlers(panel: RecordPanel, record: Record, parts: Parts, page: Parts) -> None:
    """Connect every event to its handler; each gets the texts of all fields."""
    fields = [field.key for field in record.fields]
    boxes = [parts[name] for name in ("name", "role", "statement", *(f"box {key}" for key in fields))]
    outside = ("panel", "kept", "problem keep", "kept_turn")
    reached = parts | {name: page[name] for name in outside if name in page}
    options = {"outputs": list(reached.values()), **NOT_QUEUED}

    def on(event: Callable[..., Any], handler: Callable[..., Update], *about: str, more: Sequence[Any] = ()) -> Any:
        inputs = [page["visit"], *more, *boxes]
        return event(bind(reached, partial(handler, panel, *about)), inputs, **options)

    for key in fields:
        on(parts[f"box {key}"].blur, record_review.take_edits, key)
    for key in (field.key for field in record.pending):
        on(parts[f"accept {key}"].click, record_review.accept, key)
        on(parts[f"delete {key}"].click, record_review.delete, key)
    for name in ("name", "role"):
        on(parts[name].blur, record_review.take_edits, "reviewer")
    on(parts["sign"].click, record_review.sign)
    on(parts["amend"].click, record_review.amend)
    for kind in EXPORTS:
        on(parts[f"export {kind}"].click, record_review.export, kind).success(
            None, parts["file"], None, js=scripts.SAVE
        )
    if panel.service.store:
        on(page["keep"].click, record_review.keep, more=[page["with_signal"]])
        history.connect_opening(page["open_kept"].click, panel.service, panel.translate, page, record.id)
