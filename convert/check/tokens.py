"""Whether llama.cpp, with a GGUF file, cuts text into the tokens that Hugging Face cuts it into with the checkpoint."""

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gguf import TokenType

from convert.check.finding import Finding
from convert.check.tokenizer_texts import TEXTS, every_byte
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
    """The two tokenizers.

    Attributes:
        notes: what they do not do alike, and the file cannot help.
    """

    def __init__(self, native: "NativeModel", tokenizer: Any, kinds: Sequence[int]) -> None:
        """Put the two side by side.

        Args:
            native: the file, loaded.
            tokenizer: of transformers.
            kinds: of the file's tokens, as it says itself.
        """
        self._native, self._tokenizer = native, tokenizer
        self.notes: list[str] = []
        renamed = (i for i, kind in enumerate(kinds) if kind == TokenType.NORMAL and native.ends_answer(i))
        self._made_ends = {native.get_text(i): i for i in renamed}

    def difference(self, text: str, *, control: bool) -> str:
        """Where the two cut ``text`` differently; empty where they do not, or only because one composes it first.

        Args:
            text: any.
            control: whether control tokens in it become tokens, or stay the letters that somebody typed.
        """
        found = self._native.tokenize(text, control=control)
        wanted = self._wanted(text, control)
        if found == wanted:
            return ""
        composed = unicodedata.normalize("NFC", text)
        if composed != text and self._native.tokenize(composed, control=control) == wanted:
            return self._note(NOT_NORMALISED)
        if control and self._made_ends and found == self._wanted_with_ends(text):
            return self._note(MADE_ENDS.format(", ".join(map(repr, self._made_ends))))
        return f"{text!r:.80}{'' if control else ', typed'}: {self.told(found, wanted, 'checkpoint')}"

    def told(self, found: list[int], wanted: list[int], whose: str) -> str:
        """The first token that differs, with the text of both."""
        place = next(
            (i for i, (a, b) in enumerate(zip(found, wanted, strict=False)) if a != b), min(len(found), len(wanted))
        )
        ours, theirs = (self._token(tokens, place) for tokens in (found, wanted))
        return f"token {place} is {ours} in the file, {theirs} in the {whose}"

    def _wanted(self, text: str, control: bool) -> list[int]:
        # transformers keeps the last setting: it has to be given each time
        tokens: list[int] = self._tokenizer(text, add_special_tokens=False, split_special_tokens=not control)[
            "input_ids"
        ]
        return tokens

    def _wanted_with_ends(self, text: str) -> list[int]:
        """Hugging Face's tokens, had it known what llama.cpp makes of some names."""
        parts = re.split("|".join(f"({re.escape(end)})" for end in self._made_ends), text)
        tokens = ([self._made_ends[p]] if p in self._made_ends else self._wanted(p, True) for p in filter(None, parts))
        return [token for part in tokens for token in part]

    def _note(self, note: str) -> str:
        if note not in self.notes:
            self.notes.append(note)
        return ""

    def _token(self, tokens: list[int], place: int) -> str:
        if place >= len(tokens):
            return "none"
        token = tokens[place]
        text = self._tokenizer.decode([token]) if token < len(self._tokenizer) else "no token"
        return f"{token} ({text!r})"


def compare_tokens(pair: TokenizerPair, tokenizer: Any) -> Finding:
    """Compare texts of many scripts, all bytes, and every added token alone and within text, both typed and meant."""
    added = [token.content for token in tokenizer.added_tokens_decoder.values()]
    texts = [*TEXTS, *every_byte(), *(text for token in added for text in (token, f"a{token}b {token} c\n{token}"))]
    # Made control tokens for safety's sake where the tokenizer calls them ordinary: typed, they stay letters.
    unlike = {
        t.content for t in tokenizer.added_tokens_decoder.values() if not t.special and looks_like_control(t.content)
    }
    typed = [text for text in texts if not any(token in text for token in unlike)]
    differences = [pair.difference(text, control=True) for text in texts]
    differences += [pair.difference(text, control=False) for text in typed]
    first = next(filter(None, differences), "")
    figure = f"{len(texts)} texts and all bytes, {len(added)} added tokens, meant as tokens and typed as text"
    return Finding("tokens", len(differences), figure, first, notes=tuple(pair.notes))


def compare_pairs(native: "NativeModel", pair: TokenizerPair, inputs: Path) -> Finding:
    """Compare with the token ids that llama.cpp's tests expect of a vocabulary.

    Args:
        native: the file.
        pair: both tokenizers.
        inputs: ``NAME.inp``, texts between separators; ``NAME.out`` beside it holds a line of ids for each.

    Raises:
        ConvertError: the two files cannot be read or do not belong together.
    """
    expected = _read_pairs(inputs)
    cut = ((text, native.tokenize(text, control=False), wanted) for text, wanted in expected)
    told = (f"{text!r:.80}: {pair.told(found, wanted, 'pairs')}" for text, found, wanted in cut if found != wanted)
    return Finding("pairs", len(expected), f"{len(expected)} texts of {inputs.name}", next(told, ""))


def _read_pairs(inputs: Path) -> list[tuple[str, list[int]]]:
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
        raise ConvertError(f"{inputs.name} holds {len(texts)} texts, {outputs.name} {len(ids)} lines of tokens.")
    return list(zip(texts, ids, strict=True))
