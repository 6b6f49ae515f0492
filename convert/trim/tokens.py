"""Find the tokens that a model needs, and cut a byte-level BPE tokenizer to them, so that these texts stay the same.

BPE (Sennrich, Haddow and Birch 2016, arXiv 1508.07909) joins pairs of tokens for as long as one of them has a merge; it
begins with the pair whose merge is first in the list. If only those merges are removed that make no kept token, a text
of kept tokens is joined in the same steps as before: the merge that was first is still there, and still first. Any
other text ends in smaller tokens, in the worst case in single bytes.
"""

import json
import re
import reprlib
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, TemplateSyntaxError
from tokenizers import Tokenizer
from tokenizers.pre_tokenizers import ByteLevel

from convert.files import ConvertError
from convert.progress import track_progress

#: Characters of plain text that are read at once; the text is divided only at the end of a line.
PIECE = 2**20
#: Chat templates write these words, though not all templates contain them.
ROLES = ("system", "user", "assistant", "tool")
#: The text encoding writes EEG in letters, one token per letter, with a space before it or without.
LETTERS = tuple(space + letter for letter in string.ascii_lowercase + string.digits for space in ("", " "))
#: Tokens of the corpus that the speed is measured on.
FIRST = 1024
_KEYS = re.compile(r"(_token_ids?|suppress_tokens|words_ids)$")
_ADDED = "added_tokens_decoder"


@dataclass(frozen=True)
class CorpusTokens:
    """The tokens of a corpus.

    Attributes:
        texts: count of the texts.
        tokens: count of the tokens of all texts.
        distinct: ids of the different tokens.
        first: ids of the first ``FIRST`` tokens, in order.
    """

    texts: int
    tokens: int
    distinct: set[int]
    first: list[int]

    @classmethod
    def of(cls, tokenizer: Tokenizer, corpus: Sequence[Path]) -> "CorpusTokens":
        """Read and tokenise all files.

        Raises:
            ConvertError: a file cannot be read, or no file contains any text.
        """
        texts, count, used, first = 0, 0, set[int](), list[int]()
        for text in track_progress(read_texts(corpus), "Reading the corpus"):
            tokens = encode_text(tokenizer, text)
            texts, count = texts + 1, count + len(tokens)
            used.update(tokens)
            first.extend(tokens[: FIRST - len(first)])
        if not count:
            raise ConvertError(f"There is no text in {', '.join(map(str, corpus))}.")
        return cls(texts, count, used, first)


def find_template_tokens(tokenizer: Tokenizer, template: str | None) -> set[int]:
    """Return the ids of the tokens of all text in a chat template, and of roles, letters and digits.

    Raises:
        ConvertError: the template is not valid Jinja.
    """
    texts = [*LETTERS, *ROLES]
    try:
        # Set as in transformers. The lexer suffices, and a parser would refuse tags that plain Jinja does not know.
        for word in Environment(trim_blocks=True, lstrip_blocks=True).lexer.tokenize(template or ""):
            if word.type in ("data", "string"):
                texts.append(str(word.value))
    except TemplateSyntaxError as error:
        raise ConvertError(f"The chat template is damaged: {error.message}.") from error
    return {token for text in texts for token in encode_text(tokenizer, text)}


def encode_text(tokenizer: Tokenizer, text: str) -> list[int]:
    """Return the ids of a text's tokens, without tokens added around it."""
    tokens: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    return tokens


def read_texts(files: Sequence[Path]) -> Iterator[str]:
    """Yield the texts of all files, without the empty ones.

    Of a ``.jsonl`` file these are all strings in each line's value, of any other file its whole text.

    Raises:
        ConvertError: a file is missing, or is no UTF-8 text, or contains lines that are no JSON.
    """
    for path in files:
        try:
            with path.open(encoding="utf-8", newline="") as file:  # keeps the line ends
                if path.name.endswith(".jsonl"):
                    yield from filter(None, _read_json_lines(file, path))
                else:
                    while lines := file.readlines(PIECE):
                        yield "".join(lines)
        except UnicodeDecodeError as error:
            raise ConvertError(f"{path} is not UTF-8 text.") from error
        except OSError as error:
            raise ConvertError(f"{path} cannot be read: {error.strerror}.") from error


def _read_json_lines(file: Iterable[str], path: Path) -> Iterator[str]:
    for number, line in enumerate(file, 1):
        if line.strip():
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ConvertError(f"Line {number} of {path} is not JSON.") from error
            yield from _find_strings(value)


def _find_strings(value: object) -> Iterator[str]:
    """Yield every string in a JSON value, but not the keys of objects."""
    if isinstance(value, str):
        yield value.encode(errors="replace").decode()  # JSON can contain half a surrogate pair
    elif isinstance(value, list | dict):
        for part in value if isinstance(value, list) else value.values():
            yield from _find_strings(part)


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


def find_named_ids(config: Mapping[str, Any]) -> set[int]:
    """Return all ids under keys whose values are ids, and those of all added tokens; negative ids mean none.

    Raises:
        ConvertError: such a key has another value.
    """
    named = {i for key, value in config.items() if _KEYS.search(key) for i in _flatten_ids(value) if i >= 0}
    return named | _read_added_tokens(config).keys()


def renumber_config(config: Mapping[str, Any], ids: Mapping[int, int]) -> dict[str, Any]:
    """Return the configuration with new ids; ``ids`` maps each old id in it to the new one."""

    def renumber(value: Any) -> Any:
        if isinstance(value, list):
            return [renumber(part) for part in value]
        return ids.get(value, value)  # None and negative ids stay

    new = {key: renumber(value) if _KEYS.search(key) else value for key, value in config.items()}
    if added := _read_added_tokens(config):
        new[_ADDED] = {str(ids[token]): value for token, value in added.items()}
    return new


def _read_added_tokens(config: Mapping[str, Any]) -> dict[int, Any]:
    """Read the entries of added tokens that older tokenizer configurations contain: id -> entry."""
    added = config.get(_ADDED) or {}
    if not isinstance(added, dict) or not all(re.fullmatch("[0-9]{1,10}", key) for key in added):
        raise ConvertError(f"The configuration has {_ADDED} that are not ordered by tokens' ids.")
    return {int(key): value for key, value in added.items()}


def _flatten_ids(value: Any, levels: int = 2) -> list[int]:
    """Return the ids in a value that is None, an id or a list nested at most ``levels`` deep."""
    if isinstance(value, list) and levels:
        return [i for part in value for i in _flatten_ids(part, levels - 1)]
    if value is not None and type(value) is not int:
        raise ConvertError(f"The configuration names {reprlib.repr(value)} where a token's id should be.")
    return [] if value is None else [value]
