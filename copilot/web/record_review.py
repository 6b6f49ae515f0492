"""Handle the record panel: every press first takes the typed texts into the record, then does its own action.

A press that fails leaves all text fields as they are and shows beside itself what is missing. Updates name parts of
the panel (see ``record_layout``); those of a field contain its key: ``box age``, ``review age``, ``problem age``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import gradio as gr

from copilot.i18n import Translator, messages
from copilot.record import review
from copilot.record.draft import normalise_value
from copilot.record.export.registry import EXPORTS, file_name
from copilot.record.model import Field, Record, RecordError, digest
from copilot.record.review import Reviewer
from copilot.web import panels, record_html, record_saving, scripts
from copilot.web.errors import explain
from copilot.web.queue import Service
from copilot.web.render import redraw_panel
from copilot.web.session import Session
from copilot.web.wiring import Update, new_trigger_value

#: Places of the panel, besides its fields, where a press can fail.
PLACES = ("reviewer", "sign", "export", "keep")


@dataclass(frozen=True)
class ReviewInput:
    """The panel's text fields: who reviews, what they sign, each field's text in order."""

    name: str
    role: str
    statement: str
    values: tuple[str, ...]

    @property
    def reviewer(self) -> Reviewer:
        """Return the reviewer.

        Raises:
            RecordError: the name or the role is missing.
        """
        return Reviewer(self.name, self.role)


@dataclass(frozen=True)
class RecordPanel:
    """The panel of one record.

    Attributes:
        service: the copilot.
        translate: into the visitor's language.
        token: of the panel as it was drawn; a late event of an earlier panel is not for this record.
    """

    service: Service
    translate: Translator
    token: float


Action = Callable[[Record, ReviewInput], Update]


def take_edits(panel: RecordPanel, place: str, session: Session, *texts: str) -> Update:
    """Take the texts that were changed into the record, after a text field was left."""
    return _handle_press(panel, place, session, texts)


def accept(panel: RecordPanel, key: str, session: Session, *texts: str) -> Update:
    """Accept a suggestion; if its text was changed before, take the change instead."""

    def action(record: Record, entered: ReviewInput) -> Update:
        if not record.field(key).accepted:
            session.record = review.accept(record, key, entered.reviewer, datetime.now(UTC))
        return {}

    return _handle_press(panel, key, session, texts, action)


def delete(panel: RecordPanel, key: str, session: Session, *texts: str) -> Update:
    """Empty a suggestion."""

    def action(record: Record, entered: ReviewInput) -> Update:
        session.record = review.delete(record, key, entered.reviewer, datetime.now(UTC))
        return {}

    return _handle_press(panel, key, session, texts, action)


def sign(panel: RecordPanel, session: Session, *texts: str) -> Update:
    """Sign the record, which locks it."""

    def action(record: Record, entered: ReviewInput) -> Update:
        session.record = review.sign(record, entered.reviewer, entered.statement, datetime.now(UTC))
        return redraw_panel()

    return _handle_press(panel, "sign", session, texts, action)


def amend(panel: RecordPanel, session: Session, *texts: str) -> Update:
    """Begin the next version of a signed record."""

    def action(record: Record, entered: ReviewInput) -> Update:
        session.record = review.amend(record, entered.reviewer, datetime.now(UTC))
        return redraw_panel()

    return _handle_press(panel, "sign", session, texts, action)


def export(panel: RecordPanel, kind: str, session: Session, *texts: str) -> Update:
    """Return the current record for the browser to save: no file is written on this machine."""

    def action(record: Record, _: ReviewInput) -> Update:
        content = EXPORTS[kind].write(record, session.pictures)
        session.saved_digest = digest(record)
        return {"file": scripts.encode_download(file_name(record, kind), EXPORTS[kind].media_type, content)}

    return _handle_press(panel, "export", session, texts, action)


def keep(panel: RecordPanel, session: Session, with_signal: bool, *texts: str) -> Update:
    """Keep the record on this machine; from then on every change is kept at once."""

    def action(record: Record, _: ReviewInput) -> Update:
        record_saving.save(panel.service, session, with_signal=with_signal)
        return {**redraw_panel(), "kept_turn": new_trigger_value()}

    return _handle_press(panel, "keep", session, texts, action)


def _handle_press(
    panel: RecordPanel, place: str, session: Session, texts: tuple[str, ...], action: Action | None = None
) -> Update:
    with panel.service.press_locks[hash(panel.token) % len(panel.service.press_locks)]:
        return _apply_press(panel, place, session, texts, action)


def _apply_press(
    panel: RecordPanel, place: str, session: Session, texts: tuple[str, ...], action: Action | None
) -> Update:
    """Take the typed texts, do the action, keep the record if it is a kept one, and show what changed.

    Args:
        panel: the one that was pressed.
        place: where in it an error is shown.
        session: the visitor's.
        texts: name, role, statement, then each field's text.
        action: what the press does besides.
    """
    before = session.record
    if before is None or session.panel != panel.token:
        return {}
    name, role, statement, *values = (box or "" for box in texts)
    entered = ReviewInput(name, role, statement, tuple(values))
    session.reviewer = (name, role)
    update: Update = {"file": None, **{f"problem {where}": "" for where in list_places(before)}}
    try:
        wrong = {
            f"problem {key}": _render_problem(panel.translate, error)
            for key, error in _apply_edits(session, before, entered).items()
        }
        update |= wrong or (action(session.record or before, entered) if action else {})
    except Exception as error:
        update[f"problem {place}"] = _render_problem(panel.translate, error)
    if session.kept_at:
        update |= record_saving.save_changes(panel.service, panel.translate, session, before)
    elif panel.service.store and place != "keep":
        update |= record_saving.show_saving(panel.translate, session)
    return {**_show_changes(panel.translate, session, before, entered), **update}


def list_places(record: Record) -> tuple[str, ...]:
    """Return the places of the panel where a press can fail."""
    return (*PLACES, *(field.key for field in record.fields))


def _render_problem(translate: Translator, error: Exception) -> Any:
    return record_html.problem(translate, explain(translate, error, messages.FAILED_HERE)[1])


def _apply_edits(session: Session, record: Record, entered: ReviewInput) -> dict[str, RecordError]:
    """Take every changed text into the session's record; return errors by field, so that one error loses no other text.

    Raises:
        RecordError: a text was changed, but name or role of the reviewer is missing.
    """
    wrong = {}
    for field, value in zip(record.fields, entered.values, strict=True):
        if normalise_value(field.key, value) == field.value:
            continue
        reviewer = entered.reviewer
        try:
            session.record = record = review.edit(record, field.key, value, reviewer, datetime.now(UTC))
        except RecordError as error:
            wrong[field.key] = error
    return wrong


def _show_changes(translate: Translator, session: Session, before: Record, entered: ReviewInput) -> Update:
    """Return the panel after a press. Only changes are sent, since a text field may be in use."""
    record = session.record
    assert record is not None
    update = {
        "state": record_html.state(translate, session),
        "left": record_html.review_progress(translate, record),
        "history": record_html.history(translate, record),
        "sign": gr.update(interactive=not record.pending),
        "not_yet": panels.quiet_text(translate(messages.NOT_YET)) if record.pending else "",
    }
    for old, new, value in zip(before.fields, record.fields, entered.values, strict=True):
        if new != old:
            update |= _update_field(translate, record, new, value)
        if new.accepted != old.accepted:
            update[f"review {new.key}"] = gr.update(visible=not new.accepted)
    return update


def _update_field(translate: Translator, record: Record, field: Field, value: str) -> Update:
    text = {f"box {field.key}": field.value} if field.value.split() != value.split() else {}
    return {f"about {field.key}": record_html.field_origin(translate, record, field), **text}
