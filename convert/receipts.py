"""Write and read receipts: JSON files that state what a file contains and computes, and what it was made of.

``NAME.receipt.json`` is about one quantised file (``Receipt``), ``quantization.json`` about all quantised files of one
source, ``receipt.json`` about a folder of ``convert all`` and every file in it. Training writes receipts of its own
facts in the same form. A receipt names a file and states its SHA-256: it belongs to this content only.
"""

import json
import platform
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from convert.files import ConvertError
from convert.report import format_value
from convert.speed import Speed
from copilot.files import hash_file

ENDING = ".receipt.json"
#: The receipt of ``convert all``, and that of ``convert quantize`` for all types.
RELEASE, QUANTIZATION = "receipt.json", "quantization.json"
EVALUATION = "evaluation.json"
MADE_WITH = ("gguf", "llama-cpp-python", "peft", "safetensors", "tokenizers", "torch", "transformers")
#: Keys of the verbs' results whose values are paths on this machine.
PATH_KEYS = ("base", "adapter", "out", "file", "against", "folder")
#: ``USER/NAME``, maybe followed by a revision; anything else that an adapter names as its base is a local path.
HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*(,|$)")


@dataclass(frozen=True)
class Share:
    """The part of a file that is of one type: count of its tensors, and their size in bytes."""

    tensors: int
    bytes: int


@dataclass(frozen=True)
class Fallback:
    """A matrix whose rows do not fit the type that llama.cpp wanted for it.

    Attributes:
        tensor: its name.
        row: length of its rows.
        wanted: the type that llama.cpp wanted.
        got: the type that it has.
    """

    tensor: str
    row: int
    wanted: str
    got: str


@dataclass(frozen=True)
class Source:
    """The file that was quantised: its name, SHA-256 and size in bytes."""

    file: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class ImportanceText:
    """The text that importance was measured on: its name, the SHA-256 of its bytes, the tokens that the model read."""

    file: str
    sha256: str
    tokens: int


@dataclass(frozen=True)
class MeasuredOn:
    """The data and the machine that a measurement was made on.

    Attributes:
        text: name of the file of conversations.
        text_sha256: SHA-256 of that file.
        conversations: count of the conversations.
        cut: count of those that were shortened, because the model was trained for a smaller context.
        answer_tokens: count of the tokens at which the models were compared.
        speed: how the speeds were measured, and on what machine.
        processor: instruction sets and libraries that llama.cpp was built for and finds on the machine.
    """

    text: str
    text_sha256: str
    conversations: int
    cut: int
    answer_tokens: int
    speed: str
    processor: tuple[str, ...]


@dataclass(frozen=True)
class Measurement:
    """The comparison of a quantised model with its source.

    Attributes:
        mean_kl: Kullback-Leibler divergence of its distribution from the source's, mean over the tokens, in nats.
        p99_kl: 99th percentile of that divergence over the tokens, in nats.
        perplexity: perplexity of the answers.
        source_perplexity: the same for the source.
        same_top1: share of tokens where both find the same token most likely, 0 to 1.
        label_agreement: share of conversations where both score the same label highest, 0 to 1.
        speed: speed of the quantised model.
        source_speed: speed of the source, measured in alternation with it.
        measured_on: data and machine.
    """

    mean_kl: float
    p99_kl: float
    perplexity: float
    source_perplexity: float
    same_top1: float
    label_agreement: float
    speed: Speed
    source_speed: Speed
    measured_on: MeasuredOn


@dataclass(frozen=True)
class Receipt:
    """The provenance of one quantised file.

    The types are read back from the finished file. The type that llama.cpp wanted for a tensor (its nominal type)
    differs from them where the tensor's rows did not fit.

    Attributes:
        file: its name.
        type: the type asked for; llama.cpp mixes in others on purpose, as in every ``_M``.
        source: the file it was made from.
        imatrix: the text that importance was measured on; None where no importance was used.
        nominal: type that llama.cpp wanted -> its tensors and bytes.
        actual: type in the file -> its tensors and bytes, including norms and biases (always F32).
        fallbacks: the tensors where these two types differ.
        parameters: count of the model's numbers.
        bits_per_weight: mean over the tensors, without header and vocabulary.
        file_bytes: size of the whole file.
        sha256: SHA-256 of the whole file.
        measured: comparison with the source.
    """

    file: str
    type: str
    source: Source
    imatrix: ImportanceText | None
    nominal: dict[str, Share]
    actual: dict[str, Share]
    fallbacks: tuple[Fallback, ...]
    parameters: int
    bits_per_weight: float
    file_bytes: int
    sha256: str
    measured: Measurement


def sum_by_type(parts: Iterable[tuple[str, int]]) -> dict[str, Share]:
    """Count the tensors and add up the bytes of each type; ``parts``: type and size of every tensor."""
    shares: dict[str, Share] = {}
    for type, size in parts:
        before = shares.get(type, Share(0, 0))
        shares[type] = Share(before.tensors + 1, before.bytes + size)
    return dict(sorted(shares.items()))


