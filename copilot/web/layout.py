"""Lay out the page, and connect its parts to their handlers (see ``build_page``)."""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

# Before Gradio is imported: it contacts two hosts at start otherwise.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import gradio as gr
from gradio.utils import get_upload_folder
from starlette.middleware import Middleware

from copilot.i18n import LANGUAGES, N_, Translator, messages
from copilot.settings import Settings, SettingsError
from copilot.web import (
    analysis,
    chat,
    connections,
    history,
    layout_form,
    layout_results,
    memory,
    panels,
    record_file,
    record_layout,
    scripts,
)
from copilot.web.guard import Guard, read_inputs
from copilot.web.languages import LanguageRedirect, list_languages
from copilot.web.queue import MAX_WAITING, UPLOADS_HELD, Service
from copilot.web.session import Form, Session
from copilot.web.theme import CSS, make_theme
from copilot.web.uploads import UploadReceiver
from copilot.web.wiring import Parts, Update, bind, bind_stream, html, make_trigger

#: Calls of one kind that Gradio runs at once, and as many may wait. More than fit into our own queue, which shows
#: a visitor's place, or that it is full: in Gradio's queue a visitor sees nothing.
MAX_CALLS = MAX_WAITING + 24

#: Sessions that are kept at once; the one that was unused longest is forgotten first.
MAX_SESSIONS = 200


def build_page(service: Service) -> gr.Blocks:
    """Return the page in every language, each at its own address, not yet launched."""
    first, *others = list_languages(service.settings)
    with gr.Blocks(title=messages.TITLE, fill_width=True) as page:
        _lay_out_page(service, Translator(first), page)
        page.unload(_make_close_handler(page))
    for language in others:
        with page.route(LANGUAGES[language], language, show_in_navbar=False):
            _lay_out_page(service, Translator(language), page)
    return page


def _make_close_handler(page: gr.Blocks) -> Callable[[gr.Request], None]:
    """Return the handler of a closed page; Gradio gives the request to a plain function only."""

    def closed(request: gr.Request) -> None:
        memory.forget_closed_pages(page, request.session_hash)

    return closed


def _lay_out_page(service: Service, translate: Translator, blocks: gr.Blocks) -> None:
    parts: Parts = {"visit": gr.State(Session()), "panel": make_trigger()}
    first, *others = list_languages(service.settings)
    addresses = {first: f"./?lang={first}", **{code: f"./{code}" for code in others}}
    html(panels.notice(translate), elem_classes="notice")
    switch = panels.language_switch(translate, addresses) if others else ""
    html(panels.masthead(translate, service.model_name, _describe_place(translate, service.settings), switch))
    with gr.Row():
        with gr.Column(scale=4, min_width=320, elem_id="left"):
            parts |= layout_form.consent(translate) | layout_form.person(translate)
            parts |= layout_form.recording(translate, service.settings.max_upload_mb) | layout_form.actions(translate)
        with gr.Column(scale=7, min_width=320, elem_id="results"):
            parts |= layout_results.result_cards(translate) | layout_results.chat(translate)
            parts |= record_layout.card(service, translate, parts) | layout_results.prompt(translate)
            if service.store:
                parts |= history.card(service, translate, parts, blocks)
    _connect_handlers(service, translate, parts)


def _describe_place(translate: Translator, settings: Settings) -> str:
    """Return who gets the data: of a server only the host, since its URL may contain a password."""
    space = (
        translate(N_("This copilot runs on a Hugging Face Space: your recording is sent there and read there."))
        if settings.on_space
        else ""
    )
    server = (
        translate(
            N_("Prompts go to the language model server that this copilot was set up with: {server}"),
            server=urlsplit(settings.server).hostname,
        )
        if settings.server
        else ""
    )
    return f"{space} {server}".strip() or translate(N_("Everything runs on the machine that serves this page."))


def launch_page(page: gr.Blocks, service: Service) -> str:
    """Serve the page and return its address, without blocking.

    Raises:
        SettingsError: the port is taken.
    """
    settings = service.settings
    page.queue(default_concurrency_limit=MAX_CALLS, max_size=MAX_CALLS)
    _log_without_messages()
    try:
        _, address, _ = page.launch(
            server_name=settings.host,
            server_port=settings.port,
            prevent_thread_lock=True,
            quiet=True,
            run_history=False,
            enable_monitoring=False,
            ssr_mode=False,
            max_file_size=f"{settings.max_upload_mb}mb",
            max_threads=2 * MAX_CALLS,
            state_session_capacity=MAX_SESSIONS,
            footer_links=[],
            theme=make_theme(),
            css_paths=CSS,
            head=scripts.build_head(list_languages(settings)),
            app_kwargs={
                "middleware": [Middleware(LanguageRedirect, languages=list_languages(settings))],
                "lifespan": partial(_install_guard, page, settings),
            },
        )
    except OSError as error:
        raise SettingsError(
            N_("Port {port} is taken by another program; set EEG_COPILOT_PORT to another number.", port=settings.port)
        ) from error
    connections.limit_connections(page.server)
    return str(address)


