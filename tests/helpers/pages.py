"""A page that nobody serves, sessions, and what a handler shows, for tests of the web app's handlers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from copilot.i18n import Translator
from copilot.record.model import Record
from copilot.result import Result
from copilot.settings import Settings
from copilot.web import record_panel, uploads
from copilot.web.layout import Page
from copilot.web.queue import Service
from copilot.web.record_review import RecordPanel
from copilot.web.session import Form, Session, Update
from tests.helpers.fake_engine import FakeEngine
from tests.helpers.records import drafted
from tests.helpers.serving import laid_out

NASTY = "<img src=x onerror=alert(1)>"
SAY = Translator("en")
AGREED = Form(consent=True, gender="female", age="34")


def idle(**settings: Any) -> Service:
    return Service(Settings(**{"protocol": "faced-films", **settings}), lambda _: FakeEngine())


def started(engine: FakeEngine | None = None, **settings: Any) -> Service:
    service = Service(Settings(**{"protocol": "faced-films", **settings}), lambda _: engine or FakeEngine())
    service.start()
    return service


def reading(probabilities: list[float], **changes: Any) -> Result:
    fields = {
        **{"readout": "both", "assessment": "", "suggestions": (), "raw": "", "timings": {}, "model": "fake"},
        **{"model_sha256": "", "prompt_sha256": "", "codec": "bands"},
    }
    return Result(probabilities=np.array(probabilities), **{**fields, **changes})


def merged(updates: Iterator[Update]) -> Update:
    """What the page shows in the end."""
    shown: Update = {}
    for update in updates:
        shown |= update
    return shown


def html(value: Any) -> str:
    return value["value"] if isinstance(value, dict) else value


def with_upload(name: str, content: bytes) -> Session:
    return Session(recording=(uploads.Attachment(name, content),))


def boxes(record: Record, name: str = "Dr Ada Weiss", **texts: str) -> list[str]:
    """What the panel's boxes hold: reviewer, role, statement, fields."""
    return [name, "Neurologist", "I have reviewed it.", *(texts.get(f.key, f.value) for f in record.fields)]


def drawn(tmp_path: Path) -> tuple[RecordPanel, Session]:
    """The panel of a draft, on a page with a store, and the session of its visitor."""
    visit, panels = Session(record=drafted()), []

    def draw(page: Page) -> None:
        assert visit.record is not None
        panels.append(record_panel.add_panel(page, visit, visit.record))

    laid_out(started(store=True, data=tmp_path), draw=draw)
    return panels[0], visit
