"""The part of a resource that a person reads: a little XHTML (https://hl7.org/fhir/R4/narrative.html)."""

from dataclasses import dataclass
from html import escape

from copilot.i18n import Translator, english
from copilot.record.export.fhir.codes import XHTML, Json
from copilot.record.model import SUGGESTED, Field
from copilot.text import normalise_line

#: Fields in which a model speaks for itself, which it does in English.
PROSE = ("assessment", "suggestions")


@dataclass(frozen=True)
class Narrative:
    """A title and lines of XHTML below it, as ``line`` makes them, in one language."""

    language: str
    title: str
    lines: tuple[str, ...]

    def to_element(self) -> Json:
        """The resource's ``text``."""
        items = "".join(f"<li>{line}</li>" for line in self.lines if line)
        body = f"<p><b>{_escape_xhtml(self.title)}</b></p>" + (f"<ul>{items}</ul>" if items else "")
        return {
            "status": "generated",
            "div": f'<div xmlns="{XHTML}" {_language_attributes(self.language)}>{body}</div>',
        }


def make_line(label: str, value: str, language: str = "") -> str:
    """One line of a narrative, empty where there is no value; ``language`` where it isn't the narrative's own."""
    if not clean_text(value):
        return ""
    said = f"<span {_language_attributes(language)}>{_escape_xhtml(value)}</span>" if language else _escape_xhtml(value)
    return f"{_escape_xhtml(label)}: {said}"


def make_field_line(field: Field, translate: Translator) -> str:
    """A field of the record with its origin; of text that waits for review only that it waits."""
    if not field.accepted:
        return make_line(field.label, translate(english.PENDING))
    prose = field.origin.kind == SUGGESTED and field.key in PROSE
    return make_line(
        f"{field.label} ({translate(english.ORIGIN[field.origin.kind])})", field.value, "en" if prose else ""
    )


def clean_text(text: str) -> str:
    """Printable lines, none of them empty: what FHIR and XML take as a string."""
    return "\n".join(filter(None, (normalise_line(part) for part in text.splitlines())))


def _language_attributes(language: str) -> str:
    return f'lang="{language}" xml:lang="{language}"'


def _escape_xhtml(text: str) -> str:
    return escape(clean_text(text)).replace("\n", "<br/>")
