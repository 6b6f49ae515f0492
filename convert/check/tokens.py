"""Compare the tokens of llama.cpp and a GGUF file with those of Hugging Face and the checkpoint.

The texts contain scripts, blanks, numbers, code, and every byte a text can have.
"""

import re
import sys
import unicodedata
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gguf import TokenType

from convert.eval_prompts import count_shared
from convert.files import ConvertError
from convert.gguf.vocabulary import looks_like_control
from convert.report import Finding

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

TEXTS = (
    "",
    " ",
    "  two blanks before,   three within, two after  ",
    "tab\tand\ttabs\t\t, line\nand\n\nlines\n\n\n, return\r\nand\r\r\n",
    "\n",
    " \n \n  \t\n",
    "no-break\u00a0space, thin\u2009space, ideographic\u3000space, zero\u200bwidth, joiner\u200d, mark\ufeff",
    "It's what I'd do, isn't it? WE'LL see; they'Ve 'tis rock'n'roll",
    "0 1 12 123 1234 12345 3.14159 -1e-10 1,000,000 \u0661\u0662\u0663 \u2168 \u00bd \u00b2",
    "CamelCase snake_case kebab-case SHOUTING a.b.c@d.org https://example.org/a?b=c#d",
    "for (int i = 0; i < n; ++i) {\n\t\tx[i] = y[i] ** 2;  // done\n}\n",
    "!!! ??? ... --- ((( ))) \u2014 \u2026 \u201cquoted\u201d \u2018so\u2019 \u20ac\u00a3\u00a5 \u00a9\u00ae\u2122",
    "\u00dcberraschung, na\u00efve caf\u00e9, se\u00f1or, \u0141\u00f3d\u017a, \u0130stanbul, stra\u00dfe, \ufb01n",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043a\u0430\u043a \u0434\u0435\u043b\u0430?",
    "\u0393\u03b5\u03b9\u03ac \u03c3\u03bf\u03c5 \u039a\u03cc\u03c3\u03bc\u03b5",
    "\u4f60\u597d\uff0c\u4e16\u754c\u3002 \u60c5\u7eea\uff1a\u559c\u60a6",
    "\u3053\u3093\u306b\u3061\u306f\u4e16\u754c \u30ab\u30bf\u30ab\u30ca",
    "\uc548\ub155\ud558\uc138\uc694 \uc138\uacc4",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645",
    "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd",
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e",
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e0a\u0e32\u0e27\u0e42\u0e25\u0e01",
    "\u10d2\u10d0\u10db\u10d0\u10e0\u10ef\u10dd\u10d1\u10d0 \u0531\u0580\u0587 \u12a0\u121b\u122d\u129b",
    "\U0001f642 \U0001f44d\U0001f3fd \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1eb\U0001f1f7 \u2764\ufe0f",
    "\U0001d53c \U00020000 \U00010348",
    "decomposed: e\u0301 u\u0308 \u1112\u1161\u11ab \u212b",
    "a b c d e f g h i j k l m n o p q r s t u v w x y z",
    "EEG: alpha 8-13 Hz, 4.2 \u00b5V\u00b2; F3 F4 O1 O2",
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
        if (
            control and self._made_ends
        ):  # Hugging Face's tokens, with llama.cpp's additional ends of text as single ones
            parts = filter(None, re.split("|".join(f"({re.escape(end)})" for end in self._made_ends), text))
            pieces = (
                [self._made_ends[part]] if part in self._made_ends else self._tokenize_by_checkpoint(part, True)
                for part in parts
            )
            if found == list(chain.from_iterable(pieces)):
                return self._add_note(MADE_ENDS.format(", ".join(map(repr, self._made_ends))))
        return f"{text!r:.80}{'' if control else ', typed'}: {self.describe_difference(found, wanted, 'checkpoint')}"

    def describe_difference(self, found: list[int], wanted: list[int], whose: str) -> str:
        """Describe the first token that differs, with both texts.

        Args:
            found: the file's token ids.
            wanted: the token ids to compare with.
            whose: their source, for the description.
        """

        def show(tokens: list[int]) -> str:
            if place >= len(tokens):
                return "none"
            text = self._tokenizer.decode([tokens[place]]) if tokens[place] < len(self._tokenizer) else "no token"
            return f"{tokens[place]} ({text!r})"

        place = count_shared(found, wanted)
        return f"token {place} is {show(found)} in the file, {show(wanted)} in the {whose}"

    def _tokenize_by_checkpoint(self, text: str, control: bool) -> list[int]:
        """Return Hugging Face's tokens."""
        # transformers keeps the last setting, so it must be passed each time
        tokens: list[int] = self._tokenizer(text, add_special_tokens=False, split_special_tokens=not control)[
            "input_ids"
        ]
        return tokens

    def _add_note(self, note: str) -> str:
        """Add a note once, and return that there is no difference."""
        if note not in self.notes:
            self.notes.append(note)
        return ""


def compare_tokens(pair: TokenizerPair, tokenizer: Any) -> Finding:
    """Compare texts of many scripts, all bytes, and every added token alone and in text, both as token and as typed."""
    added = [token.content for token in tokenizer.added_tokens_decoder.values()]
    texts = [
        *TEXTS,
        *_list_byte_texts(),
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


def _list_byte_texts() -> list[str]:
    """Return texts that together contain each of the 243 bytes of UTF-8; ASCII characters also as single texts."""
    ascii_alone = [chr(code) for code in range(0x80)]
    two_bytes = "".join(map(chr, range(0xA0, 0x800, 0x33)))
    leads = [*range(0x80, 0x800, 0x40), *range(0x800, 0xD800, 0x400), *range(0x10000, sys.maxunicode, 0x8001)]
    return [*ascii_alone, "".join(ascii_alone), two_bytes, *map(chr, leads), "".join(map(chr, range(0x80, 0x100)))]


def compare_pairs(native: "NativeModel", pair: TokenizerPair, inputs: Path) -> Finding:
    """Compare the tokens with the ids that llama.cpp's tests expect for a vocabulary.

    Args:
        native: the file, loaded by llama.cpp.
        pair: both tokenizers.
        inputs: ``NAME.inp``, texts between separators; ``NAME.out`` in the same folder has a line of ids per text.

    Raises:
        ConvertError: the two files cannot be read or do not belong together.
    """
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
    tokenized = ((text, native.tokenize(text, control=False), wanted) for text, wanted in zip(texts, ids, strict=True))
    differences = (
        f"{text!r:.80}: {pair.describe_difference(found, wanted, 'pairs')}"
        for text, found, wanted in tokenized
        if found != wanted
    )
    return Finding("pairs", len(texts), f"{len(texts)} texts of {inputs.name}", next(differences, ""))
