"""What happens in the record panel: every press first takes what was typed into the record, then does its own deed.

A press that cannot be carried out leaves all boxes as they are and says what is missing next to itself. Updates name
parts of the panel (see ``record_panel``); those of a field carry its key: ``box age``, ``review age``, ``problem age``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import gradio as gr

from copilot.i18n import Translator, english
from copilot.record import review
from copilot.record.draft import tidied
from copilot.record.export.registry import EXPORTS, file_name
from copilot.record.model import Field, Record, RecordError, digest
from copilot.record.review import Reviewer
from copilot.web import panels, record_html, record_saving, scripts
from copilot.web.errors import explain
from copilot.web.queue import Service
from copilot.web.render import redraw_panel
from copilot.web.session import Session
from copilot.web.wiring import Update, new_trigger_value

#: Places of the panel, beside its fields, where a press can fail.
PLACES = ("reviewer", "sign", "export", "keep")


@dataclass(frozen=True)
class ReviewInput:
    """What stands in the panel's boxes: who reviews, what they sign, each field's text in order."""

    name: str
    role: str
    statement: str
    values: tuple[str, ...]

    @property
    def reviewer(self) -> Reviewer:
        """Who reviews.

        Raises:
            RecordError: the name or the role is missing.
        """
        return Reviewer(self.name, self.role)


@dataclass(frozen=True)
class RecordPanel:
    """Where one record is reviewed.

    Attributes:
        service: the copilot.
        say: the visitor's language.
        token: of the panel as it was drawn; what comes late from an earlier one is not for this record.
    """

    service: Service
    translate: Translator
    token: float


Action = Callable[[Record, ReviewInput], Update]


def take_edits(panel: RecordPanel, place: str, session: Session, *texts: str) -> Update:
    """Somebody left a box: what they changed becomes an edit."""
    return _handle_press(panel, place, session, texts)


def accept(panel: RecordPanel, key: str, session: Session, *texts: str) -> Update:
    """Take a suggestion as it is; where it was changed before, that counts."""

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
    """Sign, which locks the record."""

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
    """The record as it now stands, for the browser to save: nothing is written on this machine."""

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
    """Take what was typed, do the deed, keep the outcome where the record is kept, and tell what changed."""
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
    """Where in the panel a press can fail."""
    return (*PLACES, *(field.key for field in record.fields))


def _render_problem(translate: Translator, error: Exception) -> Any:
    return record_html.problem(translate, explain(translate, error, english.FAILED_HERE)[1])


def _apply_edits(session: Session, record: Record, entered: ReviewInput) -> dict[str, RecordError]:
    """Take every changed text into the visit's record; what is wrong with one, by its key, does not lose another.

    Raises:
        RecordError: something was changed and nobody says who.
    """
    wrong = {}
    for field, value in zip(record.fields, entered.values, strict=True):
        if tidied(field.key, value) == field.value:
            continue
        reviewer = entered.reviewer
        try:
            session.record = record = review.edit(record, field.key, value, reviewer, datetime.now(UTC))
        except RecordError as error:
            wrong[field.key] = error
    return wrong


def _show_changes(translate: Translator, session: Session, before: Record, entered: ReviewInput) -> Update:
    """The panel after a press. Boxes keep what is in them, since somebody may be typing: only what changed is sent."""
    record = session.record
    assert record is not None
    update = {
        "state": record_html.state(translate, session),
        "left": record_html.review_progress(translate, record),
        "history": record_html.history(translate, record),
        "sign": gr.update(interactive=not record.pending),
        "not_yet": panels.quiet_text(translate(english.NOT_YET)) if record.pending else "",
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
