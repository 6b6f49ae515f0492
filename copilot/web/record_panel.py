"""Draw the record panel, and connect its components to their handlers (see ``record_review``).

The panel is redrawn for another record and after signing or amending. Every other press changes only what it must, so
that no text is lost while it is being typed.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import gradio as gr

from copilot.i18n import N_, Translator, messages
from copilot.record.export.registry import EXPORTS
from copilot.record.model import WRITTEN, Field, Record
from copilot.web import browser, record_review, record_store
from copilot.web.html import message, render, show
from copilot.web.layout import NOT_QUEUED, Page
from copilot.web.record_review import FieldParts, RecordPanel
from copilot.web.session import Session, Update

HINT = N_(
    "Go through what the model suggested: accept it, change it or delete it. What you change is marked as written by "
    "you. Nothing is signed or sent by itself."
)
LOCKED_HINT = N_("This version is signed and locked. To change something, amend it: that begins the next version.")
STATEMENT = N_(
    "I have reviewed this record against the recording and the person. What the model suggested in it I accept, or "
    "have changed or deleted."
)


def draw(page: Page, session: Session) -> None:
    """Draw the panel of the session's record, if there is one."""
    if session.record is not None:
        panel = add_panel(page, session, session.record)
        _connect_handlers(panel, session.record)


def add_panel(page: Page, session: Session, record: Record) -> RecordPanel:
    """Add the components of the panel; from now on presses in an earlier one of this session are ignored."""
    translate, locked = page.translate, record.signature is not None
    session.panel = time.monotonic()
    state = show(record_review.render_state(translate, session))
    show(message("quiet", translate(LOCKED_HINT if locked else HINT)))
    with gr.Row(elem_id="reviewer"):
        shown: dict[str, Any] = {"min_width": 180, "interactive": True}
        name = gr.Textbox(session.reviewer[0], label=translate(messages.REVIEWER), **shown)
        hint = translate(N_("For example physician or psychologist"))
        role = gr.Textbox(session.reviewer[1], label=translate(N_("Your role")), placeholder=hint, **shown)
    reviewer_problem = show()
    progress = show(record_review.render_progress(translate, record), elem_id="left-card")
    fields: dict[str, FieldParts] = {}
    for section in record.sections:
        # The measurements are long and seldom edited; everything else is open.
        shut = section.key == "examination"
        with (
            gr.Accordion(section.title, open=not shut, elem_classes="record-section"),
            gr.Row(elem_classes="record-fields"),
        ):
            fields |= {field.key: _add_field(translate, record, field) for field in section.fields}
    with gr.Column(elem_classes="signing"):
        show(render("record_signature", translate, signature=record.signature))
        statement = gr.Textbox(
            translate(STATEMENT),
            label=translate(N_("What you sign")),
            lines=2,
            visible=not locked,
            interactive=True,
        )
        ready = not record.pending
        sign = gr.Button(translate(N_("Sign")), variant="primary", interactive=ready, visible=not locked)
        not_yet = show("" if ready else message("quiet", translate(messages.NOT_YET)))
        amend = gr.Button(translate(N_("Amend")), visible=locked)
        sign_problem = show()
    with gr.Row(elem_classes="downloads"):
        exports = {
            kind: gr.Button(translate(N_("Download {format}"), format=export.title), size="sm", min_width=120)
            for kind, export in EXPORTS.items()
        }
    export_problem, file = show(), gr.JSON(visible=False)
    with gr.Accordion(translate(messages.CHANGES), open=False, elem_classes="record-section"):
        changes = show(record_review.render_history(translate, record))
    return RecordPanel(
        page=page,
        token=session.panel,
        state=state,
        name=name,
        role=role,
        reviewer_problem=reviewer_problem,
        progress=progress,
        fields=fields,
        statement=statement,
        sign=sign,
        not_yet=not_yet,
        amend=amend,
        sign_problem=sign_problem,
        exports=exports,
        export_problem=export_problem,
        file=file,
        history=changes,
    )


def _add_field(translate: Translator, record: Record, field: Field) -> FieldParts:
    """Add a field with its text, its origin and, for a suggestion, the buttons of its review."""
    lines = field.value.splitlines()
    size = "tall" if len(lines) > 4 else "short"
    if field.origin.kind == WRITTEN or len(field.value) > 60 * max(1, len(lines) - 1):
        size = "wide"
    review = accept = delete = None
    with gr.Column(elem_classes=["field", size], elem_id=f"field-{field.key}", min_width=220):
        locked = record.signature is not None
        text = gr.Textbox(field.value, label=field.label, lines=1, max_lines=12, interactive=not locked)
        origin = show(record_review.render_origin(translate, record, field))
        if not field.accepted:
            with gr.Row(elem_classes="review") as review:
                show(render("not_reviewed", translate))
                accept, delete = (
                    gr.Button(
                        translate(word), size="sm", min_width=80, elem_classes=what, elem_id=f"{what}-{field.key}"
                    )
                    for what, word in (("accept", N_("Accept")), ("delete", messages.DELETE))
                )
        return FieldParts(text, origin, review, accept, delete, show())


def _connect_handlers(panel: RecordPanel, record: Record) -> None:
    """Connect every event to its handler; each gets the texts of all fields."""
    page = panel.page
    single = [panel.state, panel.name, panel.role, panel.progress, panel.statement, panel.sign, panel.not_yet]
    single += [panel.amend, panel.file, panel.history, *panel.problems, page.record.redraw, page.record.kept]
    changed = [part for field in panel.fields.values() for part in (field.text, field.origin, field.review) if part]
    outputs = [*single, *changed, *([page.kept.redraw] if page.kept else [])]

    def on(event: Callable[..., Any], handler: Callable[..., Update], *about: Any, more: Sequence[Any] = ()) -> Any:
        inputs = [page.session, *more, *panel.texts]
        return event(partial(handler, panel, *about), inputs, outputs, **NOT_QUEUED)

    for key, field in panel.fields.items():
        on(field.text.blur, record_review.take_edits, field.problem)
        if field.accept and field.delete:
            on(field.accept.click, record_review.accept, key)
            on(field.delete.click, record_review.delete, key)
    for box in (panel.name, panel.role):
        on(box.blur, record_review.take_edits, panel.reviewer_problem)
    on(panel.sign.click, record_review.sign)
    on(panel.amend.click, record_review.amend)
    for kind, button in panel.exports.items():
        on(button.click, record_review.export, kind).success(None, panel.file, None, js=browser.SAVE)
    if page.record.keep and page.record.open_kept:
        on(page.record.keep.click, record_review.keep, more=[page.record.with_signal])
        record_store.connect_opening(page.record.open_kept.click, page, record.id)
