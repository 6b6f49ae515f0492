"""The record panel: what is where in it, and which press does what (see ``reviewing``).

It is drawn anew for another record and after signing or amending; every other press changes only what it must, so that
nobody loses what they are typing.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from typing import Any

import gradio as gr

from copilot.language import Voice, english
from copilot.record.exports import EXPORTS
from copilot.record.record import WRITTEN, Field, Record, Section
from copilot.web import keeping, kept, panels, record_html, reviewing, scripts
from copilot.web.reviewing import Desk
from copilot.web.service import Service
from copilot.web.visit import Visit
from copilot.web.wiring import AT_ONCE, ONE_BY_ONE, Parts, Update, html, once


def card(service: Service, say: Voice, page: Parts) -> Parts:
    """The card with the panel in it.

    Args:
        service: the copilot.
        say: the visitor's language.
        page: the parts of the page, complete when the panel is first drawn; a change of ``panel`` draws it anew.
    """
    with gr.Column(visible=False, elem_classes="card", elem_id="record-card") as column:
        html(panels.heading(say(english.RECORD_HEADING)))
        draw = partial(_draw, service, say, page)
        gr.render(inputs=[page["visit"]], triggers=[page["panel"].change], **ONE_BY_ONE)(draw)
    return {"record_card": column}


def _draw(service: Service, say: Voice, page: Parts, visit: Visit) -> None:
    if visit.record is None:
        return
    visit.panel = time.monotonic()
    record = visit.record
    parts = {"state": html(record_html.state(say, visit))}
    parts |= _reviewer(say, visit)
    parts["left"] = html(record_html.left(say, record), elem_id="left-card")
    for section in record.sections:
        parts |= _section(say, record, section)
    parts |= _signing(say, record) | _downloads(say)
    parts |= _keeping(say, visit) if service.store else {"problem keep": html(visible=False)}
    with gr.Accordion(say(english.CHANGES), open=False, elem_classes="record-section"):
        parts["history"] = html(record_html.history(say, record))
    _connect(Desk(service, say, visit.panel), record, parts, page)


def _reviewer(say: Voice, visit: Visit) -> Parts:
    locked = visit.record is not None and visit.record.signature is not None
    html(panels.quiet(say(english.LOCKED_HINT if locked else english.RECORD_HINT)))
    name, role = visit.reviewer
    with gr.Row(elem_id="reviewer"):
        parts = {
            "name": gr.Textbox(name, label=say(english.REVIEWER), max_length=120, min_width=180, interactive=True),
            "role": gr.Textbox(
                role,
                label=say(english.ROLE),
                placeholder=say(english.ROLE_HINT),
                max_length=120,
                min_width=180,
                interactive=True,
            ),
        }
    return {**parts, "problem reviewer": html(visible=False)}


def _section(say: Voice, record: Record, section: Section) -> Parts:
    # The measurements are long and seldom edited; everything else is open.
    parts: Parts = {}
    shut = section.key == "examination"
    with (
        gr.Accordion(section.title, open=not shut, elem_classes="record-section"),
        gr.Row(elem_classes="record-fields"),
    ):
        for field in section.fields:
            parts |= _field(say, record, field)
    return parts


def _field(say: Voice, record: Record, field: Field) -> Parts:
    with gr.Column(elem_classes=["field", _shape(field)], elem_id=f"field-{field.key}", min_width=220):
        box = gr.Textbox(
            field.value,
            label=field.label,
            info=record_html.about(say, record, field),
            lines=1,
            max_lines=12,
            interactive=record.signature is None,
        )
        named = {"box": box, **(_review(say, field) if not field.accepted else {}), "problem": html(visible=False)}
    return {f"{what} {field.key}": part for what, part in named.items()}


def _shape(field: Field) -> str:
    """How much room a field gets."""
    lines = field.value.splitlines()
    if field.origin.kind == WRITTEN or len(field.value) > 60 * max(1, len(lines) - 1):
        return "wide"
    return "tall" if len(lines) > 4 else "short"


def _review(say: Voice, field: Field) -> Parts:
    with gr.Row(elem_classes="review") as row:
        html(f'<span class="not-reviewed">{escape(say(english.NOT_REVIEWED))}</span>')
        buttons = {
            what: gr.Button(say(word), size="sm", min_width=80, elem_classes=what, elem_id=f"{what}-{field.key}")
            for what, word in (("accept", english.ACCEPT), ("delete", english.DELETE))
        }
    return {"review": row, **buttons}


def _signing(say: Voice, record: Record) -> Parts:
    locked = record.signature is not None
    with gr.Column(elem_classes="signing"):
        html(record_html.signature(say, record), visible=locked)
        statement = gr.Textbox(
            say(english.STATEMENT),
            label=say(english.STATEMENT_LABEL),
            lines=2,
            max_length=600,
            visible=not locked,
            interactive=True,
        )
        ready = not record.pending
        press = gr.Button(say(english.SIGN), variant="primary", interactive=ready, visible=not locked)
        not_yet = html(panels.quiet(say(english.NOT_YET)), visible=not ready)
        amend = gr.Button(say(english.AMEND), visible=locked)
        problem = html(visible=False)
    return {"statement": statement, "sign": press, "not_yet": not_yet, "amend": amend, "problem sign": problem}


def _downloads(say: Voice) -> Parts:
    with gr.Row(elem_classes="downloads"):
        buttons = {
            f"export {kind}": gr.Button(say(english.DOWNLOAD, format=export.title), size="sm", min_width=120)
            for kind, export in EXPORTS.items()
        }
    return {**buttons, "problem export": html(visible=False), "file": gr.JSON(visible=False)}


def _keeping(say: Voice, visit: Visit) -> Parts:
    told = keeping.told(say, visit)
    with gr.Row(visible=not visit.kept_at) as row:
        keep = gr.Button(say(english.KEEP), size="sm")
        signal = gr.Checkbox(False, label=say(english.KEEP_SIGNAL), container=False, visible=visit.cleaned is not None)
    return {
        **{"keep": keep, "with_signal": signal, "kept": html(**_plain(told["kept"]))},
        "problem keep": html(**_plain(told["problem keep"])),
        "open_kept": gr.Button(say(english.OPEN_KEPT), size="sm", visible=bool(visit.not_kept and visit.kept_at)),
        "keep_row": row,
    }


def _plain(update: dict[str, Any]) -> dict[str, Any]:
    """An update's values, for a part that is just being made."""
    return {name: update[name] for name in ("value", "visible")}


