"""Read a checkpoint's byte-level BPE tokenizer and write it into a GGUF, so that llama.cpp makes the same tokens.

Special ids, merges and chat template are found by the ``gguf`` package; this module adds the token list with its types,
and refuses where llama.cpp would go on with something else: an unknown pre-tokenizer, no chat template, no end of text.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gguf import GGUFWriter, SpecialVocab, TokenType

from convert.files import ConvertError, read_json

# How text is cut before merging, by the pattern in tokenizer.json, and llama.cpp's name for it.
PRE_TOKENIZERS = {
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+": "qwen2",
}
END_OF_TURN = "<|im_end|>"


@dataclass(frozen=True)
class Vocabulary:
    """Tokens in the order of their ids, ``rows`` of them, with what llama.cpp needs to know about each."""

    tokens: list[str]
    types: list[TokenType]
    pre: str
    special: SpecialVocab

    def add_to(self, writer: GGUFWriter) -> None:
        """Write the ``tokenizer.*`` keys."""
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(self.pre)
        writer.add_token_list(self.tokens)
        writer.add_token_types(self.types)
        self.special.add_to_gguf(writer, quiet=True)
        if END_OF_TURN in self.tokens:
            writer.add_eot_token_id(self.tokens.index(END_OF_TURN))


def read_vocabulary(model_dir: Path, rows: int) -> Vocabulary:
    """Read ``tokenizer.json`` and its companions; of the embedding's ``rows``, those without a token become unused.

    Raises:
        ConvertError: no tokenizer, one that llama.cpp would read differently, or more tokens than rows.
    """
    if not (model_dir / "tokenizer.json").is_file():
        raise ConvertError(f"{model_dir} has no tokenizer.json; save the tokenizer beside the model.")
    tokenizer = read_json(model_dir / "tokenizer.json")
    model = tokenizer.get("model") or {}
    if model.get("type") != "BPE" or not model.get("vocab") or not model.get("merges"):
        raise ConvertError(
            f"The tokenizer.json of {model_dir} is not byte-level BPE, the only kind that can be converted."
        )
    tokens, types = _tokens(model["vocab"], tokenizer.get("added_tokens") or [], rows)
    return Vocabulary(tokens, types, _pre_tokenizer(tokenizer), _special(model_dir, rows))


def _tokens(vocab: dict[str, int], added: list[dict[str, Any]], rows: int) -> tuple[list[str], list[TokenType]]:
    tokens = [f"[PAD{i}]" for i in range(rows)]
    types = [TokenType.UNUSED] * rows
    kinds = [(text, i, TokenType.NORMAL) for text, i in vocab.items()]
    kinds += [(t["content"], t["id"], TokenType.CONTROL if t["special"] else TokenType.USER_DEFINED) for t in added]
    for text, i, kind in kinds:
        if not 0 <= i < rows:
            raise ConvertError(f"Token {text!r} has id {i}, but the model's embedding has only {rows} rows.")
        tokens[i], types[i] = text, kind
    return tokens, types


def _pre_tokenizer(tokenizer: dict[str, Any]) -> str:
    outer = tokenizer.get("pre_tokenizer") or {}
    steps = outer.get("pretokenizers") or [outer]
    patterns = [step["pattern"].get("Regex", "") for step in steps if step.get("type") == "Split"]
    byte_level = any(step.get("type") == "ByteLevel" and not step.get("add_prefix_space") for step in steps)
    if not byte_level or len(patterns) != 1 or patterns[0] not in PRE_TOKENIZERS:
        raise ConvertError("The tokenizer splits text in a way this converter does not know; it knows Qwen2's.")
    return PRE_TOKENIZERS[patterns[0]]


def _special(model_dir: Path, rows: int) -> SpecialVocab:
    try:
        special = SpecialVocab(model_dir, load_merges=True, n_vocab=rows)
    except ValueError as error:
        raise ConvertError(f"The tokenizer of {model_dir} is damaged: {error}.") from error
    if special.chat_template is None:
        # llama-cpp-python would silently talk to the model in Llama 2's format.
        raise ConvertError(f"{model_dir} has no chat template; save the one of its training as chat_template.jinja.")
    if "eos" not in special.special_token_ids:
        raise ConvertError(f"{model_dir} names no end-of-text token; set eos_token in tokenizer_config.json.")
    # Where a file names none, llama.cpp takes token 11 for the beginning of text.
    ids = special.special_token_ids
    ids.setdefault("bos", ids.get("pad", ids["eos"]))
    special.add_special_token.setdefault("bos", False)
    return special
