"""List the export formats of a record: title, suffix of the files, and how to write one."""

from collections.abc import Callable
from dataclasses import dataclass

from copilot.record.export.fhir import to_fhir
from copilot.record.export.json_format import to_json
from copilot.record.export.markdown import to_markdown
from copilot.record.export.pdf import to_pdf
from copilot.record.model import Figures, Record


@dataclass(frozen=True)
class Export:
    """One export format.

    Attributes:
        title: text of its button.
        suffix: suffix of its files.
        media_type: IANA's name of the format.
        write: returns the bytes of a file for a record and its figures, if there are any.
    """

    title: str
    suffix: str
    media_type: str
    write: Callable[[Record, Figures | None], bytes]


EXPORTS = {
    "markdown": Export("Markdown", ".md", "text/markdown", lambda record, _: to_markdown(record).encode()),
    "json": Export("JSON", ".json", "application/json", lambda record, _: to_json(record).encode()),
    "pdf": Export("PDF", ".pdf", "application/pdf", to_pdf),
    "fhir": Export("FHIR R4", ".fhir.json", "application/fhir+json", to_fhir),
}


def file_name(record: Record, kind: str) -> str:
    """Return the name of an export file, without data about the person: ``record-3f2a91c0-v1-draft.pdf``."""
    return f"record-{record.id[:8]}-v{record.version}-{record.status}{EXPORTS[kind].suffix}"
