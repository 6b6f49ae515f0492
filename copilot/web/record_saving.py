"""Save the session's record to the store, and show in the record panel whether that succeeded."""

import io
from datetime import UTC, datetime

import numpy as np

from copilot.eeg.types import Recording
from copilot.i18n import Translator
from copilot.record.database import RecordGone
from copilot.record.model import Record, digest, timestamp
from copilot.web import panels, record_html
from copilot.web.errors import explain
from copilot.web.queue import Service
from copilot.web.session import Session
from copilot.web.wiring import Update, new_trigger_value


def save(service: Service, session: Session, *, with_signal: bool = False, kept: bool = False) -> None:
    """Write the session's record into the store.

    Args:
        service: the copilot, with its store.
        session: the visitor's.
        with_signal: whether to keep the cleaned signal too.
        kept: whether the record is in the store already.

    Raises:
        StoreError: it cannot be kept, or was changed elsewhere meanwhile.
    """
    assert service.store is not None
    assert session.record is not None
    signal = _pack_signal(session.cleaned) if with_signal and session.cleaned else None
    service.store.save(session.record, session.pictures, signal, must_exist=kept)
    session.saving_problem = ""
    session.kept_at, session.saved_digest = timestamp(datetime.now(UTC)), digest(session.record)


def save_changes(service: Service, translate: Translator, session: Session, before: Record) -> Update:
    """Save a kept record after a press; if that fails, the panel shows why, and the next press tries again."""
    if session.record is before and not session.saving_problem:
        return show_saving(translate, session)
    try:
        save(service, session, kept=True)
    except Exception as error:
        session.saving_problem = explain(translate, error)[1]
        if isinstance(error, RecordGone):
            session.kept_at = session.saved_digest = ""
    list_changed = session.record is None or session.record.status != before.status
    return {**show_saving(translate, session), **({"kept_turn": new_trigger_value()} if list_changed else {})}


def show_saving(translate: Translator, session: Session) -> Update:
    """Show whether and since when the record is kept."""
    at = "" if session.saving_problem else record_html.saved_notice(translate, session.kept_at)
    return {
        "kept": f'<div class="is-kept">{at}</div>' if session.kept_at else "",
        "problem keep": panels.problem(session.saving_problem) if session.saving_problem else "",
    }


def _pack_signal(cleaned: Recording) -> bytes:
    """Return the signal as an ``.npz`` file of the kind that the copilot reads, made in memory."""
    buffer = io.BytesIO()
    channels, units = np.array(cleaned.channels), np.array("uV")
    np.savez_compressed(buffer, data=cleaned.data, sfreq=cleaned.sfreq, channels=channels, units=units)
    return buffer.getvalue()