def write_receipt(path: Path, content: Mapping[str, Any], *, indent: int = 2) -> None:
    """Write a receipt; a caller that must not leave a half gives the temporary path of ``write_atomically``."""
    path.write_text(json.dumps(content, indent=indent) + "\n", encoding="utf-8")


def describe_release(
    folder: Path, name: str, steps: Mapping[str, dict[str, Any]], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the steps' results, the versions of the libraries, and size and SHA-256 of every file in a folder.

    The paths in the results are reduced to names, because a receipt is published and local paths are private.

    Args:
        folder: the folder under its temporary name.
        name: its final name.
        steps: verb -> its result as plain values.
        facts: further facts about the folder.
    """
    reports = {}
    for verb, report in steps.items():
        names = {key: Path(report[key]).resolve().name for key in PATH_KEYS if report.get(key)}
        names = {key: name if given == folder.name else given for key, given in names.items()}
        if "trained_on" in report and not HUB_NAME.match(report["trained_on"]):
            names["trained_on"] = names["base"]
        reports[verb] = report | names
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        "steps": reports,
        "made_with": {name: version(name) for name in MADE_WITH} | {"python": platform.python_version()},
        **facts,
        "files": {
            path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": hash_file(path)}
            for path in paths
        },
    }


@dataclass(frozen=True)
class Figures:
    """The measured figures of some files, as their receipts state them.

    Attributes:
        receipts: path of a file -> its receipt.
        proofs: path of a file -> how ``convert all`` verified that it equals its source.
        evaluation: content of ``evaluation.json``; empty where there is none.
        recommended: path of the file that ``quantization.json`` recommends; empty where there is none.
        reason: the reason for that recommendation.
    """

    receipts: Mapping[str, Mapping[str, Any]]
    proofs: Mapping[str, str]
    evaluation: Mapping[str, Any]
    recommended: str
    reason: str


def read_receipts(digests: Mapping[str, str], texts: Mapping[str, str]) -> Figures:
    """Read all receipts and the evaluation among some files, and check that they belong to these files.

    Args:
        digests: path of every file -> its SHA-256.
        texts: path of every text -> its content.

    Raises:
        ConvertError: a receipt is damaged, or was written for another file.
    """
    receipts: dict[str, dict[str, Any]] = {}
    proofs: dict[str, str] = {}
    recommended = reason = ""
    for path in texts:
        folder, name = posixpath.split(path)
        if name not in (RELEASE, QUANTIZATION) and not name.endswith(ENDING):
            continue
        content = _read_object(path, texts)
        for claim in _find_claims([content]):
            about = posixpath.join(folder, str(claim["file"]))
            if about in digests and digests[about] != claim["sha256"]:
                raise ConvertError(f"{path} was written for another {about} than the one here; make both again.")
            if about in digests and "actual" in claim:
                receipts[about] = claim
                if claim["file"] == content.get("recommended"):
                    recommended, reason = about, format_value(content.get("reason"))
        if name == RELEASE:
            proven = {posixpath.join(folder, about): proof for about, proof in _read_proofs(path, content).items()}
            proofs |= {about: proof for about, proof in proven.items() if about in digests}
    evaluation = _read_object(EVALUATION, texts) if EVALUATION in texts else {}
    if EVALUATION in texts and evaluation.get("model_sha256") not in digests.values():
        raise ConvertError(f"{EVALUATION} was measured on a model that is not among these files; evaluate again.")
    rows = evaluation.get("rows", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ConvertError(f"{EVALUATION} does not contain a list of results as `rows`; evaluate again.")
    return Figures(receipts, proofs, evaluation, recommended, reason)


def _read_object(path: str, texts: Mapping[str, str]) -> dict[str, Any]:
    try:
        content = json.loads(texts[path])
    except ValueError as error:
        raise ConvertError(f"{path} is damaged: it is not valid JSON.") from error
    if not isinstance(content, dict):
        raise ConvertError(f"{path} does not contain a JSON object.")
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
        merged, checked = steps.get("merge", {}), steps.get("check", {})
        proofs = {}
        for name in merged.get("files", {}):
            proofs[posixpath.join(merged["out"], name)] = (
                f"as saved ({format_value(merged['types'])}), against base and adapter in float32: logits off by at "
                f"most {merged['rounding']['largest']:.2g} standard deviations, same top token at "
                f"{merged['rounding']['same_top']:.1%} of the positions of a few prompts of random tokens"
            )
        if checked.get("passed"):
            figures = {finding["check"]: finding["figure"] for finding in checked["findings"]}
            parts = [f"{name}: {figures[name]}" for name in ("weights", "precision", "logits") if name in figures]
            proofs[checked["file"]] = f"against `{checked['against']}`. {'. '.join(parts)}"
        return {name: proof for name, proof in proofs.items() if isinstance(listed[name]["sha256"], str)}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConvertError(
            f"{path} does not contain what `convert all` writes there; make the folder again."
        ) from error
