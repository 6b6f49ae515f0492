"""Compare the tokens of llama.cpp and a GGUF file with those of Hugging Face and the checkpoint."""

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gguf import TokenType

from convert.check.finding import Finding
from convert.check.tokenizer_texts import TEXTS, list_byte_texts
from convert.files import ConvertError
from convert.gguf.vocabulary import looks_like_control

if TYPE_CHECKING:
    from copilot.llm.llama_cpp import NativeModel

SEPARATOR = "\n__ggml_vocab_test__\n"
NOT_NORMALISED = (
    "Hugging Face composes text before it cuts it (NFC), llama.cpp does not: letter and accent typed apart become "
    "other tokens. No fault of this file; compose text before it is sent."
)
MADE_ENDS = (
    "llama.cpp makes {} an end of text because of its name, though here it is an ordinary word. No fault of this file; "
    "a program that lets typed text become control tokens will stop there."
)


class TokenizerPair:
    """The tokenizers of a GGUF file and its checkpoint.

    Attributes:
        notes: differences of the two that are no faults of the file.
    """

    def __init__(self, native: "NativeModel", tokenizer: Any, kinds: Sequence[int]) -> None:
        """Store both tokenizers.

        Args:
            native: the file, loaded by llama.cpp.
            tokenizer: transformers' tokenizer of the checkpoint.
            kinds: type of each of the file's tokens, as its header states it.
        """
        self._native, self._tokenizer = native, tokenizer
        self.notes: list[str] = []
        renamed = (i for i, kind in enumerate(kinds) if kind == TokenType.NORMAL and native.ends_answer(i))
        self._made_ends = {native.get_text(i): i for i in renamed}

    def find_difference(self, text: str, *, control: bool) -> str:
        """Describe the first difference of the tokens of a text.

        Args:
            text: any text.
            control: whether control tokens in the text become tokens, or are treated as typed letters.

        Returns:
            The difference; empty where there is none, or only one that is added to ``notes``.
        """
        found = self._native.tokenize(text, control=control)
        wanted = self._tokenize_by_checkpoint(text, control)
        if found == wanted:
            return ""
        composed = unicodedata.normalize("NFC", text)
        if composed != text and self._native.tokenize(composed, control=control) == wanted:
            return self._add_note(NOT_NORMALISED)
        if control and self._made_ends and found == self._tokenize_with_ends(text):
            return self._add_note(MADE_ENDS.format(", ".join(map(repr, self._made_ends))))
        return f"{text!r:.80}{'' if control else ', typed'}: {self.describe_difference(found, wanted, 'checkpoint')}"

    def describe_difference(self, found: list[int], wanted: list[int], whose: str) -> str:
        """Describe the first token that differs, with both texts.

        Args:
            found: the file's token ids.
            wanted: the token ids to compare with.
            whose: their source, for the description.
        """
        place = next(
            (i for i, (a, b) in enumerate(zip(found, wanted, strict=False)) if a != b), min(len(found), len(wanted))
        )
        ours, theirs = (self._format_token(tokens, place) for tokens in (found, wanted))
        return f"token {place} is {ours} in the file, {theirs} in the {whose}"

    def _tokenize_by_checkpoint(self, text: str, control: bool) -> list[int]:
        """Return Hugging Face's tokens."""
        # transformers keeps the last setting, so it must be passed each time
        tokens: list[int] = self._tokenizer(text, add_special_tokens=False, split_special_tokens=not control)[
            "input_ids"
        ]
        return tokens

    def _tokenize_with_ends(self, text: str) -> list[int]:
        """Return Hugging Face's tokens, with llama.cpp's additional ends of text as single tokens."""
        parts = re.split("|".join(f"({re.escape(end)})" for end in self._made_ends), text)
        tokens = (
            [self._made_ends[p]] if p in self._made_ends else self._tokenize_by_checkpoint(p, True)
            for p in filter(None, parts)
        )
        return [token for part in tokens for token in part]

    def _add_note(self, note: str) -> str:
        """Add a note once, and return that there is no difference."""
        if note not in self.notes:
            self.notes.append(note)
        return ""

    def _format_token(self, tokens: list[int], place: int) -> str:
        if place >= len(tokens):
            return "none"
        token = tokens[place]
        text = self._tokenizer.decode([token]) if token < len(self._tokenizer) else "no token"
        return f"{token} ({text!r})"


def compare_tokens(pair: TokenizerPair, tokenizer: Any) -> Finding:
    """Compare texts of many scripts, all bytes, and every added token alone and in text, both as token and as typed."""
    added = [token.content for token in tokenizer.added_tokens_decoder.values()]
    texts = [
        *TEXTS,
        *list_byte_texts(),
        *(text for token in added for text in (token, f"a{token}b {token} c\n{token}")),
    ]
    # For safety the converter makes these ordinary tokens control tokens: typed, they stay letters.
    unlike = {
        t.content for t in tokenizer.added_tokens_decoder.values() if not t.special and looks_like_control(t.content)
    }
    typed = [text for text in texts if not any(token in text for token in unlike)]
    differences = [pair.find_difference(text, control=True) for text in texts]
    differences += [pair.find_difference(text, control=False) for text in typed]
    first = next(filter(None, differences), "")
    figure = f"{len(texts)} texts and all bytes, {len(added)} added tokens, meant as tokens and typed as text"
    return Finding("tokens", len(differences), figure, first, notes=tuple(pair.notes))


def compare_pairs(native: "NativeModel", pair: TokenizerPair, inputs: Path) -> Finding:
    """Compare the tokens with the ids that llama.cpp's tests expect for a vocabulary.

    Args:
        native: the file, loaded by llama.cpp.
        pair: both tokenizers.
        inputs: ``NAME.inp``, texts between separators; ``NAME.out`` in the same folder has a line of ids per text.

    Raises:
        ConvertError: the two files cannot be read or do not belong together.
    """
    expected = _read_expected_ids(inputs)
    tokenized = ((text, native.tokenize(text, control=False), wanted) for text, wanted in expected)
    differences = (
        f"{text!r:.80}: {pair.describe_difference(found, wanted, 'pairs')}"
        for text, found, wanted in tokenized
        if found != wanted
    )
    return Finding("pairs", len(expected), f"{len(expected)} texts of {inputs.name}", next(differences, ""))


def _read_expected_ids(inputs: Path) -> list[tuple[str, list[int]]]:
    """Read the texts and their token ids."""
    outputs = inputs.with_suffix(".out")
    try:
        texts = inputs.read_bytes().decode().removesuffix(SEPARATOR).split(SEPARATOR)
        lines = outputs.read_text(encoding="ascii").splitlines()
        ids = [[int(number) for number in line.split()] for line in lines]
    except OSError as error:
        raise ConvertError(f"{error.filename} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ConvertError(f"{inputs} and {outputs.name} are not llama.cpp's texts and token ids.") from error
    if len(texts) != len(ids):
        raise ConvertError(f"{inputs.name} contains {len(texts)} texts, {outputs.name} {len(ids)} lines of tokens.")
    return list(zip(texts, ids, strict=True))
