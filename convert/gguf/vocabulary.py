"""Read a checkpoint's byte-level BPE tokenizer and write it into a GGUF file, so that llama.cpp makes the same tokens.

The ``gguf`` package finds the special ids and the chat template. This module adds the tokens and merges, and refuses
what llama.cpp would silently replace: an unknown pre-tokenizer, a missing chat template, a missing end of text. One
difference remains: Qwen2's tokenizer composes characters first (NFC), and llama.cpp does not.

``tokenizer.json`` is read as a stream, because parsing it at once takes a third of the memory of a small model.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ijson  # type: ignore[import-untyped]
from gguf import GGUFWriter, SpecialVocab, TokenType

from convert.files import ConvertError, scratch_folder

WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
ENDINGS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#: How text is divided before merging -> llama.cpp's name of it. The key is the steps of tokenizer.json, and whether a
#: whole word that is a token is used without merging.
PRE_TOKENIZERS = {
    ((rf"{ENDINGS}|{WORDS}|\p{{N}}|{REST}", "bytes"), False): "qwen2",
    ((rf"{ENDINGS}|{WORDS}|\p{{N}}{{1,3}}|{REST}", "bytes"), True): "llama-bpe",
    (("digits", "words as bytes"), False): "smollm",
    (("words as bytes",), False): "gpt-2",
}
#: A space in the byte-level alphabet.
SPACE = "Ġ"
#: Limit on the characters of the path to a value of tokenizer.json, and bytes that are read between two checks. Every
#: level makes the path longer, so that deep nesting would take very long.
LONGEST_PATH = 10_000
READ_AT_ONCE = 4096
ENDS_OF_TURN = ("<|im_end|>", "<|eot_id|>")


@dataclass(frozen=True)
class Vocabulary:
    """The tokens in the order of their ids, one for every row of the embedding, and the keys that belong to them.

    Attributes:
        tokens: texts of the tokens, in the byte-level alphabet.
        types: type of each token.
        merges: pairs of tokens, in the order in which they are merged.
        pre: llama.cpp's name of the pre-tokenizer, which divides text before merging.
        special: ids of special tokens, and the chat template.
    """

    tokens: list[str]
    types: list[TokenType]
    merges: list[str]
    pre: str
    special: SpecialVocab

    def add_to(self, writer: GGUFWriter) -> None:
        """Write the ``tokenizer.*`` keys."""
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(self.pre)
        writer.add_add_space_prefix(False)
        writer.add_token_list(self.tokens)
        writer.add_token_types(self.types)
        writer.add_token_merges(self.merges)
        self.special.add_to_gguf(writer, quiet=True)
        for text in ENDS_OF_TURN:
            if text in self.tokens:
                writer.add_eot_token_id(self.tokens.index(text))
                break


def read_vocabulary(model_dir: Path, rows: int) -> Vocabulary:
    """Read ``tokenizer.json`` and the files that belong to it.

    Args:
        model_dir: folder of the checkpoint.
        rows: count of the embedding's rows; rows without a token become unused tokens.

    Raises:
        ConvertError: the tokenizer is missing, damaged, of a kind that llama.cpp would read differently, or has more
            tokens than ``rows``.
    """
    path = model_dir / "tokenizer.json"
    if not path.is_file():
        found = "a SentencePiece tokenizer" if (model_dir / "tokenizer.model").is_file() else "no tokenizer.json"
        raise ConvertError(f"{model_dir} has {found}; only byte-level BPE, saved as tokenizer.json, can be converted.")
    try:
        builder = ijson.ObjectBuilder()  # of everything but vocabulary and merges
        with path.open("rb") as file:
            for place, event, value in ijson.parse(file, buf_size=READ_AT_ONCE):
                if len(place) > LONGEST_PATH:
                    raise ValueError("nested too deeply")
                if not place.startswith(("model.vocab", "model.merges")):
                    builder.event(event, value)
        small: dict[str, Any] = builder.value
        model = small.get("model") or {}
        affixes = model.get("continuing_subword_prefix") or model.get("end_of_word_suffix")
        if model.get("type") != "BPE" or model.get("byte_fallback") or affixes:
            raise ConvertError(
                "The tokenizer is not byte-level BPE (as Qwen2's and Llama 3's are), which it has to be."
            )
        if (small.get("normalizer") or {"type": "NFC"}).get("type") != "NFC":
            raise ConvertError("The tokenizer changes text before it cuts it, which llama.cpp would not do.")
        with path.open("rb") as file:
            vocab = dict(ijson.kvitems(file, "model.vocab"))
            file.seek(0)
            merges = [_format_merge(merge, vocab) for merge in ijson.items(file, "model.merges.item")]
        tokens, types = _order_tokens(vocab, small.get("added_tokens") or [], rows)
        return Vocabulary(
            tokens, types, merges, _find_pre_tokenizer(small), _read_special_tokens(model_dir, small, rows)
        )
    except ConvertError:
        raise
    except (ijson.JSONError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise ConvertError(f"The tokenizer of {model_dir} is damaged; save it beside the model again.") from error


def _format_merge(merge: str | list[str], vocab: dict[str, int]) -> str:
    """Return a merge as ``left right``; since 4.45 transformers writes a pair, whose texts may contain spaces."""
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    if not (left in vocab and right in vocab and left + right in vocab):
        raise ConvertError(
            f"The tokenizer merges {left[:40]!r} and {right[:40]!r}, but does not have all three as tokens."
        )
    return " ".join(part.replace(" ", SPACE) for part in (left, right))


def _order_tokens(vocab: dict[str, int], added: list[dict[str, Any]], rows: int) -> tuple[list[str], list[TokenType]]:
    """Return the tokens and their types in the order of the ids; unused ids get a token of their own.

    An added token that looks like a control token becomes one, so that it cannot be typed.
    """
    tokens = [f"[PAD{i}]" for i in range(rows)]
    types = [TokenType.UNUSED] * rows
    kinds = [(text, i, TokenType.NORMAL) for text, i in vocab.items()]
    for token in added:
        control = token["special"] or looks_like_control(token["content"])
        kinds.append((token["content"], token["id"], TokenType.CONTROL if control else TokenType.USER_DEFINED))
    for text, i, kind in kinds:
        if type(i) is not int or not 0 <= i < rows:
            raise ConvertError(f"Token {text[:40]!r} has id {i}, but the model's embedding has only {rows} rows.")
        if types[i] != TokenType.UNUSED and tokens[i] != text:
            raise ConvertError(f"The tokens {tokens[i][:40]!r} and {text[:40]!r} have the same id, {i}.")
        tokens[i], types[i] = text, kind
    if len(set(tokens)) < rows:
        raise ConvertError("The tokenizer has two ids for the same token.")
    return tokens, types


def looks_like_control(text: str) -> bool:
    """Return whether a token is written like a control token, even if the tokenizer does not call it special."""
    return text.startswith("<|") and text.endswith("|>")


def _find_pre_tokenizer(tokenizer: dict[str, Any]) -> str:
    """Return llama.cpp's name of the pre-tokenizer."""
    outer = tokenizer.get("pre_tokenizer") or {}
    steps = tuple(_name_step(step) for step in outer.get("pretokenizers") or [outer])
    whole_words = bool(tokenizer["model"].get("ignore_merges"))
    if (steps, whole_words) not in PRE_TOKENIZERS:
        known = ", ".join(PRE_TOKENIZERS.values())
        raise ConvertError(f"The tokenizer splits text in a way this converter does not know; it knows {known}.")
    return PRE_TOKENIZERS[steps, whole_words]


