"""The visit's record on its way into the store, and what the record panel says about that."""

import io
from datetime import UTC, datetime

import numpy as np

from copilot.eeg.types import Recording
from copilot.i18n import Translator
from copilot.record.model import Record, digest, timestamp
from copilot.record.storage.store import RecordGone
from copilot.web import panels, record_html
from copilot.web.errors import explain
from copilot.web.queue import Service
from copilot.web.session import Session
from copilot.web.wiring import Update, now


def save(service: Service, visit: Session, *, with_signal: bool = False, kept: bool = False) -> None:
    """Write the visit's record into the store.

    Raises:
        StoreError: it cannot be kept, or somebody else changed it meanwhile.
    """
    assert service.store is not None
    assert visit.record is not None
    signal = _archive(visit.cleaned) if with_signal and visit.cleaned else None
    service.store.save(visit.record, visit.pictures, signal, must_exist=kept)
    visit.not_kept = ""
    visit.kept_at, visit.saved = timestamp(datetime.now(UTC)), digest(visit.record)


def keep_up(service: Service, say: Translator, visit: Session, before: Record) -> Update:
    """The kept record follows the visit's; where it cannot, the panel says so, and the next press tries again."""
    if visit.record is before and not visit.not_kept:
        return told(say, visit)
    try:
        save(service, visit, kept=True)
    except Exception as error:
        visit.not_kept = explain(say, error)[1]
        if isinstance(error, RecordGone):
            visit.kept_at = visit.saved = ""
    listed_anew = visit.record is None or visit.record.status != before.status
    return {**told(say, visit), **({"kept_turn": now()} if listed_anew else {})}


def told(say: Translator, visit: Session) -> Update:
    """Whether and since when the record is kept."""
    at = "" if visit.not_kept else record_html.kept_at(say, visit.kept_at)
    return {
        "kept": f'<div class="is-kept">{at}</div>' if visit.kept_at else "",
        "problem keep": panels.problem(visit.not_kept) if visit.not_kept else "",
    }


def _archive(cleaned: Recording) -> bytes:
    """The signal as the same kind of ``.npz`` file that the copilot reads, made in memory."""
    made = io.BytesIO()
    channels, units = np.array(cleaned.channels), np.array("uV")
    np.savez_compressed(made, data=cleaned.data, sfreq=cleaned.sfreq, channels=channels, units=units)
    return made.getvalue()
