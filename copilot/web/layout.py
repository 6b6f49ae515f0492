"""What is where on the page, and which handler belongs to which button (see ``build``)."""

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from functools import partial
from typing import Any
from urllib.parse import urlsplit

# Before Gradio is imported: it contacts two hosts at start otherwise.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import gradio as gr

from copilot import chat
from copilot.eeg.simulate import EXAMPLES
from copilot.person import GENDERS, MAX_TEXT
from copilot.record.record import ORIGIN_WORDS, Field, Record, Section
from copilot.settings import Settings, SettingsError
from copilot.web import charts, handlers, words
from copilot.web.screen import Update
from copilot.web.service import Service
from copilot.web.theme import CSS, theme
from copilot.web.visit import OWN, Form, Visit

#: How many visitors may wait at once; the line itself lets one at a time work (see ``service.Line``).
MOST_WAITING = 16

#: Uploads that no handler took, because the page was closed too early: looked for every, deleted after, seconds.
CACHE = (600, 3600)

#: Visits that are remembered at once; the one that was quiet longest is forgotten first.
MOST_VISITS = 200

#: Saves text as a file in the browser, so that no record is ever written on the machine that runs the copilot.
SAVE = """(file) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([file.text], {type: file.type}));
  link.download = file.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}"""

#: Pictures are drawn for the theme that the browser shows: the last field of the form.
TELL_THEME = """(...values) => [...values.slice(0, -1), document.body.classList.contains("dark")]"""

#: On a phone the results are far below the button.
SCROLL = """() => { if (innerWidth < 860) document.getElementById("results").scrollIntoView({behavior: "smooth"}); }"""

Parts = dict[str, Any]

_html = partial(gr.HTML, apply_default_css=False)  # our own style sheet is enough


def build(service: Service) -> gr.Blocks:
    """The page, not yet launched."""
    with gr.Blocks(title=words.TITLE, fill_width=True, delete_cache=CACHE) as page:
        parts: Parts = {"visit": gr.State(Visit()), "record": gr.State(None)}
        _html(charts.notice(), elem_classes="notice")
        _html(charts.masthead(service.model_name, _where(service.settings)))
        with gr.Row():
            with gr.Column(scale=4, min_width=320, elem_id="left"):
                parts |= _consent() | _person() | _recording(service) | _actions()
            with gr.Column(scale=7, min_width=320, elem_id="results"):
                parts |= _results() | _chat() | _record(parts["record"]) | _prompt()
        _connect(service, parts)
    return page


def _where(settings: Settings) -> str:
    """Who gets to see what: the server's host only, since its URL may hold a password."""
    space = words.SPACE if settings.on_space else ""
    server = words.SERVER.format(server=urlsplit(settings.server).hostname) if settings.server else ""
    return f"{space} {server}".strip() or words.LOCAL


def launch(page: gr.Blocks, service: Service) -> str:
    """Serve the page and return its address; the caller decides how long.

    Raises:
        SettingsError: the port is taken.
    """
    settings = service.settings
    page.queue(default_concurrency_limit=MOST_WAITING)
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
            state_session_capacity=MOST_VISITS,
            footer_links=[],
            theme=theme(),
            css_paths=CSS,
        )
    except OSError as error:
        taken = f"Port {settings.port} is taken by another program; set EEG_COPILOT_PORT to another number."
        raise SettingsError(taken) from error
    return str(address)


def _consent() -> Parts:
    with gr.Column(elem_classes="card"):
        _html(charts.heading(words.CONSENT_HEADING, 1))
        gr.Markdown("\n\n".join(words.CONSENT), elem_classes="quiet")
        consent = gr.Checkbox(Form.consent, label=words.CONSENT_BOX, container=False)
        problem = _html(visible=False)
    return {"consent": consent, "consent_problem": problem}


def _person() -> Parts:
    with gr.Column(elem_classes="card"):
        _html(charts.heading(words.PERSON_HEADING, 2))
        with gr.Row():
            # Text, because ``gr.Number`` shows, and sends, 0 where nothing was entered.
            gender = gr.Dropdown(list(GENDERS), value=Form.gender, label=words.GENDER, min_width=130)
            age = gr.Textbox(label=words.AGE, placeholder=words.AGE_HINT, min_width=100, max_length=3)
        texts = {
            "appearance": _text(words.APPEARANCE, words.APPEARANCE_HINT),
            "complaint": _text(words.COMPLAINT, words.COMPLAINT_HINT),
            "history": _text(words.HISTORY, words.HISTORY_HINT),
        }
        _html(charts.quiet(words.NO_NAMES))
        problem = _html(visible=False)
    return {"gender": gender, "age": age, **texts, "person_problem": problem}


