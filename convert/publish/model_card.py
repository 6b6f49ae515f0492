"""Write the model card: front matter for the Hub's search, and what a reader must know before using the files.

No figure is typed here. The figures of the conversion come from the receipts, those of the task from
``evaluation.json``; the card contains no others. Name, licence, languages, base model and data come from the model
file's own metadata. An existing ``README.md`` keeps its text: the text that this module adds is between two marks, is
rewritten each time, and has no sections that the existing text has itself. Its front matter is only completed.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import yaml  # type: ignore[import-untyped]

from convert.files import ConvertError
from convert.publish.allow_list import CARD, MODEL_ENDINGS, Upload
from convert.publish.figures import Figures, format_conversion, format_scores, format_table, format_value
from copilot.llm.base import METADATA_PREFIX

if TYPE_CHECKING:
    from huggingface_hub import ModelCard

BEGIN, END = (
    "<!-- written by convert.publish: files, figures and limits -->",
    "<!-- end of what convert.publish wrote -->",
)
NOTICE = "**A research tool, not a medical device; nothing it writes is a diagnosis.**"
HUB = "https://huggingface.co/"
NOT_FOR = """\
Diagnosis, treatment, screening, lie detection, hiring, school or work, or any decision about a person. In the European
Union inferring emotions from biometric data is prohibited at work and in education. Whoever is measured has to know it
and to agree. What it writes is a draft for a person to check."""


def write_model_card(uploads: Sequence[Upload], figures: Figures, metadata: Mapping[str, Any], repo: str) -> str:
    """Return the text of the model card.

    Args:
        uploads: the files; the text of a ``README.md`` among them is kept.
        figures: the figures that were measured on them.
        metadata: full name of a key in the model file -> its value; empty for a checkpoint.
        repo: ``USER/NAME`` on the Hub.

    Raises:
        ConvertError: the ``README.md`` has a damaged front matter, or names a sha256 that no file has.
    """
    name = format_value(metadata.get("general.name")) or repo.partition("/")[2]
    blank = f"# {name}\n\n{format_value(metadata.get('general.description'))}"
    kept = next((upload.text for upload in uploads if upload.path == CARD), blank)
    card = _parse_card(re.sub(f"\n*{BEGIN}.*?{END}\n*", "\n", kept, flags=re.DOTALL))
    files = [upload for upload in uploads if upload.path != CARD]
    if unknown := set(re.findall(r"\b[0-9a-f]{64}\b", card.text)) - {file.sha256 for file in files}:
        raise ConvertError(
            f"{CARD} names the sha256 of a file that is not here: {min(unknown)[:12]}...; rewrite the card."
        )
    for key, value in _make_front_matter(metadata, files).items():
        if value and not card.data.get(key):
            card.data[key] = value
    if _has_file(files, ".gguf"):
        card.data["tags"] = list(dict.fromkeys([*card.data.get("tags", []), "gguf"]))
    card.text = f"{card.text.strip()}\n\n{BEGIN}\n\n{_write_added_text(card, files, figures, metadata, repo)}\n{END}\n"
    return str(card)


def _parse_card(text: str) -> "ModelCard":
    from huggingface_hub import ModelCard  # not before a publication has set the client's settings, see ``hub``

    if not text.startswith("---"):
        text = f"---\n\n---\n{text}"
    try:
        return ModelCard(text)
    except (ValueError, TypeError, yaml.YAMLError) as error:
        raise ConvertError(f"The front matter of {CARD} is not what the Hub understands; repair its YAML.") from error


def _make_front_matter(metadata: Mapping[str, Any], files: Sequence[Upload]) -> dict[str, Any]:
    return {
        "license": metadata.get("general.license"),
        "license_name": metadata.get("general.license.name"),
        "license_link": metadata.get("general.license.link"),
        "language": metadata.get("general.languages"),
        "base_model": _find_hub_names(metadata, r"general\.base_model\.\d+\.repo_url"),
        "datasets": _find_hub_names(metadata, r"general\.dataset\.\d+\.repo_url"),
        "library_name": "llama-cpp-python" if _has_file(files, ".gguf") else "transformers",
        "pipeline_tag": "text-generation",
    }


def _find_hub_names(metadata: Mapping[str, Any], keys: str) -> list[str]:
    """Return the ``USER/NAME`` of addresses on the Hub under matching keys; other addresses are left out."""
    urls = [str(value) for key, value in metadata.items() if re.fullmatch(keys, key)]
    return [url.removeprefix(HUB).removeprefix("datasets/") for url in urls if url.startswith(HUB)]


def _has_file(files: Sequence[Upload], suffix: str) -> bool:
    return any(file.path.endswith(suffix) for file in files)


def _write_added_text(
    card: "ModelCard", files: Sequence[Upload], figures: Figures, metadata: Mapping[str, Any], repo: str
) -> str:
    """Return the notice and the sections that the card's text does not have itself."""
    own = set(re.findall(r"^## (.+?)\s*$", card.text, flags=re.MULTILINE))
    sections = _list_sections(card, files, figures, metadata, repo)
    parts = [f"## {heading}\n\n{text}" for heading, text in sections if text and heading not in own]
    return "\n\n".join(parts if "not a medical device" in card.text else [NOTICE, *parts])


