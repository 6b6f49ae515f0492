"""Make the narrative of a resource: simple XHTML for people (https://hl7.org/fhir/R4/narrative.html)."""

from dataclasses import dataclass
from html import escape

from copilot.i18n import Translator, messages
from copilot.record.export.fhir.codes import XHTML, Json
from copilot.record.model import SUGGESTED, Field
from copilot.text import normalise_line

#: Fields with prose of the model, which is in English.
PROSE = ("assessment", "suggestions")


@dataclass(frozen=True)
class Narrative:
    """A title and lines of XHTML (see ``make_line``), in one language."""

    language: str
    title: str
    lines: tuple[str, ...]

    def to_element(self) -> Json:
        """Return the resource's element ``text``."""
        items = "".join(f"<li>{line}</li>" for line in self.lines if line)
        body = f"<p><b>{_escape_xhtml(self.title)}</b></p>" + (f"<ul>{items}</ul>" if items else "")
        return {
            "status": "generated",
            "div": f'<div xmlns="{XHTML}" {_language_attributes(self.language)}>{body}</div>',
        }


def make_line(label: str, value: str, language: str = "") -> str:
    """Return one line of a narrative as XHTML, empty if there is no value.

    Args:
        label: label in the narrative's language.
        value: text of the line.
        language: language of the value; empty: the narrative's language.
    """
    if not clean_text(value):
        return ""
    text = f"<span {_language_attributes(language)}>{_escape_xhtml(value)}</span>" if language else _escape_xhtml(value)
    return f"{_escape_xhtml(label)}: {text}"


def make_field_line(field: Field, translate: Translator) -> str:
    """Return a line for a field with its origin; text that waits for review is left out."""
    if not field.accepted:
        return make_line(field.label, translate(messages.PENDING))
    prose = field.origin.kind == SUGGESTED and field.key in PROSE
    return make_line(
        f"{field.label} ({translate(messages.ORIGIN[field.origin.kind])})", field.value, "en" if prose else ""
    )


def clean_text(text: str) -> str:
    """Return the printable lines that are not empty: FHIR and XML accept them as a string."""
    return "\n".join(filter(None, (normalise_line(part) for part in text.splitlines())))


def _language_attributes(language: str) -> str:
    """Return the XHTML attributes that state a language."""
    return f'lang="{language}" xml:lang="{language}"'


def _escape_xhtml(text: str) -> str:
    """Return text as XHTML, with line breaks."""
    return escape(clean_text(text)).replace("\n", "<br/>")
