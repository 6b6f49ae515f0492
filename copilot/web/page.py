"""Build the page in every language (see ``build_page``), and connect its components to their handlers."""

from collections.abc import Callable, Generator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import gradio as gr

from copilot import NOTICE
from copilot.i18n import LANGUAGES, N_, Translator, messages
from copilot.safety.region import find_region
from copilot.settings import Settings
from copilot.web import analysis, browser, chat, layout, record_panel, record_store
from copilot.web.guard import list_languages
from copilot.web.html import heading, message, render, show
from copilot.web.layout import ONE_AT_A_TIME, Page
from copilot.web.queue import Service
from copilot.web.session import Form, Session, Update, forget_closed_pages


def build_page(service: Service) -> gr.Blocks:
    """Return the page in every language, each at its own address, not yet launched."""
    first, *others = list_languages(service.settings)
    with gr.Blocks(title=messages.TITLE, fill_width=True) as blocks:
        lay_out_page(service, Translator(first), blocks)
        blocks.unload(_make_close_handler(blocks))
    for language in others:
        with blocks.route(LANGUAGES[language], language, show_in_navbar=False):
            lay_out_page(service, Translator(language), blocks)
    return blocks


def _make_close_handler(blocks: gr.Blocks) -> Callable[[gr.Request], None]:
    """Return the handler of a closed page; Gradio gives the request to a plain function only."""

    def closed(request: gr.Request) -> None:
        forget_closed_pages(blocks, request.session_hash)

    return closed


def lay_out_page(service: Service, translate: Translator, blocks: gr.Blocks) -> Page:
    """Add the page in one language to ``blocks``, and connect its components."""
    page: Page  # complete before the record panel and the list of kept records are first drawn
    settings = service.settings
    session, redraw_record = gr.State(Session()), layout.make_trigger()
    first, *others = list_languages(settings)
    addresses = {first: f"./?lang={first}", **{code: f"./{code}" for code in others}}
    show(message("notice-line", translate(NOTICE)), elem_classes="notice")
    about = {"model": service.model_name, "where": _describe_place(translate, settings)}
    show(render("masthead", translate, **about, addresses=addresses, languages=LANGUAGES))
    with gr.Row():
        with gr.Column(scale=4, min_width=320, elem_id="left"):
            consent, person = layout.add_consent(translate), layout.add_person(translate)
            recording = layout.add_recording(translate, settings.max_upload_mb)
            actions = layout.add_actions(translate)
        with gr.Column(scale=7, min_width=320, elem_id="results"):
            results, conversation = layout.add_results(translate), layout.add_chat(translate)
            with gr.Column(elem_classes="card", elem_id="record-card"):
                heading(translate(N_("The record")))
                draw_record = gr.render(inputs=[session], triggers=[redraw_record.change], **ONE_AT_A_TIME)
                draw_record(lambda visitor: record_panel.draw(page, visitor))
                record = layout.add_record(translate, redraw_record, store=bool(service.store))
            prompt = layout.add_prompt(translate)
            kept = None
            if service.store:
                with gr.Column(elem_classes="card", elem_id="kept-card"):
                    kept = layout.add_kept_tools(translate, settings.keep_days)
                    redraws = [blocks.load, kept.words.change, kept.redraw.change]
                    draw_list = gr.render(inputs=[kept.words], triggers=redraws, **ONE_AT_A_TIME)
                    draw_list(lambda words: record_store.draw_list(page, words))

    cards = (consent, person, recording, actions, results, conversation, record)
    page = Page(service, translate, session, *cards, prompt, kept)
    _connect_handlers(page)
    return page


def _describe_place(translate: Translator, settings: Settings) -> str:
    """Return who gets the data: of a server only the host, since its URL may contain a password."""
    places = []
    if settings.on_space:
        places.append(
            translate(N_("This copilot runs on a Hugging Face Space: your recording is sent there and read there."))
        )
    if settings.server:
        to_server = N_("Prompts go to the language model server that this copilot was set up with: {server}")
        places.append(translate(to_server, server=urlsplit(settings.server).hostname))
    return translate.join(places) or translate(N_("Everything runs on the machine that serves this page."))


def _connect_handlers(page: Page) -> None:
    """Connect every event to its handler."""
    session, actions, conversation, recording = page.session, page.actions, page.chat, page.recording
    options: dict[str, Any] = {"outputs": page.components, "show_progress": "hidden"}
    private = {**options, "api_visibility": "private"}

    # Gradio gives the request to plain functions only. The region is found anew each time: Clear begins a new session.
    def ask(session: Session, request: gr.Request, question: str) -> Generator[Update, None, None]:
        session.region = find_region(request.headers.get("accept-language", ""))
        yield from chat.ask(page, session, question)

    # "multiple": a question that comes while another is answered ends that answer, and does not get lost.
    answering = {"fn": ask, "inputs": [session, conversation.question], "trigger_mode": "multiple"}
    conversation.send.click(**answering, api_name="ask", **options)
    conversation.question.submit(**answering, **private)
    for button in conversation.asks:
        button.click(ask, [session, button], trigger_mode="multiple", **private)
    conversation.chatbot.like(chat.rate_answer, session, queue=False, api_visibility="private")
    taken = conversation.download.click(partial(chat.download, page), session, queue=False, **private)
    taken.success(None, conversation.file, None, js=browser.SAVE)

    def analyse(session: Session, request: gr.Request, *values: Any) -> Generator[Update, None, None]:
        session.region = find_region(request.headers.get("accept-language", ""))
        yield from analysis.analyse(page, session, Form(*values))

    ask_first = page.translate(messages.UNSAVED)
    # "multiple": after Stop, the next press counts even while the stopped run is still ending.
    pressed = {"trigger_mode": "multiple", "api_name": "analyse", "js": browser.send_theme(ask_first), **options}
    actions.analyse.click(analyse, [session, *page.form.values()], **pressed)
    actions.analyse.click(None, js=browser.SHOW_RESULTS)

    # Files as the browser describes them: see ``uploads``.
    described = {"preprocess": False, "queue": False}
    for what, upload in (("recording", recording.recording), ("baselines", recording.baselines)):
        taken = partial(analysis.take_upload, page, what)
        upload.upload(taken, [session, upload], api_name=what, **described, **options)
    guard = browser.confirm_loss(ask_first)
    opened = actions.record_file.upload(
        partial(record_store.open_file, page),
        [session, page.consent.consent, actions.record_file],
        js=guard,
        **described,
        **private,
    )
    opened.success(None, js=browser.SHOW_RECORD)
    consent, source = page.consent.consent, recording.source
    consent.change(partial(analysis.allow_analysis, page), consent, queue=False, **private)
    source.change(partial(analysis.select_source, page), source, queue=False, **private)
    actions.stop.click(partial(analysis.stop, page), session, queue=False, api_name="stop", **options)
    conversation.stop.click(partial(chat.stop_answer, page), session, queue=False, api_name="chat_stop", **options)
    actions.clear.click(partial(analysis.clear, page), session, queue=False, js=guard, api_name="clear", **options)
    if page.kept:
        record_store.connect_list(page)
