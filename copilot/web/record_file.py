"""Open a record in the panel: from a file (see ``open_file``), or from the store (see ``history``)."""

from functools import partial
from typing import Any

from copilot.i18n import Translator, messages
from copilot.record.export.json_format import from_json
from copilot.record.model import Record, RecordError, digest
from copilot.web import panels, uploads
from copilot.web.analysis import set_buttons
from copilot.web.errors import explain
from copilot.web.render import clear_results, redraw_panel
from copilot.web.session import Session
from copilot.web.wiring import Update

#: More than any record takes, megabytes.
MAX_MB = 5


def open_file(translate: Translator, session: Session, agreed: bool, uploaded: dict[str, Any] | None) -> Update:
    """Open a record that was downloaded as JSON, or written by a batch; the file is read into memory and deleted.

    Args:
        translate: into the visitor's language.
        session: the visitor's.
        agreed: whether they agreed to the notice.
        uploaded: the file as the browser describes it.
    """
    try:
        record = _read_record(uploaded)
    except Exception as error:
        problem = panels.problem(explain(translate, error, messages.FAILED_HERE)[1])
        return {"record_file": None, "open_problem": problem}
    return {**show_in_panel(session, Session(record=record), agreed), "record_file": None}


def show_in_panel(session: Session, new: Session, agreed: bool) -> Update:
    """Replace the session by a new one with a record and without an analysis; the form stays as it is."""
    assert new.record is not None
    new.saved_digest, new.reviewer = digest(new.record), session.reviewer
    new.recording, new.baselines = session.recording, session.baselines
    return {**session.halt(partial(_reset_page, agreed)), "visit": new}


def _read_record(uploaded: dict[str, Any] | None) -> Record:
    (file,) = uploads.read_uploads([uploaded] if uploaded else [], MAX_MB)
    try:
        return from_json(file.content.decode())
    except UnicodeDecodeError:
        raise RecordError(messages.RECORD_NOT_JSON) from None


def _reset_page(agreed: bool) -> Update:
    return {**clear_results(), **redraw_panel(), **set_buttons(analyse=agreed, stop=False)}
