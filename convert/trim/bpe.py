"""Cut a byte-level BPE tokenizer to some of its tokens, so that text made of these is still tokenised the same way.

BPE (Sennrich, Haddow and Birch 2016, arXiv 1508.07909) joins pairs of tokens for as long as one of them has a merge; it
begins with the pair whose merge is first in the list. If only those merges are removed that make no kept token, a text
of kept tokens is joined in the same steps as before: the merge that was first is still there, and still first. Any
other text ends in smaller tokens, in the worst case in single bytes.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer
from tokenizers.pre_tokenizers import ByteLevel

from convert.files import ConvertError


@dataclass(frozen=True)
class ByteLevelBpe:
    """The content of ``tokenizer.json``, with tokens as ids.

    Attributes:
        document: the file, as the tokenizers library writes it.
        tokens: text -> id, without the added tokens.
        added: ids of the control tokens and all other tokens that were added to the vocabulary.
        makers: id of a token -> the pairs whose merge makes it.
    """

    document: dict[str, Any]
    tokens: dict[str, int]
    added: frozenset[int]
    makers: dict[int, list[tuple[int, int]]]

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> "ByteLevelBpe":
        """Read the parts of a tokenizer.

        Raises:
            ConvertError: it is of another kind, or lacks the token of a byte.
        """
        document = json.loads(tokenizer.to_str())
        model, outer = document["model"], document["pre_tokenizer"] or {}
        steps = outer.get("pretokenizers") or [outer]
        if model["type"] != "BPE" or not any(step.get("type") == "ByteLevel" for step in steps):
            raise ConvertError("The tokenizer is not byte-level BPE, the only kind that can be trimmed.")
        tokens: dict[str, int] = model["vocab"]
        if missing := set(ByteLevel.alphabet()) - tokens.keys():
            raise ConvertError(f"The tokenizer cannot write {len(missing)} of the 256 bytes; it is damaged.")
        makers: dict[int, list[tuple[int, int]]] = {}
        for left, right in model["merges"]:
            makers.setdefault(tokens[left + right], []).append((tokens[left], tokens[right]))
        return cls(document, tokens, frozenset(token["id"] for token in document["added_tokens"]), makers)

    @property
    def bytes(self) -> set[int]:
        """The ids of the tokens of single bytes."""
        return {self.tokens[character] for character in ByteLevel.alphabet()}

    def add_parts(self, wanted: Iterable[int]) -> set[int]:
        """Return the ids of the ``wanted`` tokens and of all tokens that they are merged from."""
        closed: set[int] = set()
        waiting = list(wanted)
        while waiting:
            token = waiting.pop()
            if token not in closed:
                closed.add(token)
                waiting.extend(part for pair in self.makers.get(token, ()) for part in pair)
        return closed

    def fill_up(self, kept: set[int], multiple: int) -> set[int]:
        """Return the ``kept`` ids and as many more, those learned first before others, as make up a ``multiple``."""
        filled = set(kept)
        for token in sorted(self.tokens.values()):
            if len(filled) % multiple == 0:
                break
            if all(part in filled for pair in self.makers.get(token, ()) for part in pair):
                filled.add(token)
        return filled

    def cut_tokenizer(self, ids: Mapping[int, int]) -> Tokenizer:
        """Make the tokenizer of some of the tokens.

        Args:
            ids: old id -> new id of every token to keep, in the same order; for every kept token, the tokens that it
                is merged from are kept, too.

        Raises:
            ConvertError: the tokenizer adds tokens around a text in a way that is not known here.
        """
        document = dict(self.document)
        kept = {text: ids[token] for text, token in self.tokens.items() if token in ids}
        merges = [pair for pair in document["model"]["merges"] if {*pair, "".join(pair)} <= kept.keys()]
        document["model"] = document["model"] | {"vocab": kept, "merges": merges}
        document["added_tokens"] = [token | {"id": ids[token["id"]]} for token in document["added_tokens"]]
        document["post_processor"] = _renumber_processor(document["post_processor"], ids)
        tokenizer = Tokenizer.from_str(json.dumps(document))
        wanted = kept | {token["content"]: token["id"] for token in document["added_tokens"]}
        if tokenizer.get_vocab() != wanted:
            raise ConvertError("The tokenizer's added tokens have ids that cannot be renumbered.")
        return tokenizer


def _renumber_processor(processor: Any, ids: Mapping[int, int]) -> Any:
    """Renumber the ids of the tokens that the post-processor adds around every text."""
    kind = (processor or {}).get("type")
    if kind == "Sequence":
        return processor | {"processors": [_renumber_processor(part, ids) for part in processor["processors"]]}
    if kind == "TemplateProcessing":
        special = processor["special_tokens"]
        return processor | {
            "special_tokens": {name: token | {"ids": [ids[i] for i in token["ids"]]} for name, token in special.items()}
        }
    if kind not in (None, "ByteLevel"):
        raise ConvertError(f"The tokenizer puts tokens around a text by {kind}, which cannot be trimmed.")
    return processor
