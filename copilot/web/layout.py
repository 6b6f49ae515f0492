"""Lay out the page's cards, and define what they consist of (``Page``).

Every card is always part of the page; ``static/page.css`` hides it while it is empty.
"""

import time
from dataclasses import dataclass, fields
from typing import Any

import gradio as gr

from copilot.chat.replies import nearest_questions
from copilot.eeg.simulate import EXAMPLES
from copilot.i18n import N_, Translator, messages
from copilot.i18n.terms import term
from copilot.person import GENDERS
from copilot.web.html import heading, message, render, show
from copilot.web.queue import Service
from copilot.web.session import OWN, Form

#: Events that are answered at once stay out of Gradio's queue: when the stream of one queued event ends, Gradio 6.31
#: may cancel another that the same visitor has just begun, and leaving a text field precedes the press of a button.
NOT_QUEUED: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}

#: Renders of ``gr.render`` run one after another: two at once would change the same dictionaries of Gradio's.
ONE_AT_A_TIME: dict[str, Any] = {"concurrency_id": "render", "concurrency_limit": 1, "show_progress": "hidden"}

CONSENT = (
    N_(
        "Your EEG and your words are used to infer an emotion. The result is uncertain, it is written by a small AI "
        "model and **it is not a diagnosis**. Do not use it on people at work or in education: the EU AI Act prohibits "
        "that."
    ),
    N_(
        "The recording is on the disk of the copilot's computer only while it is being read, without names and birth "
        "dates afterwards. It stays in memory until you press *Clear everything* or, at the latest, an hour after you "
        "close this page."
    ),
)
UPLOAD_HINT = N_(
    "EDF, BDF, BrainVision and EEGLAB (all files together or as .zip), FIF, GDF, CNT, EGI, CSV, OpenBCI, Muse, NPY or "
    "MAT; at most {megabytes} MB."
)
FILMS = N_("It is one of the FACED study's film clips, from its first second (research)")
BASELINE_HINT = N_(
    "Nothing makes the reading better than knowing what is normal for this person. One file per recording."
)


@dataclass(frozen=True)
class ConsentCard:
    """The notice with its checkbox, without which no analysis starts."""

    consent: gr.Checkbox
    problem: gr.HTML


@dataclass(frozen=True)
class PersonCard:
    """The fields about the person that the model reads, and those for the record only."""

    gender: gr.Dropdown
    age: gr.Textbox
    appearance: gr.Textbox
    complaint: gr.Textbox
    history: gr.Textbox
    name: gr.Textbox
    number: gr.Textbox
    laboratory: gr.Textbox
    expenses: gr.Textbox
    problem: gr.HTML


@dataclass(frozen=True)
class RecordingCard:
    """The upload of a recording with its baselines, and the simulated examples.

    Attributes:
        source: an example, or an own recording.
        about: describes the example.
        own: what is needed for an own recording.
        recording_kept: says that the files are in memory; ``baselines_kept`` too.
    """

    source: gr.Radio
    about: gr.HTML
    own: gr.Column
    recording: gr.File
    recording_kept: gr.HTML
    baselines: gr.File
    baselines_kept: gr.HTML
    sfreq: gr.Textbox
    channels: gr.Textbox
    trial: gr.Textbox
    films: gr.Checkbox
    problem: gr.HTML


@dataclass(frozen=True)
class ActionsCard:
    """Analyse, Stop, Clear, and the upload of an existing record; ``dark`` is set by the browser (``send_theme``)."""

    analyse: gr.Button
    stop: gr.Button
    clear: gr.Button
    dark: gr.Checkbox
    record_file: gr.File
    problem: gr.HTML


@dataclass(frozen=True)
class ResultCards:
    """Progress, signal, probabilities, assessment and the exact prompt."""

    urgent: gr.HTML
    progress: gr.HTML
    quality: gr.HTML
    signal: gr.HTML
    bands: gr.HTML
    done: gr.HTML
    emotion: gr.HTML
    assessment: gr.HTML


#: Questions that the buttons of the chat begin with, as intents.
FIRST_QUESTIONS = ("meaning", "confidence", "rhythm", "advice")


