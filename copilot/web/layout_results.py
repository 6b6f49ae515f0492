"""Lay out the right side of the page down to the chat, and the prompt.

Every card is always part of the page; ``page.css`` hides it while it is empty.
"""

import gradio as gr

from copilot.i18n import N_, Translator, messages
from copilot.web import panels
from copilot.web.wiring import Parts, html


def result_cards(translate: Translator) -> Parts:
    """Add progress, signal, probabilities and assessment."""
    with gr.Column(elem_classes="card", elem_id="empty-card"):
        html(panels.empty_state(translate))
    parts = {"urgent": html(elem_id="urgent"), "progress": html(elem_id="progress")}
    html(panels.outdated_notice(translate), elem_id="outdated")
    with gr.Column(elem_classes="card", elem_id="signal-card"):
        html(panels.heading(translate(N_("The signal"))))
        parts["quality"] = html()
        with gr.Row():
            for names in (("signal",), ("bands", "done")):
                with gr.Column(min_width=300):
                    parts |= {name: html() for name in names}
    with gr.Column(elem_classes="card", elem_id="reading-card"):
        html(panels.heading(translate(N_("The reading"))))
        parts["reading"] = html()
    with gr.Column(elem_classes="card", elem_id="assessment-card"):
        html(panels.heading(translate(N_("The assessment"))))
        if translate.language != "en":
            html(panels.quiet_text(translate(messages.ABOUT_PROSE)))
        parts["assessment"] = html()
    return parts


def chat(translate: Translator) -> Parts:
    """Add the chat: ready-made questions by their English text (``asks``), and a text field."""
    with gr.Column(elem_classes="card", elem_id="chat-card"):
        html(panels.heading(translate(N_("Ask about it"))))
        # Answers stay plain text: rendered Markdown could load a picture from somewhere else.
        chatbot = gr.Chatbot(
            elem_id="chat",
            show_label=False,
            height=None,
            min_height=130,
            max_height=None,
            placeholder=translate(N_("Choose a question below or write your own.")),
            render_markdown=False,
            buttons=[],
            feedback_options=None,
        )
        status = html()
        with gr.Row(elem_classes="asks"):
            asks = {question: gr.Button(translate(question), size="sm") for question in messages.QUESTIONS}
        if translate.language != "en":
            html(panels.quiet_text(translate(N_("The model answers in English."))))
        parts = _question_field(translate)
    return {"chatbot": chatbot, "chat_status": status, "asks": asks, **parts}


def _question_field(translate: Translator) -> Parts:
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
    return {"question": question, "send": send, "chat_stop": stop}


def prompt(translate: Translator) -> Parts:
    """Add the exact prompt."""
    with (
        gr.Column(elem_classes="card", elem_id="prompt-card"),
        gr.Accordion(translate(N_("The exact prompt")), open=False),
    ):
        text = gr.Textbox(show_label=False, lines=8, max_lines=24, buttons=["copy"], elem_id="prompt")
    return {"prompt": text}
