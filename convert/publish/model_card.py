"""Write the model card: front matter for the Hub's search, and what a reader must know before using the files.

No figure is typed here. The figures of the conversion come from the receipts, those of the task from
``evaluation.json``; the card contains no others. Name, licence, languages, base model and data come from the model
file's own metadata. An existing ``README.md`` keeps its text: the text that this module adds (``model_card.md.j2``) is
between two marks, is rewritten each time, and has no sections that the existing text has itself. Its front matter is
only completed.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from convert.files import ConvertError
from convert.publish.allow_list import CARD, MODEL_ENDINGS, Upload
from convert.receipts import Figures
from convert.report import format_table, format_value, render_template
from copilot.llm.base import METADATA_PREFIX

BEGIN, END = (
    "<!-- written by convert.publish: files, figures and limits -->",
    "<!-- end of what convert.publish wrote -->",
)
NOTICE = "**A research tool, not a medical device; nothing it writes is a diagnosis.**"
HUB = "https://huggingface.co/"
#: A receipt's name of a figure -> the name in the table; other names are used unchanged.
NAMES = {
    "mean_kl": "KL divergence from the source, mean, nats",
    "p99_kl": "KL divergence, 99th percentile, nats",
    "source_perplexity": "perplexity of the source",
    "same_top1": "same most likely token as the source, share",
    "label_agreement": "same emotion label as the source, share",
    "speed, prompt": "reading a prompt, tokens/s",
    "speed, decode": "writing, tokens/s",
    "source_speed, prompt": "the source reading a prompt, tokens/s",
    "source_speed, decode": "the source writing, tokens/s",
}


def write_model_card(uploads: Sequence[Upload], figures: Figures, metadata: Mapping[str, Any], repo: str) -> str:
    """Return the text of the model card.

    Args:
        uploads: the files; the text of a ``README.md`` among them is kept.
        figures: the figures that were measured on them.
        metadata: full name of a key in the model file -> its value; empty for a checkpoint.
        repo: ``USER/NAME`` on the Hub.

    Raises:
        ConvertError: the ``README.md`` has a damaged front matter, or names a sha256 that no file has, or a receipt has
            another form.
    """
    from huggingface_hub import ModelCard  # not before a publication has set the client's settings, see ``hub``

    name = format_value(metadata.get("general.name")) or repo.partition("/")[2]
    blank = f"# {name}\n\n{format_value(metadata.get('general.description'))}"
    text = next((upload.text for upload in uploads if upload.path == CARD), blank)
    text = re.sub(f"\n*{BEGIN}.*?{END}\n*", "\n", text, flags=re.DOTALL)
    try:
        card = ModelCard(text if text.startswith("---") else f"---\n\n---\n{text}")
    except (ValueError, TypeError, yaml.YAMLError) as error:
        raise ConvertError(f"The front matter of {CARD} is not what the Hub understands; repair its YAML.") from error
    files = [upload for upload in uploads if upload.path != CARD]
    if unknown := set(re.findall(r"\b[0-9a-f]{64}\b", card.text)) - {file.sha256 for file in files}:
        raise ConvertError(
            f"{CARD} names the sha256 of a file that is not here: {min(unknown)[:12]}...; rewrite the card."
        )
    has_gguf = any(file.path.endswith(".gguf") for file in files)
    front_matter = {
        "license": metadata.get("general.license"),
        "license_name": metadata.get("general.license.name"),
        "license_link": metadata.get("general.license.link"),
        "language": metadata.get("general.languages"),
        "base_model": _find_hub_names(metadata, r"general\.base_model\.\d+\.repo_url"),
        "datasets": _find_hub_names(metadata, r"general\.dataset\.\d+\.repo_url"),
        "library_name": "llama-cpp-python" if has_gguf else "transformers",
        "pipeline_tag": "text-generation",
    }
    for key, value in front_matter.items():
        if value and not card.data.get(key):
            card.data[key] = value
    if has_gguf:
        card.data["tags"] = list(dict.fromkeys([*card.data.get("tags", []), "gguf"]))
    card.text = render_template(
        Path(__file__).with_name("model_card.md.j2"),
        text=card.text.strip(),
        begin=BEGIN,
        end=END,
        own=set(re.findall(r"^## (.+?)\s*$", card.text, flags=re.MULTILINE)),
        notice=NOTICE,
        format_value=format_value,
        files=format_table(
            ["file", "bytes", "sha256"], [[f"`{file.path}`", f"{file.size:,}", f"`{file.sha256}`"] for file in files]
        ),
        origin={
            "Base model": card.data.get("base_model"),
            "Data": metadata.get(f"{METADATA_PREFIX}training_data") or card.data.get("datasets"),
            "Licence": card.data.get("license_name") or card.data.get("license"),
            "Languages": card.data.get("language"),
        },
        conversion=_format_conversion(figures),
        scores=_format_scores(figures),
        warning=format_value(metadata.get(f"{METADATA_PREFIX}notice")),
        unmeasured=[
            file.path
            for file in files
            if file.path.endswith(MODEL_ENDINGS)
            and file.path not in figures.proofs
            and "measured" not in figures.receipts.get(file.path, {})
        ],
        evaluated=bool(figures.evaluation),
        gguf=has_gguf,
        for_eeg=f"{METADATA_PREFIX}codec" in metadata,
        repo=repo,
    )
    return str(card)


def _find_hub_names(metadata: Mapping[str, Any], keys: str) -> list[str]:
    """Return the ``USER/NAME`` of addresses on the Hub under matching keys; other addresses are left out."""
    urls = [str(value) for key, value in metadata.items() if re.fullmatch(keys, key)]
    return [url.removeprefix(HUB).removeprefix("datasets/") for url in urls if url.startswith(HUB)]


def _format_conversion(figures: Figures) -> str:
    """Format the receipts as a table with a column per file, followed by the conditions and the verifications.

    Raises:
        ConvertError: a receipt has another form.
    """
    proofs = "\n".join(f"- `{path}`, {proof}." for path, proof in figures.proofs.items())
    if not figures.receipts:
        return proofs
    try:
        columns = {path: dict(_list_figures(receipt)) for path, receipt in figures.receipts.items()}
        on = [receipt.get("measured", {}).get("measured_on") for receipt in figures.receipts.values()]
    except (AttributeError, KeyError, TypeError) as error:
        raise ConvertError(
            "A receipt does not contain what `convert quantize` writes there; quantise again."
        ) from error
    names = dict.fromkeys(name for column in columns.values() for name in column)
    rows = [[name, *(column.get(name, "") for column in columns.values())] for name in names]
    parts = [format_table(["", *(f"`{path}`" for path in columns)], [row for row in rows if any(row[1:])])]
    parts += dict.fromkeys(f"Measured on: {format_value(conditions)}." for conditions in on if conditions)
    parts += [f"Recommended: {figures.reason}"] if figures.reason else []
    return "\n\n".join([*parts, proofs] if proofs else parts)


def _list_figures(receipt: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the names and values of a receipt, in the order of the table's rows."""
    yield "type", format_value(receipt.get("type"))
    yield "made from", format_value((receipt.get("source") or {}).get("file"))
    yield "importance measured on", format_value((receipt.get("imatrix") or {}).get("file"))
    shares = receipt.get("actual", {}).items()
    yield "tensors inside", ", ".join(f"{share['tensors']} {kind}" for kind, share in shares)
    yield "fell back to another type", format_value(len(receipt.get("fallbacks", ())))
    yield "parameters", format_value(receipt.get("parameters"))
    yield "bits per weight", format_value(receipt.get("bits_per_weight"))
    for name, value in _flatten_figures(receipt.get("measured") or {}):
        yield NAMES.get(name, name.replace("_", " ")), format_value(value)


def _flatten_figures(measured: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield names and values of figures; the names of nested figures are joined by commas."""
    for key, value in measured.items():
        if isinstance(value, Mapping) and key != "measured_on":
            yield from _flatten_figures(value, f"{prefix}{key}, ")
        elif key != "measured_on":
            yield prefix + key, value


def _format_scores(figures: Figures) -> str:
    """Format the rows of the evaluation and its conditions; empty where there are no rows."""
    rows = figures.evaluation.get("rows")
    if not rows:
        return ""
    conditions = {key: value for key, value in figures.evaluation.items() if not isinstance(value, dict | list)}
    names = list(dict.fromkeys(name for row in rows for name in row))
    body = [[format_value(row.get(name)) for name in names] for row in rows]
    table = format_table([name.replace("_", " ") for name in names], body)
    return f"Measured on: {format_value(conditions)}.\n\n{table}"
