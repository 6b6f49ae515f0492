"""Render the record panel's texts as HTML: state, progress of the review, changes. All text is escaped here."""

from datetime import datetime
from html import escape

from copilot.i18n import N_, Translator, messages
from copilot.record.model import SUGGESTED, WRITTEN, Change, Field, Record
from copilot.record.store import Entry
from copilot.web import panels
from copilot.web.panels import sentences
from copilot.web.session import Session

AMENDMENT_HINT = N_("This amends version {version}, which stays as it was signed.")
STILL = N_("Still to review:")
NO_CHANGES = N_("Nobody has changed anything yet.")
KEPT_UNTIL = N_("will be deleted on {date}; download it, or change it to keep it longer")


def format_time(at: str) -> str:
    """Return an ISO 8601 time in UTC for people: ``2026-03-01 10:30 UTC``."""
    return f"{at[:10]} {at[11:16]} UTC"


def problem(translate: Translator, sentence: str) -> str:
    """Return an error beside the button that caused it, with a link to the reviewer's fields if they are empty."""
    way = (
        f'<a href="#reviewer">{escape(translate(messages.REVIEWER))}</a>'
        if translate(messages.RECORD_NOBODY) == sentence
        else ""
    )
    return f'<div class="problem waiting" role="alert">{escape(sentence)} {way}</div>'


def saved_notice(translate: Translator, at: str) -> str:
    """Return when the record was last kept."""
    return panels.confirmation(
        translate(N_("Kept at {at}. From now on every change is kept at once."), at=format_time(at))
    )


def state(translate: Translator, session: Session) -> str:
    """Return headline, status, version, signature, and whether closing the page would lose changes."""
    record = session.record
    assert record is not None
    version = translate(messages.ABOUT_VERSION, version=record.version)
    unsaved = " unsaved" if session.unsaved else ""
    signal = " with-signal" if session.cleaned else ""
    return (
        f'<div class="record-state{unsaved}{signal}"><p class="record-headline">{escape(record.headline)}</p>'
        f'<p><span class="pill {record.status}">{escape(translate(messages.STATUS[record.status]))}</span> '
        f"<span>{escape(version)}</span></p>{_amendment_hint(translate, record)}"
        f"{sentences(map(translate, record.notes)) if record.notes else ''}</div>"
    )


def _amendment_hint(translate: Translator, record: Record) -> str:
    if not record.amends:
        return ""
    return f'<p class="quiet">{escape(translate(AMENDMENT_HINT, version=record.version - 1))}</p>'


def signature(translate: Translator, record: Record) -> str:
    """Return who signed what and when; empty for a draft."""
    signed = record.signature
    if signed is None:
        return ""
    who = translate(messages.SIGNED_BY, name=signed.name, role=signed.role, at=format_time(signed.at))
    return (
        f'<div class="signed-by" role="status"><strong>{escape(who)}</strong><p>{escape(signed.statement)}</p>'
        f"<small>{escape(translate(messages.SIGNATURE_DIGEST))}: <code>{escape(signed.sha256)}</code></small></div>"
    )


def review_progress(translate: Translator, record: Record) -> str:
    """Return how many suggestions have been reviewed, with links to the others."""
    pending = record.pending
    total = sum(_was_suggested(record, field) for field in record.fields)
    if not total or record.signature:
        return ""
    counted = translate(N_("{done} of {total} suggestions reviewed"), done=total - len(pending), total=total)
    links = " ".join(f'<a href="#field-{escape(field.key)}">{escape(field.label)}</a>' for field in pending)
    rest = f"{escape(translate(STILL))} {links}" if pending else escape(translate(N_("Nothing is left to review.")))
    return (
        f'<div class="left-to-review" role="status"><strong>{escape(counted)}</strong>'
        f'<progress max="{total}" value="{total - len(pending)}"></progress><span>{rest}</span></div>'
    )


def _was_suggested(record: Record, field: Field) -> bool:
    """Return whether the field's text came from the model at first."""
    suggested = field.origin.kind == SUGGESTED and bool(field.value)
    return suggested or (field.key in _SUGGESTED_FIELDS and _find_last_change(record, field.key) is not None)


#: Fields that the model fills (see ``copilot.record.draft``).
_SUGGESTED_FIELDS = ("emotion", "probabilities", "three_class", "valence", "assessment", "suggestions")


def _find_last_change(record: Record, key: str) -> Change | None:
    changes = [change for change in record.history if change.key == key]
    return changes[-1] if changes else None


def field_origin(translate: Translator, record: Record, field: Field) -> str:
    """Return where a field's text comes from, and who accepted or wrote it."""
    return f'<div class="origin">{escape(_describe_origin(translate, record, field))}</div>'


def _describe_origin(translate: Translator, record: Record, field: Field) -> str:
    if field.origin.kind == WRITTEN and field.origin.by:
        return translate(N_("Written by {name}") if field.value else N_("Deleted by {name}"), name=field.origin.by)
    if field.origin.kind == WRITTEN:
        return translate(N_("For the clinician to write"))
    last = _find_last_change(record, field.key)
    if field.origin.kind == SUGGESTED and last and last.action == "accepted":
        return translate(N_("AI-suggested, accepted by {name}"), name=last.name)
    return translate(messages.ORIGIN[field.origin.kind])


def history(translate: Translator, record: Record) -> str:
    """Return who did what and when, newest last; with the text before and after each change."""
    if not record.history:
        return f'<p class="quiet">{escape(translate(NO_CHANGES))}</p>'
    labels = {field.key: field.label for field in record.fields}
    items = "".join(_change_item(translate, change, labels.get(change.key, change.key)) for change in record.history)
    return f'<ol class="changes">{items}</ol>'


def _change_item(translate: Translator, change: Change, label: str) -> str:
    texts = ""
    if change.before != change.after:
        texts = "".join(
            f"<dt>{escape(translate(word))}</dt><dd>{escape(text) or escape(translate(messages.LEFT_EMPTY))}</dd>"
            for word, text in ((messages.BEFORE, change.before), (messages.AFTER, change.after))
        )
    return (
        f"<li><b>{escape(change.name)}</b>, {escape(change.role)}: "
        f"{escape(translate(messages.ACTION[change.action]))} "
        f"<b>{escape(label)}</b> <time>{escape(format_time(change.at))}</time>"
        f"{f'<dl>{texts}</dl>' if texts else ''}</li>"
    )


def list_entry(translate: Translator, kept: Entry, due: datetime | None = None) -> str:
    """Return a kept record for the list: label, headline, status, version, and when it will be deleted."""
    label = f"<b>{escape(kept.label)}</b> " if kept.label else ""
    version = translate(messages.ABOUT_VERSION, version=kept.version)
    changed = translate(N_("changed {at}"), at=format_time(kept.changed))
    until = f'<p class="not-reviewed">{escape(translate(KEPT_UNTIL, date=f"{due:%Y-%m-%d}"))}</p>' if due else ""
    return (
        f'<div class="entry"><p>{label}<span>{escape(kept.headline)}</span></p><p class="quiet">'
        f'<span class="pill {escape(kept.status)}">{escape(translate(messages.STATUS[kept.status]))}</span> '
        f"{escape(version)}, {escape(changed)} · {escape(kept.id[:8])}</p>{until}</div>"
    )