def _connect(desk: Desk, record: Record, parts: Parts, page: Parts) -> None:
    """Which press does what; each carries all boxes."""
    fields = [field.key for field in record.fields]
    boxes = [parts[name] for name in ("name", "role", "statement", *(f"box {key}" for key in fields))]
    reached = parts | {name: page[name] for name in ("panel", "kept_turn") if name in page}
    options = {"outputs": list(reached.values()), **AT_ONCE}

    def on(event: Callable[..., Any], handler: Callable[..., Update], *about: str, more: Sequence[Any] = ()) -> Any:
        inputs = [page["visit"], *more, *boxes]
        return event(once(reached, partial(handler, desk, *about)), inputs, **options)

    for key in fields:
        on(parts[f"box {key}"].blur, reviewing.typed, key)
    for key in (field.key for field in record.pending):
        on(parts[f"accept {key}"].click, reviewing.accept, key)
        on(parts[f"delete {key}"].click, reviewing.delete, key)
    for name in ("name", "role"):
        on(parts[name].blur, reviewing.typed, "reviewer")
    on(parts["sign"].click, reviewing.sign)
    on(parts["amend"].click, reviewing.amend)
    for kind in EXPORTS:
        on(parts[f"export {kind}"].click, reviewing.export, kind).success(None, parts["file"], None, js=scripts.SAVE)
    if desk.service.store:
        on(parts["keep"].click, reviewing.keep, more=[parts["with_signal"]])
        kept.opens(parts["open_kept"].click, desk.service, desk.say, page, record.id)