@dataclass(frozen=True)
class ChatCard:
    """The chat; ``asks`` are buttons with questions that fit next, ``file`` is what the browser saves."""

    chatbot: gr.Chatbot
    status: gr.HTML
    asks: list[gr.Button]
    question: gr.Textbox
    send: gr.Button
    stop: gr.Button
    download: gr.Button
    file: gr.JSON


@dataclass(frozen=True)
class RecordCard:
    """What surrounds the record panel (see ``record_panel``): whether the record is kept.

    Attributes:
        redraw: redraws the panel from the session when it changes.
        kept: since when the record is kept.
        problem: why it could not be kept.
        keep: keeps it; like ``with_signal`` and ``open_kept`` only where there is a store.
        with_signal: whether to keep the cleaned signal too.
        open_kept: opens the kept one in place of one that could not be kept.
    """

    redraw: gr.Textbox
    kept: gr.HTML
    problem: gr.HTML
    keep: gr.Button | None
    with_signal: gr.Checkbox | None
    open_kept: gr.Button | None


@dataclass(frozen=True)
class KeptCard:
    """The list of kept records; ``redraw`` redraws it when it changes."""

    words: gr.Textbox
    take: gr.Button
    problem: gr.HTML
    file: gr.JSON
    redraw: gr.Textbox


@dataclass(frozen=True)
class Page:
    """The page in one language.

    Attributes:
        service: what all visitors share.
        translate: into the page's language.
        session: the visitor's ``Session``.
        kept: only where there is a store.
    """

    service: Service
    translate: Translator
    session: gr.State
    consent: ConsentCard
    person: PersonCard
    recording: RecordingCard
    actions: ActionsCard
    results: ResultCards
    chat: ChatCard
    record: RecordCard
    prompt: gr.Textbox
    kept: KeptCard | None

    @property
    def form(self) -> dict[str, Any]:
        """Return the components of the form by the names of ``Form``'s fields, in their order."""
        found = vars(self.consent) | vars(self.person) | vars(self.recording) | vars(self.actions)
        return {field.name: found[field.name] for field in fields(Form)}

    @property
    def components(self) -> list[Any]:
        """Return every component that a handler may change."""
        cards = (self.consent, self.person, self.recording, self.actions, self.results, self.chat, self.record)
        found = [component for card in cards for component in vars(card).values()]
        changed = [component for component in found if component is not None and not isinstance(component, list)]
        changed += self.chat.asks
        kept = [self.kept.problem, self.kept.file, self.kept.redraw] if self.kept else []
        return [self.session, self.prompt, *changed, *kept]


def make_trigger() -> gr.Textbox:
    """Return a component whose change redraws others: ``gr.State`` reports no changes outside the queue."""
    return gr.Textbox(visible="hidden", container=False)


def new_trigger_value() -> str:
    """Return a new value for ``make_trigger``'s component."""
    return str(time.monotonic())


def _text_field(label: str, hint: str) -> gr.Textbox:
    return gr.Textbox("", label=label, placeholder=hint, lines=1, max_lines=6)


def add_consent(translate: Translator) -> ConsentCard:
    """Add the notice, and the checkbox."""
    with gr.Column(elem_classes="card"):
        heading(translate(N_("Before you start")), 1)
        gr.Markdown("\n\n".join(map(translate, CONSENT)), elem_classes="quiet")
        agreed = gr.Checkbox(
            Form.consent,
            label=translate(
                N_("I am this person or act with their agreement, and they know that an AI infers an emotion.")
            ),
            container=False,
        )
        return ConsentCard(agreed, show())


