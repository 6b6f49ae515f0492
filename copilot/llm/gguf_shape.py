"""Check that a model's header is consistent (see ``check_shape``): llama.cpp aborts on some headers that are not."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

#: More than any model has.
_MOST_BLOCKS, _WIDEST = 10_000, 2**24


def check_shape(values: Mapping[str, Any], rows: Mapping[str, Sequence[int]]) -> None:
    """Check the sizes that a header states against each other; missing ones are not required.

    Args:
        values: the metadata under the full names of its keys.
        rows: shape of each tensor by its name, row length first.

    Raises:
        ValueError: two of them contradict each other, or one is impossible.
    """
    architecture = f"{values.get('general.architecture', '')}."

    def stated(key: str, least: int = 1) -> list[int]:
        """Return the sizes under a key, one per block where they differ; empty where it is missing."""
        value = values.get(architecture + key, [])
        sizes = value if isinstance(value, list) else [value]
        if not all(isinstance(size, int) and least <= size <= _WIDEST for size in sizes):
            raise ValueError(f"{key} is {value!r:.80}")
        return sizes

    for key, value in values.items():
        if key.startswith(architecture) and isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{key} is not finite")
    for key in ("context_length", "vocab_size"):
        stated(key)
    if max(stated("block_count"), default=1) > _MOST_BLOCKS:
        raise ValueError("too many blocks")
    _check_heads(stated, rows)
    _check_tokens(values, rows)


def _check_heads(stated: Any, rows: Mapping[str, Sequence[int]]) -> None:
    """Check width, heads and the part of them that is rotated.

    Raises:
        ValueError: they contradict each other.
    """
    width = stated("embedding_length")
    if width and "token_embd.weight" in rows and rows["token_embd.weight"][:1] != tuple(width):
        raise ValueError("the embedding has another width")
    heads, lengths, rotated = (
        stated("attention.head_count", 0),
        stated("attention.key_length"),
        stated("rope.dimension_count", 0),
    )
    if heads and not any(heads):
        raise ValueError("no heads")
    if width and not lengths and any(head and width[0] % head for head in heads):
        raise ValueError("the width is no multiple of the heads")
    groups = stated("attention.head_count_kv", 0)
    pairs = zip(heads, groups, strict=True) if len(heads) == len(groups) else ()
    if any(head and group and head % group for head, group in pairs):
        raise ValueError("heads cannot share keys so")
    if not lengths and len(width) == len(heads) == 1:
        lengths = [width[0] // heads[0]]
    if any(size % 2 or size > max(lengths, default=size) for size in rotated):
        raise ValueError("more of a head is rotated than there is")
    query = rows.get("blk.0.attn_q.weight")
    if query and len(heads) == len(lengths) == 1 and (len(query) < 2 or query[1] % (heads[0] * lengths[0])):
        raise ValueError("queries have another width than the heads")


def _check_tokens(values: Mapping[str, Any], rows: Mapping[str, Sequence[int]]) -> None:
    """Check that there are as many embeddings, kinds and scores as tokens, and texts for all of them.

    Raises:
        ValueError: their numbers differ.
    """
    tokens = values.get("tokenizer.ggml.tokens")
    if tokens is None:
        return
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise ValueError("tokens are no texts")
    for key in ("token_type", "scores"):
        listed = values.get(f"tokenizer.ggml.{key}", tokens)
        if not isinstance(listed, list) or len(listed) != len(tokens):
            raise ValueError(f"another number of {key} than of tokens")
    embedded = rows.get("token_embd.weight", ())
    if len(embedded) > 1 and embedded[1] != len(tokens):
        raise ValueError("another number of embeddings than of tokens")
