"""Compare the vocabulary of a GGUF file with the checkpoint's: every token, its type, and every merge."""

import json
from itertools import zip_longest
from typing import Any

from gguf import TokenType

from convert.check.finding import Finding
from convert.gguf.vocabulary import looks_like_control
from convert.gguf_file import GgufFile

TOKENS, KINDS, MERGES = (f"tokenizer.ggml.{name}" for name in ("tokens", "token_type", "merges"))
#: A space within a token, in the byte-level alphabet.
SPACE = "Ġ"


def compare_vocabulary(file: GgufFile, tokenizer: Any, rows: int) -> Finding:
    """Compare the vocabulary with that of Hugging Face's tokenizer.

    Args:
        file: header of the GGUF file.
        tokenizer: transformers' tokenizer of the checkpoint.
        rows: count of the embedding's rows; rows without a token must be unused tokens.
    """
    tokens, kinds = (list(file.metadata.get(key, [])) for key in (TOKENS, KINDS))
    merges, wanted_merges = list(file.metadata.get(MERGES, [])), _list_merges(tokenizer)
    known = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    difference = (
        _find_wrong_size(tokens, kinds, rows)
        or _find_wrong_token(tokens, known)
        or _find_wrong_kind(kinds, tokenizer, known)
        or _find_wrong_merge(merges, wanted_merges)
    )
    figure = f"{len(tokens)} tokens with their kinds, {len(merges)} merges"
    return Finding("vocabulary", len(tokens), figure, difference)


def _find_wrong_size(tokens: list[str], kinds: list[int], rows: int) -> str:
    for what, entries in (("tokens", tokens), ("kinds of tokens", kinds)):
        if len(entries) != rows:
            return f"the file has {len(entries)} {what}, the embedding {rows} rows"
    return ""


def _find_wrong_token(tokens: list[str], known: list[str | None]) -> str:
    for i, (ours, theirs) in enumerate(zip(tokens, known, strict=False)):
        if theirs is not None and ours != theirs:
            return f"token {i} is {ours!r} in the file, {theirs!r} in the checkpoint"
    return ""


def _find_wrong_kind(kinds: list[int], tokenizer: Any, known: list[str | None]) -> str:
    added = tokenizer.added_tokens_decoder
    known = known + [None] * (len(kinds) - len(known))
    for i, (kind, text) in enumerate(zip(kinds, known, strict=True)):
        if kind not in (allowed := _list_allowed_kinds(text, added.get(i))):
            shown = TokenType(kind).name if kind in TokenType._value2member_map_ else str(kind)
            return f"token {i} ({text!r}) is {shown} in the file, {allowed[0].name} in the checkpoint"
    return ""


def _list_allowed_kinds(text: str | None, added: Any) -> tuple[TokenType, ...]:
    """Return the types that a token may have in the file, the usual one first."""
    if text is None:
        return (TokenType.UNUSED,)
    if added is None:
        return (TokenType.NORMAL,)
    if added.special:
        return (TokenType.CONTROL,)
    return (TokenType.USER_DEFINED, TokenType.CONTROL) if looks_like_control(text) else (TokenType.USER_DEFINED,)


def _list_merges(tokenizer: Any) -> list[str]:
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"].get("merges", [])
    pairs = (merge.split(" ") if isinstance(merge, str) else merge for merge in merges)
    return [" ".join(part.replace(" ", SPACE) for part in pair) for pair in pairs]


def _find_wrong_merge(merges: list[str], wanted: list[str]) -> str:
    for i, (ours, theirs) in enumerate(zip_longest(merges, wanted)):
        if ours != theirs:
            return f"merge {i} is {_quote(ours)} in the file, {_quote(theirs)} in the checkpoint"
    return ""


def _quote(merge: str | None) -> str:
    return "missing" if merge is None else repr(merge)
