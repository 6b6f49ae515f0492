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
from copilot.record.draft import normalise_value
from copilot.record.export.registry import EXPORTS, file_name
from copilot.record.model import Field, Record, RecordError, digest
from copilot.record.review import Reviewer
from copilot.web import panels, record_html, record_saving, scripts
from copilot.web.errors import explain
from copilot.web.queue import Service
from copilot.web.render import redrawn
from copilot.web.session import Session
from copilot.web.wiring import Update, now

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
    say: Translator
    token: float


Deed = Callable[[Record, ReviewInput], Update]


def typed(panel: RecordPanel, place: str, visit: Session, *boxes: str) -> Update:
    """Somebody left a box: what they changed becomes an edit."""
    return _press(panel, place, visit, boxes)


def accept(panel: RecordPanel, key: str, visit: Session, *boxes: str) -> Update:
    """Take a suggestion as it is; where it was changed before, that counts."""

    def deed(record: Record, what: ReviewInput) -> Update:
        if not record.field(key).accepted:
            visit.record = review.accept(record, key, what.reviewer, datetime.now(UTC))
        return {}

    return _press(panel, key, visit, boxes, deed)


def delete(panel: RecordPanel, key: str, visit: Session, *boxes: str) -> Update:
    """Empty a suggestion."""

    def deed(record: Record, what: ReviewInput) -> Update:
        visit.record = review.delete(record, key, what.reviewer, datetime.now(UTC))
        return {}

    return _press(panel, key, visit, boxes, deed)


def sign(panel: RecordPanel, visit: Session, *boxes: str) -> Update:
    """Sign, which locks the record."""

    def deed(record: Record, what: ReviewInput) -> Update:
        visit.record = review.sign(record, what.reviewer, what.statement, datetime.now(UTC))
        return redrawn()

    return _press(panel, "sign", visit, boxes, deed)


def amend(panel: RecordPanel, visit: Session, *boxes: str) -> Update:
    """Begin the next version of a signed record."""

    def deed(record: Record, what: ReviewInput) -> Update:
        visit.record = review.amend(record, what.reviewer, datetime.now(UTC))
        return redrawn()

    return _press(panel, "sign", visit, boxes, deed)


def export(panel: RecordPanel, kind: str, visit: Session, *boxes: str) -> Update:
    """The record as it now stands, for the browser to save: nothing is written on this machine."""

    def deed(record: Record, _: ReviewInput) -> Update:
        content = EXPORTS[kind].write(record, visit.pictures)
        visit.saved = digest(record)
        return {"file": scripts.download(file_name(record, kind), EXPORTS[kind].media_type, content)}

    return _press(panel, "export", visit, boxes, deed)


def keep(panel: RecordPanel, visit: Session, with_signal: bool, *boxes: str) -> Update:
    """Keep the record on this machine; from then on every change is kept at once."""

    def deed(record: Record, _: ReviewInput) -> Update:
        record_saving.save(panel.service, visit, with_signal=with_signal)
        return {**redrawn(), "kept_turn": now()}

    return _press(panel, "keep", visit, boxes, deed)


def _press(panel: RecordPanel, place: str, visit: Session, boxes: tuple[str, ...], deed: Deed | None = None) -> Update:
    with panel.service.presses[hash(panel.token) % len(panel.service.presses)]:
        return _one_press(panel, place, visit, boxes, deed)


def _one_press(panel: RecordPanel, place: str, visit: Session, boxes: tuple[str, ...], deed: Deed | None) -> Update:
    """Take what was typed, do the deed, keep the outcome where the record is kept, and tell what changed."""
    before = visit.record
    if before is None or visit.panel != panel.token:
        return {}
    name, role, statement, *values = (box or "" for box in boxes)
    what = ReviewInput(name, role, statement, tuple(values))
    visit.reviewer = (name, role)
    update: Update = {"file": None, **{f"problem {where}": "" for where in places(before)}}
    try:
        wrong = {f"problem {key}": _problem(panel.say, error) for key, error in _edit(visit, before, what).items()}
        update |= wrong or (deed(visit.record or before, what) if deed else {})
    except Exception as error:
        update[f"problem {place}"] = _problem(panel.say, error)
    if visit.kept_at:
        update |= record_saving.keep_up(panel.service, panel.say, visit, before)
    elif panel.service.store and place != "keep":
        update |= record_saving.told(panel.say, visit)
    return {**_shown(panel.say, visit, before, what), **update}


def places(record: Record) -> tuple[str, ...]:
    """Where in the panel a press can fail."""
    return (*PLACES, *(field.key for field in record.fields))


def _problem(say: Translator, error: Exception) -> Any:
    return record_html.problem(say, explain(say, error, english.FAILED_HERE)[1])


def _edit(visit: Session, record: Record, what: ReviewInput) -> dict[str, RecordError]:
    """Take every changed text into the visit's record; what is wrong with one, by its key, does not lose another.

    Raises:
        RecordError: something was changed and nobody says who.
    """
    wrong = {}
    for field, value in zip(record.fields, what.values, strict=True):
        if normalise_value(field.key, value) == field.value:
            continue
        reviewer = what.reviewer
        try:
            visit.record = record = review.edit(record, field.key, value, reviewer, datetime.now(UTC))
        except RecordError as error:
            wrong[field.key] = error
    return wrong


def _shown(say: Translator, visit: Session, before: Record, what: ReviewInput) -> Update:
    """The panel after a press. Boxes keep what is in them, since somebody may be typing: only what changed is sent."""
    record = visit.record
    assert record is not None
    update = {
        "state": record_html.state(say, visit),
        "left": record_html.left(say, record),
        "history": record_html.history(say, record),
        "sign": gr.update(interactive=not record.pending),
        "not_yet": panels.quiet(say(english.NOT_YET)) if record.pending else "",
    }
    for old, new, value in zip(before.fields, record.fields, what.values, strict=True):
        if new != old:
            update |= _field(say, record, new, value)
        if new.accepted != old.accepted:
            update[f"review {new.key}"] = gr.update(visible=not new.accepted)
    return update


def _field(say: Translator, record: Record, field: Field, value: str) -> Update:
    text = {f"box {field.key}": field.value} if field.value.split() != value.split() else {}
    return {f"about {field.key}": record_html.about(say, record, field), **text}