def _name_step(step: dict[str, Any]) -> str:
    match step:
        case {"type": "Split", "pattern": {"Regex": str(pattern)}, "behavior": "Isolated", "invert": False}:
            return pattern
        case {"type": "Digits", "individual_digits": True}:
            return "digits"
        case {"type": "ByteLevel", "add_prefix_space": False}:
            return "words as bytes" if step.get("use_regex", True) else "bytes"
    return "unknown"


def _read_special_tokens(model_dir: Path, tokenizer: dict[str, Any], rows: int) -> SpecialVocab:
    """Read special ids and chat template, and set the ids that llama.cpp would otherwise guess."""
    with scratch_folder() as folder:  # the gguf package gets a ``tokenizer.json`` that lacks the large parts
        for path in model_dir.resolve().iterdir():
            if path.name != "tokenizer.json":
                (folder / path.name).symlink_to(path)
        small = {key: tokenizer.get(key) for key in ("added_tokens", "post_processor")}
        (folder / "tokenizer.json").write_text(json.dumps(small), encoding="utf-8")
        special = SpecialVocab(folder, n_vocab=rows)
    if special.chat_template is None:
        # llama-cpp-python would silently use Llama 2's template.
        raise ConvertError(f"{model_dir} has no chat template; save the one of its training as chat_template.jinja.")
    if "eos" not in special.special_token_ids:
        raise ConvertError(f"{model_dir} names no end-of-text token; set eos_token in tokenizer_config.json.")
    # Without a named one, llama.cpp uses token 11 as the beginning of text, and adds it before Llama 3's texts.
    ids = special.special_token_ids
    ids.setdefault("bos", ids.get("pad", ids["eos"]))
    for boundary in ("bos", "eos"):
        special.add_special_token.setdefault(boundary, False)
    return special
