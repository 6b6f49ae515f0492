"""Handle the record panel: every press first takes the typed texts into the record, then does its own action.

A press that fails leaves all text fields as they are and shows beside itself what is missing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import gradio as gr

from copilot.i18n import Translator, messages
from copilot.record import review
from copilot.record.draft import normalise_value
from copilot.record.export.registry import EXPORTS, file_name
from copilot.record.model import SUGGESTED, Field, Record, RecordError, digest
from copilot.record.review import Reviewer
from copilot.web.browser import encode_download
from copilot.web.html import explain, message, render
from copilot.web.layout import Page
from copilot.web.record_store import redraw_list, save, save_changes, show_saving
from copilot.web.results import redraw_panel
from copilot.web.session import Session, Update

#: Fields that the model fills (see ``copilot.record.draft``).
SUGGESTED_FIELDS = ("emotion", "probabilities", "three_class", "valence", "assessment", "suggestions")


@dataclass(frozen=True)
class FieldParts:
    """One field of the panel: its text, where that comes from, what was wrong with a press.

    Attributes:
        text: the text field.
        origin: where the text comes from.
        review: the row of buttons; None, like the buttons, for what needs no review.
        accept: accepts the suggestion.
        delete: empties it.
        problem: what was wrong with a press.
    """

    text: gr.Textbox
    origin: gr.HTML
    review: gr.Row | None
    accept: gr.Button | None
    delete: gr.Button | None
    problem: gr.HTML


@dataclass(frozen=True)
class RecordPanel:
    """The panel of one record.

    Attributes:
        page: where the panel is.
        token: of the panel as it was drawn; a late event of an earlier panel is not for this record.
        fields: by their keys, in the order of the record.
        exports: the buttons of the downloads, by the kind of file.
        file: what the browser saves.
    """

    page: Page
    token: float
    state: gr.HTML
    name: gr.Textbox
    role: gr.Textbox
    reviewer_problem: gr.HTML
    progress: gr.HTML
    fields: dict[str, FieldParts]
    statement: gr.Textbox
    sign: gr.Button
    not_yet: gr.HTML
    amend: gr.Button
    sign_problem: gr.HTML
    exports: dict[str, gr.Button]
    export_problem: gr.HTML
    file: gr.JSON
    history: gr.HTML

    @property
    def texts(self) -> list[gr.Textbox]:
        """Return the text fields whose texts every press sends: name, role, statement, then each field's."""
        return [self.name, self.role, self.statement, *(field.text for field in self.fields.values())]

    @property
    def problems(self) -> list[gr.HTML]:
        """Return the places where a press can fail."""
        places = [self.reviewer_problem, self.sign_problem, self.export_problem, self.page.record.problem]
        return [*places, *(field.problem for field in self.fields.values())]


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


Action = Callable[[Record, ReviewInput], Update]


def take_edits(panel: RecordPanel, problem: gr.HTML, session: Session, *texts: str) -> Update:
    """Take the texts that were changed into the record, after the text field beside ``problem`` was left."""
    return _handle_press(panel, problem, session, texts)


def accept(panel: RecordPanel, key: str, session: Session, *texts: str) -> Update:
    """Accept a suggestion; if its text was changed before, take the change instead."""

    def action(record: Record, entered: ReviewInput) -> Update:
        if not record.field(key).accepted:
            session.record = review.accept(record, key, entered.reviewer, datetime.now(UTC))
        return {}

    return _handle_press(panel, panel.fields[key].problem, session, texts, action)


def delete(panel: RecordPanel, key: str, session: Session, *texts: str) -> Update:
    """Empty a suggestion."""

    def action(record: Record, entered: ReviewInput) -> Update:
        session.record = review.delete(record, key, entered.reviewer, datetime.now(UTC))
        return {}

    return _handle_press(panel, panel.fields[key].problem, session, texts, action)


def sign(panel: RecordPanel, session: Session, *texts: str) -> Update:
    """Sign the record, which locks it."""

    def action(record: Record, entered: ReviewInput) -> Update:
        session.record = review.sign(record, entered.reviewer, entered.statement, datetime.now(UTC))
        return redraw_panel(panel.page)

    return _handle_press(panel, panel.sign_problem, session, texts, action)


def amend(panel: RecordPanel, session: Session, *texts: str) -> Update:
    """Begin the next version of a signed record."""

    def action(record: Record, entered: ReviewInput) -> Update:
        session.record = review.amend(record, entered.reviewer, datetime.now(UTC))
        return redraw_panel(panel.page)

    return _handle_press(panel, panel.sign_problem, session, texts, action)