@asynccontextmanager
async def _install_guard(page: gr.Blocks, settings: Settings, app: Any) -> AsyncIterator[None]:
    """Put the guard before everything else, also Gradio's own middleware, before the first connection is accepted."""
    largest = settings.max_upload_mb
    receiver = UploadReceiver(Path(get_upload_folder()), largest, UPLOADS_HELD * largest)
    app.middleware_stack = Guard(app.middleware_stack, settings, receiver, read_inputs(page.config))
    sweeping = asyncio.create_task(receiver.remove_stale_repeatedly())
    yield
    sweeping.cancel()


def _log_without_messages() -> None:
    """Make Gradio log only type and place of an error: its message quotes what a visitor sent."""

    def print_exc() -> None:
        kind, _, trace = sys.exc_info()
        while trace and trace.tb_next:
            trace = trace.tb_next
        place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"
        logging.getLogger(__name__).error("%s at %s", kind.__name__ if kind else "?", place)

    for module in ("gradio.queueing", "gradio.routes", "gradio.utils"):
        sys.modules[module].traceback = SimpleNamespace(print_exc=print_exc)  # type: ignore[attr-defined]


def _connect_handlers(service: Service, translate: Translator, parts: Parts) -> None:
    """Connect every event to its handler."""
    asks = parts.pop("asks")
    session, fields = parts["visit"], [parts[name] for name in Form.__dataclass_fields__]
    options = {"outputs": list(parts.values()), "show_progress": "hidden"}
    private = {**options, "api_visibility": "private"}

    def ask(session: Session, text: str | None) -> Generator[Update, None, None]:
        return chat.ask(service, translate, session, text or "")

    question = [session, parts["question"]]
    # "multiple": a question that comes while another is answered ends that answer, and does not get lost.
    parts["send"].click(bind_stream(parts, ask), question, trigger_mode="multiple", api_name="ask", **options)
    parts["question"].submit(bind_stream(parts, ask), question, trigger_mode="multiple", **private)
    for text, button in asks.items():
        ready_made = bind_stream(parts, lambda session, text=text: ask(session, text))
        button.click(ready_made, [session], trigger_mode="multiple", **private)

    analyse = bind_stream(parts, lambda session, *values: analysis.analyse(service, translate, session, Form(*values)))
    # "multiple": after Stop, the next press counts even while the stopped run is still ending.
    pressed = {"trigger_mode": "multiple", "api_name": "analyse", **options}
    parts["analyse"].click(analyse, [session, *fields], js=scripts.send_theme(translate(messages.UNSAVED)), **pressed)
    parts["analyse"].click(None, js=scripts.SCROLL)

    for what in ("recording", "baselines"):
        keep = bind(parts, partial(analysis.take_upload, service, translate, what))
        # Files as the browser describes them: see ``uploads``.
        parts[what].upload(keep, [session, parts[what]], preprocess=False, queue=False, api_name=what, **options)
    opened = bind(parts, partial(record_file.open_file, translate))
    guard = scripts.confirm_loss(translate(messages.UNSAVED))
    chosen = [session, parts["consent"], parts["record_file"]]
    upload = parts["record_file"].upload(opened, chosen, preprocess=False, queue=False, js=guard, **private)
    upload.success(None, js=scripts.SHOW_RECORD)
    parts["consent"].change(bind(parts, analysis.allow_analysis), parts["consent"], queue=False, **private)
    parts["source"].change(
        bind(parts, partial(analysis.select_source, translate)), parts["source"], queue=False, **private
    )
    halts = {"stop": partial(analysis.stop, translate), "chat_stop": partial(chat.stop_answer, translate)}
    for name, halt in halts.items():
        parts[name].click(bind(parts, halt), session, queue=False, api_name=name, **options)
    parts["clear"].click(bind(parts, analysis.clear), session, queue=False, js=guard, api_name="clear", **options)
