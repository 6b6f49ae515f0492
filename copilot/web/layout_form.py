"""The left side of the page: notice, person, what is for the record only, recording, and the buttons."""

import gradio as gr

from copilot.eeg.simulate import EXAMPLES
from copilot.i18n import Translator, english
from copilot.person import GENDERS
from copilot.web import panels
from copilot.web.session import OWN, Form
from copilot.web.wiring import Parts, html


def consent(say: Translator) -> Parts:
    """The notice, and the box without which nothing starts."""
    with gr.Column(elem_classes="card"):
        html(panels.heading(say(english.CONSENT_HEADING), 1))
        gr.Markdown("\n\n".join(map(say, english.CONSENT)), elem_classes="quiet")
        agreed = gr.Checkbox(Form.consent, label=say(english.CONSENT_BOX), container=False)
        problem = html()
    return {"consent": agreed, "consent_problem": problem}


def person(say: Translator) -> Parts:
    """What the model reads about the person, and apart from it what only the record gets."""
    with gr.Column(elem_classes="card asked"):
        html(panels.heading(say(english.PERSON_HEADING), 2))
        with gr.Row():
            # Text, because ``gr.Number`` shows, and sends, 0 where nothing was entered.
            genders = [(say(gender), gender) for gender in GENDERS]
            gender = gr.Dropdown(genders, value=Form.gender, label=say(english.GENDER), min_width=130)
            age = gr.Textbox(label=say(english.AGE), placeholder=say(english.AGE_HINT), min_width=100)
        texts = {
            "appearance": _text(say(english.APPEARANCE), say(english.APPEARANCE_HINT)),
            "complaint": _text(say(english.COMPLAINT), say(english.COMPLAINT_HINT)),
            "history": _text(say(english.HISTORY), say(english.HISTORY_HINT)),
        }
        html(panels.quiet(say(english.NO_NAMES)))
        particulars = _particulars(say)
        problem = html()
    return {"gender": gender, "age": age, **texts, **particulars, "person_problem": problem}


def _particulars(say: Translator) -> Parts:
    with gr.Accordion(say(english.PARTICULARS_HEADING), open=False, elem_id="particulars"):
        html(panels.quiet(say(english.PARTICULARS_HINT)))
        with gr.Row():
            name = gr.Textbox(Form.name, label=say(english.FIELD_NAME), min_width=130)
            hint = say(english.NUMBER_HINT)
            number = gr.Textbox(Form.number, label=say(english.FIELD_NUMBER), placeholder=hint, min_width=130)
        return {
            "name": name,
            "number": number,
            "laboratory": _text(say(english.FIELD_LABORATORY), say(english.LABORATORY_HINT)),
            "expenses": _text(say(english.FIELD_EXPENSES), say(english.EXPENSES_HINT)),
        }


def _text(label: str, hint: str) -> gr.Textbox:
    return gr.Textbox("", label=label, placeholder=hint, lines=1, max_lines=6)


def recording(say: Translator, max_mb: int) -> Parts:
    """An own recording with its baselines, or one of the simulated examples."""
    sources = [(say(english.OWN), OWN), *((say(example.title), name) for name, example in EXAMPLES.items())]
    with gr.Column(elem_classes="card asked"):
        html(panels.heading(say(english.RECORDING_HEADING), 3))
        source = gr.Radio(sources, value=Form.source, label=say(english.SOURCE), elem_classes="sources")
        about = html()
        with gr.Column() as own:
            files, kept = _upload(say(english.UPLOAD), say(english.UPLOAD_HINT, megabytes=max_mb))
            with gr.Accordion(say(english.BASELINE_HEADING), open=False):
                baselines, baselines_kept = _upload(say(english.BASELINE), say(english.BASELINE_HINT))
            with gr.Accordion(say(english.ARRAY_HEADING), open=False):
                sfreq = gr.Textbox(label=say(english.SFREQ), placeholder=say(english.SFREQ_HINT))
                channels = gr.Textbox(label=say(english.CHANNELS), placeholder=say(english.CHANNELS_HINT))
                trial = gr.Textbox("", label=say(english.TRIAL), placeholder=say(english.TRIAL_HINT))
        problem = html()
    return {
        **{"source": source, "about": about, "own": own, "recording": files, "recording_kept": kept},
        **{"baselines": baselines, "baselines_kept": baselines_kept, "sfreq": sfreq, "channels": channels},
        "trial": trial,
        "recording_problem": problem,
    }


def _upload(label: str, hint: str) -> tuple[gr.File, gr.HTML]:
    upload = gr.File(label=label, file_count="multiple", height=130)
    html(panels.quiet(hint))
    return upload, html()


def actions(say: Translator) -> Parts:
    """Analyse, Stop, Clear; and going on with a record that is there already."""
    with gr.Column(elem_classes="card", elem_id="actions"):
        with gr.Row():
            analyse = gr.Button(say(english.ANALYSE), variant="primary", interactive=False, scale=3, min_width=120)
            stop = gr.Button(say(english.STOP), variant="stop", interactive=False, scale=1, min_width=90)
        clear = gr.Button(say(english.CLEAR), size="sm")
        dark = gr.Checkbox(Form.dark, visible=False)
        with gr.Accordion(say(english.OPEN_RECORD_HEADING), open=False):
            record = gr.File(label=say(english.OPEN_RECORD), height=110)
            html(panels.quiet(say(english.OPEN_RECORD_HINT)))
            problem = html()
    buttons = {"analyse": analyse, "stop": stop, "clear": clear, "dark": dark}
    return {**buttons, "record_file": record, "open_problem": problem}