def export(panel: RecordPanel, kind: str, session: Session, *texts: str) -> Update:
    """Return the current record for the browser to save: no file is written on this machine."""

    def action(record: Record, _: ReviewInput) -> Update:
        content = EXPORTS[kind].write(record, session.pictures)
        session.saved_digest = digest(record)
        return {panel.file: encode_download(file_name(record, kind), EXPORTS[kind].media_type, content)}

    return _handle_press(panel, panel.export_problem, session, texts, action)


def keep(panel: RecordPanel, session: Session, with_signal: bool, *texts: str) -> Update:
    """Keep the record on this machine; from then on every change is kept at once."""

    def action(record: Record, _: ReviewInput) -> Update:
        save(panel.page, session, with_signal=with_signal)
        return {**redraw_panel(panel.page), **redraw_list(panel.page)}

    return _handle_press(panel, panel.page.record.problem, session, texts, action)


def _handle_press(
    panel: RecordPanel, problem: gr.HTML, session: Session, texts: tuple[str, ...], action: Action | None = None
) -> Update:
    """Take the typed texts, do the action, keep the record if it is a kept one, and show what changed.

    Args:
        panel: the one that was pressed.
        problem: where in it an error is shown.
        session: the visitor's.
        texts: name, role, statement, then each field's text.
        action: what the press does besides.
    """
    page, locks = panel.page, panel.page.service.press_locks
    with locks[hash(panel.token) % len(locks)]:
        before = session.record
        if before is None or session.panel != panel.token:
            return dict(gr.skip())
        name, role, statement, *values = (text or "" for text in texts)
        entered = ReviewInput(name, role, statement, tuple(values))
        session.reviewer = (name, role)
        update: Update = {panel.file: None, **dict.fromkeys(panel.problems, "")}
        try:
            wrong = {
                panel.fields[key].problem: _render_problem(page, error)
                for key, error in _apply_edits(session, before, entered).items()
            }
            update |= wrong or (action(session.record or before, entered) if action else {})
        except Exception as error:
            update[problem] = _render_problem(page, error)
        if session.kept_at:
            update |= save_changes(page, session, before)
        elif page.service.store and problem is not page.record.problem:
            update |= show_saving(page, session)
        return {**_show_changes(panel, session, before, entered), **update}


def _render_problem(page: Page, error: Exception) -> str:
    sentence = explain(page.translate, error, messages.FAILED_HERE)
    return render("record_problem", page.translate, sentence=sentence)


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


def _show_changes(panel: RecordPanel, session: Session, before: Record, entered: ReviewInput) -> Update:
    """Return the panel after a press. Only changes are sent, since a text field may be in use."""
    record, translate = session.record, panel.page.translate
    assert record is not None
    update = {
        panel.state: render_state(translate, session),
        panel.progress: render_progress(translate, record),
        panel.history: render_history(translate, record),
        panel.sign: gr.update(interactive=not record.pending),
        panel.not_yet: message("quiet", translate(messages.NOT_YET)) if record.pending else "",
    }
    for old, new, value in zip(before.fields, record.fields, entered.values, strict=True):
        parts = panel.fields[new.key]
        if new != old:
            update[parts.origin] = render_origin(translate, record, new)
            if new.value.split() != value.split():
                update[parts.text] = new.value
        if new.accepted != old.accepted:
            update[parts.review] = gr.update(visible=not new.accepted)
    return update


# The panel's HTML


def render_state(translate: Translator, session: Session) -> str:
    """Return headline, status, version, and whether closing the page would lose changes."""
    assert session.record is not None
    notes = [translate(note) for note in session.record.notes]
    return render("record_state", translate, session=session, notes=notes)


def render_progress(translate: Translator, record: Record) -> str:
    """Return how many suggestions have been reviewed, with links to the others."""
    changed = {change.key for change in record.history}
    total = sum(
        (field.origin.kind == SUGGESTED and bool(field.value)) or field.key in changed.intersection(SUGGESTED_FIELDS)
        for field in record.fields
    )
    return render("record_progress", translate, record=record, total=total)


def render_origin(translate: Translator, record: Record, field: Field) -> str:
    """Return where a field's text comes from, and who accepted or wrote it."""
    last = next((change for change in reversed(record.history) if change.key == field.key), None)
    accepted = field.origin.kind == SUGGESTED and last is not None and last.action == "accepted"
    return render("record_origin", translate, field=field, accepted_by=last.name if last and accepted else "")


def render_history(translate: Translator, record: Record) -> str:
    """Return who did what and when, newest last; with the text before and after each change."""
    labels = {field.key: field.label for field in record.fields}
    return render("record_history", translate, record=record, labels=labels)
