"""The record panel's own words as HTML: its state, what is left to review, its changes. All text is escaped here."""

from datetime import datetime
from html import escape

from copilot.i18n import N_, Translator, english
from copilot.record.model import SUGGESTED, WRITTEN, Change, Field, Record
from copilot.record.storage.store import Entry
from copilot.web import panels
from copilot.web.panels import sentences
from copilot.web.session import Session

AMENDMENT_HINT = N_("This amends version {version}, which stays as it was signed.")
STILL = N_("Still to review:")
NO_CHANGES = N_("Nobody has changed anything yet.")
KEPT_UNTIL = N_("will be deleted on {date}; download it, or change it to keep it longer")


def moment(at: str) -> str:
    """An ISO 8601 time in UTC for people: ``2026-03-01 10:30 UTC``."""
    return f"{at[:10]} {at[11:16]} UTC"


def problem(say: Translator, sentence: str) -> str:
    """What is missing, next to what was pressed, with the way to the reviewer's name and role; work waits for it."""
    way = f'<a href="#reviewer">{escape(say(english.REVIEWER))}</a>' if say(english.RECORD_NOBODY) == sentence else ""
    return f'<div class="problem waiting" role="alert">{escape(sentence)} {way}</div>'


def kept_at(say: Translator, at: str) -> str:
    """When the record was kept last."""
    return panels.good_news(say(N_("Kept at {at}. From now on every change is kept at once."), at=moment(at)))


def state(say: Translator, visit: Session) -> str:
    """Headline, draft or signed, version, signature; and whether it would be lost with the page."""
    record = visit.record
    assert record is not None
    version = say(english.ABOUT_VERSION, version=record.version)
    unsaved = " unsaved" if visit.unsaved else ""
    signal = " with-signal" if visit.cleaned else ""
    return (
        f'<div class="record-state{unsaved}{signal}"><p class="record-headline">{escape(record.headline)}</p>'
        f'<p><span class="pill {record.status}">{escape(say(english.STATUS[record.status]))}</span> '
        f"<span>{escape(version)}</span></p>{_amends(say, record)}"
        f"{sentences(map(say, record.notes)) if record.notes else ''}</div>"
    )


def _amends(say: Translator, record: Record) -> str:
    if not record.amends:
        return ""
    return f'<p class="quiet">{escape(say(AMENDMENT_HINT, version=record.version - 1))}</p>'


def signature(say: Translator, record: Record) -> str:
    """Who signed what and when; empty for a draft."""
    signed = record.signature
    if signed is None:
        return ""
    who = say(english.SIGNED_BY, name=signed.name, role=signed.role, at=moment(signed.at))
    return (
        f'<div class="signed-by" role="status"><strong>{escape(who)}</strong><p>{escape(signed.statement)}</p>'
        f"<small>{escape(say(english.SIGNATURE_DIGEST))}: <code>{escape(signed.sha256)}</code></small></div>"
    )


def left(say: Translator, record: Record) -> str:
    """How many suggestions have been reviewed, and the way to those that have not."""
    pending = record.pending
    total = sum(_suggestion(record, field) for field in record.fields)
    if not total or record.signature:
        return ""
    counted = say(N_("{done} of {total} suggestions reviewed"), done=total - len(pending), total=total)
    links = " ".join(f'<a href="#field-{escape(field.key)}">{escape(field.label)}</a>' for field in pending)
    rest = f"{escape(say(STILL))} {links}" if pending else escape(say(N_("Nothing is left to review.")))
    return (
        f'<div class="left-to-review" role="status"><strong>{escape(counted)}</strong>'
        f'<progress max="{total}" value="{total - len(pending)}"></progress><span>{rest}</span></div>'
    )


def _suggestion(record: Record, field: Field) -> bool:
    """Whether the field's text came from the model once."""
    suggested = field.origin.kind == SUGGESTED and bool(field.value)
    return suggested or (field.key in _SUGGESTED and _last(record, field.key) is not None)


#: Fields that the model fills (see ``drafting``).
_SUGGESTED = ("emotion", "probabilities", "three_class", "valence", "assessment", "suggestions")


def _last(record: Record, key: str) -> Change | None:
    changes = [change for change in record.history if change.key == key]
    return changes[-1] if changes else None


def about(say: Translator, record: Record, field: Field) -> str:
    """Where a field's text comes from, and who stands for it."""
    return f'<div class="origin">{escape(_origin(say, record, field))}</div>'


def _origin(say: Translator, record: Record, field: Field) -> str:
    if field.origin.kind == WRITTEN and field.origin.by:
        return say(N_("Written by {name}") if field.value else N_("Deleted by {name}"), name=field.origin.by)
    if field.origin.kind == WRITTEN:
        return say(N_("For the clinician to write"))
    last = _last(record, field.key)
    if field.origin.kind == SUGGESTED and last and last.action == "accepted":
        return say(N_("AI-suggested, accepted by {name}"), name=last.name)
    return say(english.ORIGIN[field.origin.kind])


def history(say: Translator, record: Record) -> str:
    """Who did what when, newest last; with the text before and after where it changed."""
    if not record.history:
        return f'<p class="quiet">{escape(say(NO_CHANGES))}</p>'
    labels = {field.key: field.label for field in record.fields}
    items = "".join(_change(say, change, labels.get(change.key, change.key)) for change in record.history)
    return f'<ol class="changes">{items}</ol>'


def _change(say: Translator, change: Change, label: str) -> str:
    texts = ""
    if change.before != change.after:
        texts = "".join(
            f"<dt>{escape(say(word))}</dt><dd>{escape(text) or escape(say(english.LEFT_EMPTY))}</dd>"
            for word, text in ((english.BEFORE, change.before), (english.AFTER, change.after))
        )
    return (
        f"<li><b>{escape(change.name)}</b>, {escape(change.role)}: {escape(say(english.ACTION[change.action]))} "
        f"<b>{escape(label)}</b> <time>{escape(moment(change.at))}</time>{f'<dl>{texts}</dl>' if texts else ''}</li>"
    )


def entry(say: Translator, kept: Entry, due: datetime | None = None) -> str:
    """A kept record in the list: who it is called, how far it is, what it says first, and when it will be deleted."""
    label = f"<b>{escape(kept.label)}</b> " if kept.label else ""
    version = say(english.ABOUT_VERSION, version=kept.version)
    changed = say(N_("changed {at}"), at=moment(kept.changed))
    until = f'<p class="not-reviewed">{escape(say(KEPT_UNTIL, date=f"{due:%Y-%m-%d}"))}</p>' if due else ""
    return (
        f'<div class="entry"><p>{label}<span>{escape(kept.headline)}</span></p><p class="quiet">'
        f'<span class="pill {escape(kept.status)}">{escape(say(english.STATUS[kept.status]))}</span> '
        f"{escape(version)}, {escape(changed)} · {escape(kept.id[:8])}</p>{until}</div>"
    )
