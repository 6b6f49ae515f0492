"""Define what the browser gets besides components: theme, style sheet, script, and files to save."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path

import gradio as gr

from copilot.i18n import Translator
from copilot.web.html import render

STATIC = Path(__file__).with_name("static")
STYLE_SHEET = STATIC / "page.css"

CHINESE = (
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "WenQuanYi Micro Hei",
)
SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "DejaVu Sans", *CHINESE, "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "DejaVu Sans Mono", *CHINESE, "monospace")

#: What a component's event runs in the browser (see ``static/page.js``).
SAVE = "(file) => copilot.save(file)"
SHOW_RESULTS = "() => copilot.showResults()"
SHOW_RECORD = "() => copilot.showRecord()"


def confirm_loss(question: str) -> str:
    """Return the script of an event that asks before unsaved work on the record is lost."""
    return f"(...values) => copilot.confirmLoss({json.dumps(question)}, values)"


def send_theme(question: str) -> str:
    """Return the script of an event that asks the same, and sends the theme as the form's last field."""
    return f"(...values) => copilot.sendTheme({json.dumps(question)}, values)"


def encode_download(name: str, media_type: str, content: bytes) -> dict[str, str]:
    """Return a file as ``SAVE`` takes it."""
    return {"name": name, "type": media_type, "base64": base64.b64encode(content).decode()}


def build_head(languages: Sequence[str]) -> str:
    """Return what the page's head has besides Gradio's: the script, and the codes of the page's languages."""
    script = (STATIC / "page.js").read_text(encoding="utf-8")
    return render("head", Translator(languages[0]), languages=list(languages), script=script)


def make_theme() -> gr.themes.Base:
    """Return the theme: teal on slate, soft corners, the system's fonts, no web fonts."""
    return gr.themes.Base(
        primary_hue="teal", secondary_hue="teal", neutral_hue="slate", radius_size="lg", font=SANS, font_mono=MONO
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        block_border_width="0px",
        block_shadow="none",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_padding="0px",
        block_title_text_weight="600",
        input_background_fill="white",
        input_background_fill_dark="*neutral_900",
        input_border_color="*neutral_300",
        input_border_color_dark="*neutral_700",
        input_border_width="1px",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="white",
    )