def _text(label: str, hint: str) -> gr.Textbox:
    return gr.Textbox(label=label, placeholder=hint, lines=1, max_lines=6, max_length=MAX_TEXT)


def _recording(service: Service) -> Parts:
    sources = [(words.OWN, OWN), *((example.title, name) for name, example in EXAMPLES.items())]
    with gr.Column(elem_classes="card"):
        _html(charts.heading(words.RECORDING_HEADING, 3))
        source = gr.Radio(sources, value=Form.source, label=words.SOURCE, elem_classes="sources")
        about = _html(visible=False)
        with gr.Column() as own:
            recording, kept = _upload(words.UPLOAD, words.UPLOAD_HINT.format(megabytes=service.settings.max_upload_mb))
            with gr.Accordion(words.BASELINE_HEADING, open=False):
                baselines, baselines_kept = _upload(words.BASELINE, words.BASELINE_HINT)
            with gr.Accordion(words.ARRAY_HEADING, open=False):
                sfreq = gr.Textbox(label=words.SFREQ, placeholder=words.SFREQ_HINT)
                channels = gr.Textbox(label=words.CHANNELS, placeholder=words.CHANNELS_HINT)
        problem = _html(visible=False)
    return {
        **{"source": source, "about": about, "own": own, "recording": recording, "recording_kept": kept},
        **{"baselines": baselines, "baselines_kept": baselines_kept, "sfreq": sfreq, "channels": channels},
        "recording_problem": problem,
    }


def _upload(label: str, hint: str) -> tuple[gr.File, gr.HTML]:
    upload = gr.File(label=label, file_count="multiple", height=130)
    _html(charts.quiet(hint))
    return upload, _html(visible=False)


def _actions() -> Parts:
    with gr.Column(elem_classes="card", elem_id="actions"):
        with gr.Row():
            analyse = gr.Button(words.ANALYSE, variant="primary", interactive=False, scale=3, min_width=120)
            stop = gr.Button(words.STOP, variant="stop", interactive=False, scale=1, min_width=90)
        clear = gr.Button(words.CLEAR, size="sm")
        dark = gr.Checkbox(Form.dark, visible=False)
    return {"analyse": analyse, "stop": stop, "clear": clear, "dark": dark}


def _results() -> Parts:
    with gr.Column(elem_classes="card") as empty_card:
        _html(charts.empty())
    urgent = _html(visible=False)
    progress = _html(visible=False)
    with gr.Column(visible=False, elem_classes="card") as signal_card:
        _html(charts.heading(words.SIGNAL_HEADING))
        parts = {"quality": _html()}
        with gr.Row():
            for names in (("signal",), ("bands", "done")):
                with gr.Column(min_width=300):
                    parts |= {name: _html() for name in names}
    with gr.Column(visible=False, elem_classes="card") as reading_card:
        _html(charts.heading(words.READING_HEADING))
        parts["reading"] = _html()
    with gr.Column(visible=False, elem_classes="card") as assessment_card:
        _html(charts.heading(words.ASSESSMENT_HEADING))
        parts["assessment"] = _html()
    cards = {"signal_card": signal_card, "reading_card": reading_card, "assessment_card": assessment_card}
    return {"empty_card": empty_card, "urgent": urgent, "progress": progress, **cards, **parts}


def _chat() -> Parts:
    with gr.Column(visible=False, elem_classes="card") as card:
        _html(charts.heading(words.CHAT_HEADING))
        # Answers stay plain text: rendered Markdown could load a picture from somewhere else.
        chatbot = gr.Chatbot(
            elem_id="chat",
            show_label=False,
            height=None,
            min_height=130,
            max_height=420,
            placeholder=words.CHAT_EMPTY,
            render_markdown=False,
            buttons=[],
            feedback_options=None,
        )
        status = _html(visible=False)
        with gr.Row(elem_classes="asks"):
            asks = [gr.Button(question, size="sm") for question in words.QUESTIONS]
        with gr.Row():
            question = gr.Textbox(
                label=words.QUESTION,
                placeholder=words.QUESTION_HINT,
                show_label=False,
                scale=6,
                min_width=240,
                max_length=chat.MAX_QUESTION,
            )
            send = gr.Button(words.SEND, variant="primary", scale=1, min_width=80)
            stop = gr.Button(words.STOP, variant="stop", scale=1, min_width=80, interactive=False)
    found = {"chat_card": card, "chatbot": chatbot, "chat_status": status, "asks": asks, "question": question}
    return {**found, "send": send, "chat_stop": stop}


