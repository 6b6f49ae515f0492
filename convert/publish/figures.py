"""Read the measured figures in a folder of models, check that they belong to these files, and format them as tables.

A receipt names its file and the file's sha256 (``convert quantize``); an evaluation names ``model_sha256``. The tables
contain only figures that were measured.
"""

import json
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from convert.files import ConvertError
from convert.publish.allow_list import RECEIPT_ENDING, Upload

EVALUATION = "evaluation.json"
#: The receipt of ``convert all``.
RELEASE = "receipt.json"
#: Receipts of several files, besides those of single files.
RECEIPTS = (RELEASE, "quantization.json")
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


@dataclass(frozen=True)
class Figures:
    """The measured figures of the published files.

    Attributes:
        receipts: path of a published file -> its receipt.
        proofs: path of a published file -> how ``convert all`` verified that it equals its source.
        evaluation: content of ``evaluation.json``; empty where there is none.
        recommended: path of the file that ``quantization.json`` recommends; empty where there is none.
        reason: the reason for that recommendation.
    """

    receipts: Mapping[str, Mapping[str, Any]]
    proofs: Mapping[str, str]
    evaluation: Mapping[str, Any]
    recommended: str
    reason: str


def read_figures(uploads: Sequence[Upload]) -> Figures:
    """Read the figures from the receipts and the evaluation among the published files.

    Raises:
        ConvertError: a receipt is damaged or was written for another file.
    """
    files = {upload.path: upload for upload in uploads}
    receipts: dict[str, dict[str, Any]] = {}
    proofs: dict[str, str] = {}
    recommended = reason = ""
    for path in files:
        folder, name = posixpath.split(path)
        if name in RECEIPTS or name.endswith(RECEIPT_ENDING):
            content = _read_object(files[path])
            for claim in _find_claims([content]):
                about = posixpath.join(folder, str(claim["file"]))
                if about in files and files[about].sha256 != claim["sha256"]:
                    raise ConvertError(f"{path} was written for another {about} than the one here; make both again.")
                if about in files and "actual" in claim:
                    receipts[about] = claim
                    if claim["file"] == content.get("recommended"):
                        recommended, reason = about, format_value(content.get("reason"))
            if name == RELEASE:
                proven = {posixpath.join(folder, about): proof for about, proof in _read_proofs(path, content).items()}
                proofs |= {about: proof for about, proof in proven.items() if about in files}
    return Figures(receipts, proofs, _read_evaluation(files), recommended, reason)


def _read_proofs(path: str, receipt: Mapping[str, Any]) -> dict[str, str]:
    """Return name -> verification by the steps of ``convert all``, for files whose SHA-256 the receipt contains.

    Args:
        path: the receipt's path, for the error message.
        receipt: its content.

    Raises:
        ConvertError: the receipt has another form.
    """
    try:
        steps, listed = receipt.get("steps", {}), receipt.get("files", {})
        proven = [*_list_merge_proofs(steps.get("merge", {})), *_list_check_proofs(steps.get("check", {}))]
        return {name: proof for name, proof in proven if isinstance(listed[name]["sha256"], str)}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConvertError(
            f"{path} does not contain what `convert all` writes there; make the folder again."
        ) from error


def _list_merge_proofs(step: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield path and verification of each file that the step ``merge`` wrote."""
    for name in step.get("files", {}):
        yield (
            posixpath.join(step["out"], name),
            f"as saved ({format_value(step['types'])}), against base and adapter in float32: logits off by at most "
            f"{step['rounding']['largest']:.2g} standard deviations, same top token at "
            f"{step['rounding']['same_top']:.1%} of the positions of a few prompts of random tokens",
        )


def _list_check_proofs(step: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield path and verification of the file that the step ``check`` compared, if it passed."""
    if step.get("passed"):
        figures = {finding["check"]: finding["figure"] for finding in step["findings"]}
        parts = [f"{name}: {figures[name]}" for name in ("weights", "precision", "logits") if name in figures]
        yield step["file"], f"against `{step['against']}`. {'. '.join(parts)}"


def _read_evaluation(files: Mapping[str, Upload]) -> dict[str, Any]:
    """Read the evaluation, and check that it was measured on one of the published files."""
    if EVALUATION not in files:
        return {}
    evaluation = _read_object(files[EVALUATION])
    if evaluation.get("model_sha256") not in {file.sha256 for file in files.values()}:
        raise ConvertError(f"{EVALUATION} was measured on a model that is not among these files; evaluate again.")
    rows = evaluation.get("rows", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ConvertError(f"{EVALUATION} does not contain a list of results as `rows`; evaluate again.")
    return evaluation


def _read_object(upload: Upload) -> dict[str, Any]:
    """Read a JSON object."""
    try:
        content = json.loads(upload.text)
    except ValueError as error:
        raise ConvertError(f"{upload.path} is damaged: it is not valid JSON.") from error
    if not isinstance(content, dict):
        raise ConvertError(f"{upload.path} does not contain a JSON object.")
    return content


def _find_claims(content: Any) -> Iterator[dict[str, Any]]:
    """Yield every object in a JSON value that has a file's sha256, and its name under ``file`` or as the key."""
    if isinstance(content, list):
        content = dict(enumerate(content))
    if isinstance(content, dict):
        for key, value in content.items():
            if isinstance(value, dict) and isinstance(value.get("sha256"), str):
                yield {"file": str(key)} | value
            yield from _find_claims(value)


def format_conversion(figures: Figures) -> str:
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
    rows = [row for row in rows if any(row[1:])]
    notes = dict.fromkeys(f"\n\nMeasured on: {format_value(conditions)}." for conditions in on if conditions)
    choice = f"\n\nRecommended: {figures.reason}" if figures.reason else ""
    return (
        format_table(["", *(f"`{path}`" for path in columns)], rows)
        + "".join(notes)
        + choice
        + (proofs and f"\n\n{proofs}")
    )


def _list_figures(receipt: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
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


def format_scores(figures: Figures) -> str:
    """Format the rows of the evaluation and its conditions; empty where there are no rows."""
    rows = figures.evaluation.get("rows")
    if not rows:
        return ""
    conditions = {key: value for key, value in figures.evaluation.items() if not isinstance(value, dict | list)}
    names = list(dict.fromkeys(name for row in rows for name in row))
    body = [[format_value(row.get(name)) for name in names] for row in rows]
    return (
        f"Measured on: {format_value(conditions)}.\n\n{format_table([name.replace('_', ' ') for name in names], body)}"
    )


def format_value(value: Any) -> str:
    """Format a JSON value for people: an integer in full, another number with four significant digits."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, list | tuple):
        return ", ".join(map(format_value, value))
    if isinstance(value, Mapping):
        return "; ".join(f"{key.replace('_', ' ')} {format_value(inner)}" for key, inner in value.items())
    return "" if value is None else " ".join(str(value).split()).replace("|", "\\|")


def format_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format a Markdown table."""
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows))