def add_person(translate: Translator) -> PersonCard:
    """Add the fields about the person."""
    with gr.Column(elem_classes="card asked"):
        heading(translate(N_("The person")), 2)
        with gr.Row():
            # Text, because ``gr.Number`` shows, and sends, 0 where nothing was entered.
            genders = [(translate(term("gender", gender)), gender) for gender in GENDERS]
            gender = gr.Dropdown(genders, value=Form.gender, label=translate(N_("Gender")), min_width=130)
            age = gr.Textbox(label=translate(N_("Age")), placeholder=translate(N_("Years")), min_width=100)
        appearance = _text_field(
            translate(messages.APPEARANCE), translate(N_("How they say they look or feel, in their own words"))
        )
        complaint = _text_field(translate(messages.COMPLAINT), translate(N_("What brings them here")))
        history = _text_field(translate(messages.HISTORY), translate(N_("Earlier illness, medication, sleep")))
        no_names = N_("No names or numbers here, please: this part is read by the model, which needs none.")
        show(message("quiet", translate(no_names)))
        with gr.Accordion(translate(N_("For the record only (optional)")), open=False, elem_id="particulars"):
            not_read = N_("None of this reaches the model: it stands in the record, where that is kept or downloaded.")
            show(message("quiet", translate(not_read)))
            with gr.Row():
                name = gr.Textbox(Form.name, label=translate(messages.FIELD_NAME), min_width=130)
                number = gr.Textbox(
                    Form.number,
                    label=translate(messages.FIELD_NUMBER),
                    placeholder=translate(N_("Of the chart or the study")),
                    min_width=130,
                )
            laboratory = _text_field(
                translate(messages.FIELD_LABORATORY), translate(N_("Results that belong in this record"))
            )
            expenses = _text_field(translate(messages.FIELD_EXPENSES), translate(N_("What is to be charged")))
        return PersonCard(gender, age, appearance, complaint, history, name, number, laboratory, expenses, show())


def add_recording(translate: Translator, max_mb: int) -> RecordingCard:
    """Add the upload of a recording with its baselines, and the simulated examples."""
    sources = [(translate(N_("My own recording")), OWN)]
    sources += [(translate(example.title), name) for name, example in EXAMPLES.items()]

    def add_upload(label: str, hint: str) -> tuple[gr.File, gr.HTML]:
        upload = gr.File(label=label, file_count="multiple", height=130)
        show(message("quiet", hint))
        return upload, show()

    with gr.Column(elem_classes="card asked"):
        heading(translate(N_("The recording")), 3)
        source = gr.Radio(sources, value=Form.source, label=translate(N_("Which EEG")), elem_classes="sources")
        about = show()
        with gr.Column() as own:
            files = add_upload(translate(N_("EEG file")), translate(UPLOAD_HINT, megabytes=max_mb))
            with gr.Accordion(translate(N_("Another recording of the same person (optional)")), open=False):
                baselines = add_upload(translate(N_("Baseline recordings")), translate(BASELINE_HINT))
            with gr.Accordion(translate(N_("Only for bare numbers (CSV, NPY, MAT)")), open=False):
                sfreq = gr.Textbox(
                    label=translate(N_("Samples a second")),
                    placeholder=translate(N_("In hertz, where the file does not say")),
                )
                channels = gr.Textbox(
                    label=translate(N_("Channel names")),
                    placeholder=translate(N_("In the file's order: Fp1, Fp2, F3 ...")),
                )
                trial = gr.Textbox(
                    "",
                    label=translate(N_("Trial")),
                    placeholder=translate(N_("Its number, where the file holds several")),
                )
            films = gr.Checkbox(Form.films, label=translate(FILMS), elem_id="films")
        return RecordingCard(source, about, own, *files, *baselines, sfreq, channels, trial, films, show())


def add_actions(translate: Translator) -> ActionsCard:
    """Add Analyse, Stop, Clear, and the upload of an existing record."""
    with gr.Column(elem_classes="card", elem_id="actions"):
        with gr.Row():
            analyse = gr.Button(translate(N_("Analyse")), variant="primary", interactive=False, scale=3, min_width=120)
            stop = gr.Button(translate(messages.STOP), variant="stop", interactive=False, scale=1, min_width=90)
        clear = gr.Button(translate(N_("Clear everything")), size="sm")
        dark = gr.Checkbox(Form.dark, visible=False)
        with gr.Accordion(translate(N_("Go on with a record (JSON)")), open=False):
            record = gr.File(label=translate(N_("Record")), height=110)
            hint = N_("One that was downloaded here as JSON, or that a batch made: to review, sign or amend it.")
            show(message("quiet", translate(hint)))
            return ActionsCard(analyse, stop, clear, dark, record, show())


