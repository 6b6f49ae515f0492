"""Lay out the left side of the page: notice, person, fields for the record only, recording, and the buttons."""

import gradio as gr

from copilot.eeg.simulate import EXAMPLES
from copilot.i18n import N_, Translator, messages
from copilot.i18n.terms import term
from copilot.person import GENDERS
from copilot.web import panels
from copilot.web.session import OWN, Form
from copilot.web.wiring import Parts, html

CONSENT = (
    N_(
        "Your EEG and your words are used to infer an emotion. The result is uncertain, it is written by a small AI "
        "model "
        "and **it is not a diagnosis**. Do not use it on people at work or in education: the EU AI Act prohibits that."
    ),
    N_(
        "The recording is on the disk of the copilot's computer only while it is being read, without names and "
        "birth dates "
        "afterwards. It stays in memory until you press *Clear everything* or, at the latest, an hour after you close "
        "this page."
    ),
)
UPLOAD_HINT = N_(
    "EDF, BDF, BrainVision and EEGLAB (all files together or as .zip), FIF, GDF, CNT, EGI, CSV, OpenBCI, Muse, NPY or "
    "MAT; at most {megabytes} MB."
)
BASELINE_HINT = N_(
    "Nothing makes the reading better than knowing what is normal for this person. One file per recording."
)


def consent(translate: Translator) -> Parts:
    """Add the notice, and the checkbox without which no analysis starts."""
    with gr.Column(elem_classes="card"):
        html(panels.heading(translate(N_("Before you start")), 1))
        gr.Markdown("\n\n".join(map(translate, CONSENT)), elem_classes="quiet")
        agreed = gr.Checkbox(
            Form.consent,
            label=translate(
                N_("I am this person or act with their agreement, and they know that an AI infers an emotion.")
            ),
            container=False,
        )
        problem = html()
    return {"consent": agreed, "consent_problem": problem}


def person(translate: Translator) -> Parts:
    """Add the fields about the person that the model reads, and those for the record only."""
    with gr.Column(elem_classes="card asked"):
        html(panels.heading(translate(N_("The person")), 2))
        with gr.Row():
            # Text, because ``gr.Number`` shows, and sends, 0 where nothing was entered.
            genders = [(translate(term("gender", gender)), gender) for gender in GENDERS]
            gender = gr.Dropdown(genders, value=Form.gender, label=translate(N_("Gender")), min_width=130)
            age = gr.Textbox(label=translate(N_("Age")), placeholder=translate(N_("Years")), min_width=100)
        texts = {
            "appearance": _text_field(
                translate(messages.APPEARANCE), translate(N_("How they say they look or feel, in their own words"))
            ),
            "complaint": _text_field(translate(messages.COMPLAINT), translate(N_("What brings them here"))),
            "history": _text_field(translate(messages.HISTORY), translate(N_("Earlier illness, medication, sleep"))),
        }
        html(
            panels.quiet_text(
                translate(N_("No names or numbers here, please: this part is read by the model, which needs none."))
            )
        )
        particulars = _identity_fields(translate)
        problem = html()
    return {"gender": gender, "age": age, **texts, **particulars, "person_problem": problem}


def _identity_fields(translate: Translator) -> Parts:
    with gr.Accordion(translate(N_("For the record only (optional)")), open=False, elem_id="particulars"):
        html(
            panels.quiet_text(
                translate(
                    N_("None of this reaches the model: it stands in the record, where that is kept or downloaded.")
                )
            )
        )
        with gr.Row():
            name = gr.Textbox(Form.name, label=translate(messages.FIELD_NAME), min_width=130)
            hint = translate(N_("Of the chart or the study"))
            number = gr.Textbox(Form.number, label=translate(messages.FIELD_NUMBER), placeholder=hint, min_width=130)
        return {
            "name": name,
            "number": number,
            "laboratory": _text_field(
                translate(messages.FIELD_LABORATORY), translate(N_("Results that belong in this record"))
            ),
            "expenses": _text_field(translate(messages.FIELD_EXPENSES), translate(N_("What is to be charged"))),
        }


def _text_field(label: str, hint: str) -> gr.Textbox:
    return gr.Textbox("", label=label, placeholder=hint, lines=1, max_lines=6)


def recording(translate: Translator, max_mb: int) -> Parts:
    """Add the upload of a recording with its baselines, and the simulated examples."""
    sources = [
        (translate(N_("My own recording")), OWN),
        *((translate(example.title), name) for name, example in EXAMPLES.items()),
    ]
    with gr.Column(elem_classes="card asked"):
        html(panels.heading(translate(N_("The recording")), 3))
        source = gr.Radio(sources, value=Form.source, label=translate(N_("Which EEG")), elem_classes="sources")
        about = html()
        with gr.Column() as own:
            files, kept = _upload(translate(N_("EEG file")), translate(UPLOAD_HINT, megabytes=max_mb))
            with gr.Accordion(translate(N_("Another recording of the same person (optional)")), open=False):
                baselines, baselines_kept = _upload(translate(N_("Baseline recordings")), translate(BASELINE_HINT))
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
        problem = html()
    return {
        **{"source": source, "about": about, "own": own, "recording": files, "recording_kept": kept},
        **{"baselines": baselines, "baselines_kept": baselines_kept, "sfreq": sfreq, "channels": channels},
        "trial": trial,
        "recording_problem": problem,
    }


def _upload(label: str, hint: str) -> tuple[gr.File, gr.HTML]:
    upload = gr.File(label=label, file_count="multiple", height=130)
    html(panels.quiet_text(hint))
    return upload, html()


def actions(translate: Translator) -> Parts:
    """Add Analyse, Stop, Clear, and the upload of an existing record."""
    with gr.Column(elem_classes="card", elem_id="actions"):
        with gr.Row():
            analyse = gr.Button(translate(N_("Analyse")), variant="primary", interactive=False, scale=3, min_width=120)
            stop = gr.Button(translate(messages.STOP), variant="stop", interactive=False, scale=1, min_width=90)
        clear = gr.Button(translate(N_("Clear everything")), size="sm")
        dark = gr.Checkbox(Form.dark, visible=False)
        with gr.Accordion(translate(N_("Go on with a record (JSON)")), open=False):
            record = gr.File(label=translate(N_("Record")), height=110)
            html(
                panels.quiet_text(
                    translate(
                        N_("One that was downloaded here as JSON, or that a batch made: to review, sign or amend it.")
                    )
                )
            )
            problem = html()
    buttons = {"analyse": analyse, "stop": stop, "clear": clear, "dark": dark}
    return {**buttons, "record_file": record, "open_problem": problem}
