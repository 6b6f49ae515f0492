"""What is where on the page, and which handler belongs to which button (see ``build``)."""

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

from copilot.i18n import LANGUAGES, N_, Translator
from copilot.i18n import english as words
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
from copilot.web.guard import Guard, inputs_of
from copilot.web.languages import ByLanguage, offered
from copilot.web.queue import HELD, MOST_WAITING, Service
from copilot.web.session import Form, Session
from copilot.web.theme import CSS, theme
from copilot.web.uploads import UploadReceiver
from copilot.web.wiring import Parts, Update, html, once, stream, turn

#: Calls of one kind that Gradio carries out at once, and as many may wait. More than can be in our own line, which says
#: who is ahead and, when it is full, that: in Gradio's a visitor sees nothing.
MOST_CALLS = MOST_WAITING + 24

#: Visits that are remembered at once; the one that was quiet longest is forgotten first.
MOST_VISITS = 200


def build(service: Service) -> gr.Blocks:
    """The page in every language, each at its own address, not yet launched."""
    first, *others = offered(service.settings)
    with gr.Blocks(title=words.TITLE, fill_width=True) as page:
        _page(service, Translator(first), page)
        page.unload(_closed(page))
    for language in others:
        with page.route(LANGUAGES[language], language, show_in_navbar=False):
            _page(service, Translator(language), page)
    return page


def _closed(page: gr.Blocks) -> Callable[[gr.Request], None]:
    """What happens when somebody closes the page; Gradio gives the request to a plain function only."""

    def closed(request: gr.Request) -> None:
        memory.forget_closed(page, request.session_hash)

    return closed


def _page(service: Service, say: Translator, blocks: gr.Blocks) -> None:
    parts: Parts = {"visit": gr.State(Session()), "panel": turn()}
    first, *others = offered(service.settings)
    addresses = {first: f"./?lang={first}", **{code: f"./{code}" for code in others}}
    html(panels.notice(say), elem_classes="notice")
    switch = panels.switch(say, addresses) if others else ""
    html(panels.masthead(say, service.model_name, _where(say, service.settings), switch))
    with gr.Row():
        with gr.Column(scale=4, min_width=320, elem_id="left"):
            parts |= layout_form.consent(say) | layout_form.person(say)
            parts |= layout_form.recording(say, service.settings.max_upload_mb) | layout_form.actions(say)
        with gr.Column(scale=7, min_width=320, elem_id="results"):
            parts |= layout_results.reading(say) | layout_results.chat(say)
            parts |= record_layout.card(service, say, parts) | layout_results.prompt(say)
            if service.store:
                parts |= history.card(service, say, parts, blocks)
    _connect(service, say, parts)


def _where(say: Translator, settings: Settings) -> str:
    """Who gets to see what: the server's host only, since its URL may hold a password."""
    space = (
        say(N_("This copilot runs on a Hugging Face Space: your recording is sent there and read there."))
        if settings.on_space
        else ""
    )
    server = (
        say(
            N_("Prompts go to the language model server that this copilot was set up with: {server}"),
            server=urlsplit(settings.server).hostname,
        )
        if settings.server
        else ""
    )
    return f"{space} {server}".strip() or say(N_("Everything runs on the machine that serves this page."))


def launch(page: gr.Blocks, service: Service) -> str:
    """Serve the page and return its address; the caller decides how long.

    Raises:
        SettingsError: the port is taken.
    """
    settings = service.settings
    page.queue(default_concurrency_limit=MOST_CALLS, max_size=MOST_CALLS)
    _log_no_words()
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
            max_threads=2 * MOST_CALLS,
            state_session_capacity=MOST_VISITS,
            footer_links=[],
            theme=theme(),
            css_paths=CSS,
            head=scripts.head(offered(settings)),
            app_kwargs={
                "middleware": [Middleware(ByLanguage, languages=offered(settings))],
                "lifespan": partial(_guarded, page, settings),
            },
        )
    except OSError as error:
        taken = f"Port {settings.port} is taken by another program; set EEG_COPILOT_PORT to another number."
        raise SettingsError(taken) from error
    connections.bound(page.server)
    return str(address)