def add_results(translate: Translator) -> ResultCards:
    """Add progress, signal, probabilities and assessment."""
    with gr.Column(elem_classes="card", elem_id="empty-card"):
        show(render("empty", translate))
    urgent, progress = show(elem_id="urgent"), show(elem_id="progress")
    outdated = N_("The form has changed since this reading. Press Analyse for a reading of what it says now.")
    show(message("outdated", translate(outdated)), elem_id="outdated")
    with gr.Column(elem_classes="card", elem_id="signal-card"):
        heading(translate(N_("The signal")))
        quality = show()
        with gr.Row():
            with gr.Column(min_width=300):
                signal = show()
            with gr.Column(min_width=300):
                bands, done = show(), show()
    with gr.Column(elem_classes="card", elem_id="reading-card"):
        heading(translate(N_("The reading")))
        emotion = show()
    with gr.Column(elem_classes="card", elem_id="assessment-card"):
        heading(translate(N_("The assessment")))
        if translate.language != "en":
            show(message("quiet", translate(messages.ABOUT_PROSE)))
        assessment = show()
    return ResultCards(urgent, progress, quality, signal, bands, done, emotion, assessment)


def add_chat(translate: Translator) -> ChatCard:
    """Add the chat: ready-made questions, and a text field."""
    with gr.Column(elem_classes="card", elem_id="chat-card"):
        heading(translate(N_("Ask about it")))
        # Answers stay plain text: rendered Markdown could load a picture from somewhere else.
        chatbot = gr.Chatbot(
            elem_id="chat",
            show_label=False,
            height=None,
            min_height=130,
            max_height=None,
            placeholder=translate(N_("Choose a question below or write your own.")),
            render_markdown=False,
            buttons=["copy"],
            feedback_options=("Like", "Dislike"),
        )
        status = show()
        with gr.Row(elem_classes="asks"):
            asks = [gr.Button(question, size="sm") for question in nearest_questions(FIRST_QUESTIONS, translate)]
        with gr.Row():
            question = gr.Textbox(
                label=translate(N_("Your question")),
                placeholder=translate(N_("Ask about this reading")),
                show_label=False,
                scale=6,
                min_width=240,
            )
            send = gr.Button(translate(N_("Send")), variant="primary", scale=1, min_width=80)
            stop = gr.Button(translate(messages.STOP), variant="stop", scale=1, min_width=80, interactive=False)
        download = gr.Button(translate(N_("Download this conversation")), size="sm", elem_id="chat-download")
    return ChatCard(chatbot, status, asks, question, send, stop, download, gr.JSON(visible=False))


def add_prompt(translate: Translator) -> gr.Textbox:
    """Add the exact prompt."""
    with (
        gr.Column(elem_classes="card", elem_id="prompt-card"),
        gr.Accordion(translate(N_("The exact prompt")), open=False),
    ):
        return gr.Textbox(show_label=False, lines=8, max_lines=24, buttons=["copy"], elem_id="prompt")


def add_record(translate: Translator, redraw: gr.Textbox, *, store: bool) -> RecordCard:
    """Add what shows whether the record is kept, outside the panel, since the list of kept records changes it too.

    Args:
        translate: into the page's language.
        redraw: redraws the panel.
        store: whether records can be kept.
    """
    keep = with_signal = open_kept = None
    if store:
        with gr.Row(elem_id="keep-row"):
            keep = gr.Button(translate(N_("Keep this record")), size="sm")
            label = translate(N_("Keep the cleaned signal too"))
            with_signal = gr.Checkbox(False, label=label, container=False, elem_id="with-signal")
    kept, problem = show(), show(elem_id="keep-problem")
    if store:
        open_kept = gr.Button(translate(N_("Open the kept one instead")), size="sm", elem_id="open-kept")
    return RecordCard(redraw, kept, problem, keep, with_signal, open_kept)


def add_kept_tools(translate: Translator, keep_days: int) -> KeptCard:
    """Add the search above the list of kept records.

    Args:
        translate: into the page's language.
        keep_days: after their last change records are deleted.
    """
    heading(translate(N_("Kept records")))
    everybody = N_(
        "They are in a file on the copilot's computer, and everybody who uses this page there sees the same list. Each "
        "is deleted {days} days after its last change."
    )
    show(message("quiet", translate(everybody, days=keep_days)))
    with gr.Row(elem_classes="kept-tools"):
        hint = translate(N_("Words that stand in a record"))
        words = gr.Textbox(label=translate(N_("Search")), placeholder=hint, show_label=False, scale=4, min_width=200)
        take = gr.Button(translate(N_("Export all")), size="sm", scale=1, min_width=110)
    return KeptCard(words, take, show(), gr.JSON(visible=False), make_trigger())
