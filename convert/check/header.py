"""Compare the header of a GGUF file with the checkpoint: keys, shape, file type, own keys, and the vocabulary."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import numpy as np
from gguf import LlamaFileType, TokenType

from convert.checkpoint import Checkpoint
from convert.gguf.vocabulary import SPACE, looks_like_control
from convert.gguf_file import GgufFile
from convert.report import Finding
from convert.shape import Shape
from copilot.llm.base import METADATA_PREFIX

FLOATS = {"ALL_F32": "F32", "MOSTLY_F16": "F16", "MOSTLY_BF16": "BF16"}
TOKENS, KINDS, MERGES = (f"tokenizer.ggml.{name}" for name in ("tokens", "token_type", "merges"))


def compare_metadata(file: GgufFile, checkpoint: Checkpoint) -> Finding:
    """Compare every key that llama.cpp computes with, and check the keys that describe the file."""
    wanted = _list_expected_keys(checkpoint.shape)
    faults = []
    for key, (value, default) in wanted.items():
        found = file.metadata.get(key, default)
        if isinstance(value, float) and isinstance(found, float):  # as 32 bits, because the file stores no more
            same = np.float32(found) == np.float32(value)
        else:
            same = type(found) is type(value) and found == value
        if not same:
            faults.append(f"{key} is {_format(found)} in the file, {_format(value)} in the checkpoint")
    if file.metadata.get("general.type", "model") != "model":
        faults.append(f"general.type is {_format(file.metadata['general.type'])}, not model")
    name = file.metadata.get("general.name")
    if not isinstance(name, str) or not name.strip():
        faults.append("general.name is missing: the file does not say what it is called")
    own = {key: value for key, value in file.metadata.items() if key.startswith(METADATA_PREFIX)}
    faults += [f"{key} {why}: {_format(value)}" for key, value in own.items() if (why := _explain_unreadable(value))]
    wrong_type = _find_wrong_type(file)
    floats_only = {tensor.type.name for tensor in file.tensors} <= set(FLOATS.values())
    if wrong_type and floats_only:
        faults.append(wrong_type)
    return Finding(
        check="metadata",
        compared=len(wanted),
        figure=f"{len(wanted)} keys of shape and computation, {len(own)} own keys ({METADATA_PREFIX}*)",
        difference=faults[0] if faults else "",
        notes=(wrong_type,) if wrong_type and not floats_only else (),
    )


def _list_expected_keys(shape: Shape) -> dict[str, tuple[Any, Any]]:
    """Return key -> the checkpoint's value and llama.cpp's default (None where llama.cpp requires the key)."""
    arch = shape.gguf_architecture
    usual_head = shape.hidden // shape.heads
    keys = {
        "context_length": (shape.context, None),
        "embedding_length": (shape.hidden, None),
        "block_count": (shape.layers, None),
        "feed_forward_length": (shape.ffn, None),
        "attention.head_count": (shape.heads, None),
        "attention.head_count_kv": (shape.kv_heads, shape.heads),
        "attention.key_length": (shape.head_dim, usual_head),
        "attention.value_length": (shape.head_dim, usual_head),
        "attention.layer_norm_rms_epsilon": (shape.rms_eps, None),
        "rope.dimension_count": (shape.head_dim, shape.head_dim),
        "rope.freq_base": (shape.rope_base, 10_000.0),
        "rope.scaling.type": ("none", "none"),
        "rope.scaling.factor": (1.0, 1.0),
    }
    return {"general.architecture": (arch, None)} | {f"{arch}.{key}": values for key, values in keys.items()}


def _format(value: Any) -> str:
    return f"{value:.7g}" if isinstance(value, float) else "missing" if value is None else str(value)[:80]


def _explain_unreadable(value: Any) -> str:
    """Return why an own key cannot be read; empty where it can."""
    if not isinstance(value, str) or not value.strip():
        return "is no text"
    if value.lstrip()[0] in "[{":
        try:
            json.loads(value)
        except ValueError as error:
            return f"begins as JSON and is not ({error})"
    return ""


def _find_wrong_type(file: GgufFile) -> str:
    """Describe the stated file type if the matrices are of another type; empty where they are of that type."""
    stated = file.metadata.get("general.file_type")
    if stated not in LlamaFileType._value2member_map_:
        return f"general.file_type is {_format(stated)}, which is no type"
    name = LlamaFileType(stated).name
    matrices = Counter(tensor.type.name for tensor in file.tensors if len(tensor.shape) > 1)
    kind = FLOATS.get(name) or re.sub(r"^(MOSTLY|ALL)_|_[SML]$", "", name)
    if kind in matrices and (name not in FLOATS or set(matrices) == {kind}):
        return ""
    counts = ", ".join(f"{count} {kind}" for kind, count in matrices.most_common())
    return f"the file calls itself {name}, but its matrices are {counts}"


def compare_vocabulary(file: GgufFile, tokenizer: Any, rows: int) -> Finding:
    """Compare the vocabulary with that of Hugging Face's tokenizer: every token, its type, and every merge.

    Args:
        file: header of the GGUF file.
        tokenizer: transformers' tokenizer of the checkpoint.
        rows: count of the embedding's rows; rows without a token must be unused tokens.
    """
    tokens, kinds, merges = (list(file.metadata.get(key, [])) for key in (TOKENS, KINDS, MERGES))
    faults = _find_vocabulary_faults(tokens, kinds, merges, tokenizer, rows)
    figure = f"{len(tokens)} tokens with their kinds, {len(merges)} merges"
    return Finding("vocabulary", len(tokens), figure, next(faults, ""))


def _find_vocabulary_faults(
    tokens: list[str], kinds: list[int], merges: list[str], tokenizer: Any, rows: int
) -> Iterator[str]:
    """Yield the differences of the file's vocabulary from the tokenizer's; the first is what counts."""
    for what, entries in (("tokens", tokens), ("kinds of tokens", kinds)):
        if len(entries) != rows:
            yield f"the file has {len(entries)} {what}, the embedding {rows} rows"
    known = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    for i, (ours, theirs) in enumerate(zip(tokens, known, strict=False)):
        if theirs is not None and ours != theirs:
            yield f"token {i} is {ours!r} in the file, {theirs!r} in the checkpoint"
    added = tokenizer.added_tokens_decoder
    known = known + [None] * (len(kinds) - len(known))
    for i, (kind, text) in enumerate(zip(kinds, known, strict=True)):
        if kind not in (allowed := _list_allowed_kinds(text, added.get(i))):
            shown = TokenType(kind).name if kind in TokenType._value2member_map_ else str(kind)
            yield f"token {i} ({text!r}) is {shown} in the file, {allowed[0].name} in the checkpoint"
    listed = json.loads(tokenizer.backend_tokenizer.to_str())["model"].get("merges", [])
    pairs = (merge.split(" ") if isinstance(merge, str) else merge for merge in listed)
    wanted = [" ".join(part.replace(" ", SPACE) for part in pair) for pair in pairs]
    for i, (ours, theirs) in enumerate(zip_longest(merges, wanted)):
        if ours != theirs:
            found, right = ("missing" if merge is None else repr(merge) for merge in (ours, theirs))
            yield f"merge {i} is {found} in the file, {right} in the checkpoint"


def _list_allowed_kinds(text: str | None, added: Any) -> tuple[TokenType, ...]:
    """Return the types that a token may have in the file, the usual one first."""
    if text is None:
        return (TokenType.UNUSED,)
    if added is None:
        return (TokenType.NORMAL,)
    if added.special:
        return (TokenType.CONTROL,)
    return (TokenType.USER_DEFINED, TokenType.CONTROL) if looks_like_control(text) else (TokenType.USER_DEFINED,)