def _record(state: gr.State) -> Parts:
    with gr.Column(visible=False, elem_classes="card") as card:
        _html(charts.heading(words.RECORD_HEADING))
        _html(charts.quiet(words.RECORD_HINT))
        gr.render(inputs=[state], triggers=[state.change], show_progress="hidden")(partial(_fields, state))
    return {"record_card": card}


def _fields(state: gr.State, record: Record | None) -> None:
    """The fields of this visitor's record, and the buttons that save them as they then stand."""
    if record is None:
        return
    boxes = [box for section in record.sections for box in _section(section)]
    file = gr.JSON(visible=False)
    with gr.Row():
        for kind, label in (("markdown", words.MARKDOWN), ("json", words.JSON)):
            button = gr.Button(label)
            export = partial(handlers.export, kind)
            saved = button.click(export, [state, *boxes], file, show_progress="hidden", api_visibility="private")
            saved.success(None, file, None, js=SAVE)


def _section(section: Section) -> list[gr.Textbox]:
    # The measurements are long and seldom edited; everything else is open.
    with gr.Accordion(section.title, open=section.key != "examination", elem_classes="record-section"):
        return [_field(field) for field in section.fields]


def _field(field: Field) -> gr.Textbox:
    info = ORIGIN_WORDS[field.origin]
    wide = "wide" if len(field.value) > 60 or field.origin == "written" else "short"
    return gr.Textbox(field.value, label=field.label, info=info, lines=1, max_lines=12, elem_classes=wide)


def _prompt() -> Parts:
    with (
        gr.Column(visible=False, elem_classes="card", elem_id="prompt-card") as card,
        gr.Accordion(words.PROMPT_HEADING, open=False),
    ):
        prompt = gr.Textbox(show_label=False, lines=8, max_lines=24, buttons=["copy"], elem_id="prompt")
    return {"prompt_card": card, "prompt": prompt}


def _connect(service: Service, parts: Parts) -> None:
    """Which press calls which handler."""
    asks = parts.pop("asks")
    visit, form = parts["visit"], [parts[name] for name in Form.__dataclass_fields__]
    options = {"outputs": list(parts.values()), "show_progress": "hidden"}
    private = {**options, "api_visibility": "private"}

    ask = _stream(parts, partial(handlers.ask, service))
    question = [visit, parts["question"]]
    parts["send"].click(ask, question, api_name="ask", **options)
    parts["question"].submit(ask, question, **private)
    for button in asks:
        button.click(ask, [visit, button], **private)

    analyse = _stream(parts, lambda visit, *values: handlers.analyse(service, visit, Form(*values)))
    # "multiple": after Stop, the next press counts even while the stopped run is still ending.
    pressed = {"trigger_mode": "multiple", "js": TELL_THEME, "api_name": "analyse", **options}
    parts["analyse"].click(analyse, [visit, *form], **pressed)
    parts["analyse"].click(None, js=SCROLL)

    for what in ("recording", "baselines"):
        keep = _once(parts, partial(handlers.keep, service.settings, what))
        # Files as the browser describes them: see ``uploads``.
        parts[what].upload(keep, [visit, parts[what]], preprocess=False, queue=False, api_name=what, **options)
    parts["consent"].change(_once(parts, handlers.consent), parts["consent"], queue=False, **private)
    parts["source"].change(_once(parts, handlers.source), parts["source"], queue=False, **private)
    for name, halt in (("stop", handlers.stop), ("chat_stop", handlers.stop_answer), ("clear", handlers.clear)):
        parts[name].click(_once(parts, halt), visit, queue=False, api_name=name, **options)


def _stream(parts: Parts, handler: Callable[..., Generator[Update, None, None]]) -> Callable[..., Iterator[Parts]]:
    """The handler with the parts of the page in place of their names; closed when Gradio closes it."""

    def run(*values: Any) -> Iterator[Parts]:
        with closing(handler(*values)) as updates:
            for update in updates:
                if update:
                    yield {parts[name]: value for name, value in update.items()}

    return run


def _once(parts: Parts, handler: Callable[..., Update]) -> Callable[..., Parts]:
    """The same for a handler that answers at once."""

    def run(*values: Any) -> Parts:
        return {parts[name]: value for name, value in handler(*values).items()}

    return run
