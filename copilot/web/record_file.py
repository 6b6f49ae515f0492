"""A record comes into the panel from elsewhere: from a file (see ``open_file``), or from the store (see ``kept``)."""

from functools import partial
from typing import Any

from copilot.i18n import N_, Translator, english
from copilot.record.export.json_format import from_json
from copilot.record.model import Record, RecordError, digest
from copilot.web import panels, uploads
from copilot.web.analysis import buttons
from copilot.web.errors import explain
from copilot.web.render import blank, redrawn
from copilot.web.session import Session
from copilot.web.wiring import Update

#: More than any record has, megabytes.
LARGEST_MB = 5


def open_file(say: Translator, visit: Session, agreed: bool, uploaded: dict[str, Any] | None) -> Update:
    """Open a record that was downloaded as JSON, or written by a batch; the file is read into memory and unlinked."""
    try:
        record = _read(uploaded)
    except Exception as error:
        problem = panels.problem(explain(say, error, english.FAILED_HERE)[1])
        return {"record_file": None, "open_problem": problem}
    return {**into_panel(visit, Session(record=record), agreed), "record_file": None}


def into_panel(visit: Session, new: Session, agreed: bool) -> Update:
    """The visit that comes in place of this one: its record, and nothing of an analysis; the form stays as it is."""
    assert new.record is not None
    new.saved, new.reviewer = digest(new.record), visit.reviewer
    new.recording, new.baselines = visit.recording, visit.baselines
    return {**visit.halt(partial(_opened, agreed)), "visit": new}


def _read(uploaded: dict[str, Any] | None) -> Record:
    (file,) = uploads.take([uploaded] if uploaded else [], LARGEST_MB)
    try:
        return from_json(file.content.decode())
    except UnicodeDecodeError:
        raise RecordError(N_(english.RECORD_NOT_JSON)) from None


def _opened(agreed: bool) -> Update:
    return {**blank(), **redrawn(), **buttons(analyse=agreed, stop=False)}