def _list_sections(
    card: "ModelCard", files: Sequence[Upload], figures: Figures, metadata: Mapping[str, Any], repo: str
) -> Iterator[tuple[str, str]]:
    """Yield the headings and texts of all sections in order; a text is empty where there are no facts."""
    rows = [[f"`{file.path}`", f"{file.size:,}", f"`{file.sha256}`"] for file in files]
    yield "Files", format_table(["file", "bytes", "sha256"], rows)
    yield "Where it comes from", _describe_origin(metadata, card)
    yield "What conversion did to it", format_conversion(figures)
    yield "What it scores", format_scores(figures)
    yield "Known limits", _list_limits(files, figures, metadata)
    yield "How to run it", _describe_usage(files, metadata, repo)
    yield "What it is not for", NOT_FOR


def _describe_origin(metadata: Mapping[str, Any], card: "ModelCard") -> str:
    data = metadata.get(f"{METADATA_PREFIX}training_data") or card.data.get("datasets")
    facts = {
        "Base model": card.data.get("base_model"),
        "Data": data,
        "Licence": card.data.get("license_name") or card.data.get("license"),
        "Languages": card.data.get("language"),
    }
    return "\n".join(f"- {name}: {format_value(value) if value else 'not stated'}" for name, value in facts.items())


def _list_limits(files: Sequence[Upload], figures: Figures, metadata: Mapping[str, Any]) -> str:
    limits = [
        format_value(metadata.get(f"{METADATA_PREFIX}notice")),
        "Every figure holds for what it was measured on, as said beside it; other people, devices, languages and "
        "tasks are unknown to this model.",
    ]
    unmeasured = [
        f.path
        for f in files
        if f.path.endswith(MODEL_ENDINGS)
        and f.path not in figures.proofs
        and "measured" not in figures.receipts.get(f.path, {})
    ]
    if unmeasured:
        limits.append(f"How far {format_value(unmeasured)} may be from the weights it was made of was not measured.")
    if not figures.evaluation:
        limits.append("How well it does its task was not measured on these files.")
    return "\n".join(f"- {limit}" for limit in limits if limit)


def _describe_usage(files: Sequence[Upload], metadata: Mapping[str, Any], repo: str) -> str:
    if not _has_file(files, ".gguf"):
        return f'With transformers: `AutoModelForCausalLM.from_pretrained("{repo}")`.'
    text = f"```bash\nollama run hf.co/{repo}\nllama-cli -hf {repo}\n```"
    if f"{METADATA_PREFIX}codec" in metadata:
        text += (
            f"\n\nIt was trained on EEG written as letters inside a fixed prompt, which a plain chat does not give it; "
            f"the keys `{METADATA_PREFIX}*` in the file say how."
        )
    return text