@asynccontextmanager
async def _guarded(page: gr.Blocks, settings: Settings, app: Any) -> AsyncIterator[None]:
    """Set the guard before everything else, Gradio's own middleware among it, before the first connection is taken."""
    largest = settings.max_upload_mb
    reception = UploadReceiver(Path(get_upload_folder()), largest, HELD * largest)
    app.middleware_stack = Guard(app.middleware_stack, settings, reception, inputs_of(page.config))
    sweeping = asyncio.create_task(reception.keep_swept())
    yield
    sweeping.cancel()


def _log_no_words() -> None:
    """Keep Gradio from writing errors, which quote what somebody sent, to the terminal: their type and place only."""

    def print_exc() -> None:
        kind, _, trace = sys.exc_info()
        while trace and trace.tb_next:
            trace = trace.tb_next
        place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"
        logging.getLogger(__name__).error("%s at %s", kind.__name__ if kind else "?", place)

    for module in ("gradio.queueing", "gradio.routes", "gradio.utils"):
        sys.modules[module].traceback = SimpleNamespace(print_exc=print_exc)  # type: ignore[attr-defined]


def _connect(service: Service, say: Translator, parts: Parts) -> None:
    """Which press calls which handler."""
    asks = parts.pop("asks")
    visit, fields = parts["visit"], [parts[name] for name in Form.__dataclass_fields__]
    options = {"outputs": list(parts.values()), "show_progress": "hidden"}
    private = {**options, "api_visibility": "private"}

    def ask(visit: Session, text: str | None) -> Generator[Update, None, None]:
        return chat.ask(service, say, visit, text or "")

    question = [visit, parts["question"]]
    # "multiple": a question that comes while another is answered ends that answer, and does not get lost.
    parts["send"].click(stream(parts, ask), question, trigger_mode="multiple", api_name="ask", **options)
    parts["question"].submit(stream(parts, ask), question, trigger_mode="multiple", **private)
    for text, button in asks.items():
        ready_made = stream(parts, lambda visit, text=text: ask(visit, text))
        button.click(ready_made, [visit], trigger_mode="multiple", **private)

    analyse = stream(parts, lambda visit, *values: analysis.analyse(service, say, visit, Form(*values)))
    # "multiple": after Stop, the next press counts even while the stopped run is still ending.
    pressed = {"trigger_mode": "multiple", "api_name": "analyse", **options}
    parts["analyse"].click(analyse, [visit, *fields], js=scripts.tell_theme(say(words.UNSAVED)), **pressed)
    parts["analyse"].click(None, js=scripts.SCROLL)

    for what in ("recording", "baselines"):
        keep = once(parts, partial(analysis.keep, service, say, what))
        # Files as the browser describes them: see ``uploads``.
        parts[what].upload(keep, [visit, parts[what]], preprocess=False, queue=False, api_name=what, **options)
    opened = once(parts, partial(record_file.open_file, say))
    guard = scripts.guard(say(words.UNSAVED))
    chosen = [visit, parts["consent"], parts["record_file"]]
    upload = parts["record_file"].upload(opened, chosen, preprocess=False, queue=False, js=guard, **private)
    upload.success(None, js=scripts.SHOW_RECORD)
    parts["consent"].change(once(parts, analysis.consent), parts["consent"], queue=False, **private)
    parts["source"].change(once(parts, partial(analysis.source, say)), parts["source"], queue=False, **private)
    halts = {"stop": partial(analysis.stop, say), "chat_stop": partial(chat.stop_answer, say)}
    for name, halt in halts.items():
        parts[name].click(once(parts, halt), visit, queue=False, api_name=name, **options)
    parts["clear"].click(once(parts, analysis.clear), visit, queue=False, js=guard, api_name="clear", **options)
