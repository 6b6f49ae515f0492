"""Which tokens a model needs: those of a corpus, of the words around every message, of letters and digits."""

import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, TemplateSyntaxError
from tokenizers import Tokenizer

from convert.files import ConvertError
from convert.progress import track_progress
from convert.trim.corpus import read_texts

#: Chat templates write them, though not all name them.
ROLES = ("system", "user", "assistant", "tool")
#: EEG is written in letters, one token each, with a space before it or without.
LETTERS = tuple(space + letter for letter in string.ascii_lowercase + string.digits for space in ("", " "))
FIRST = 1024


@dataclass(frozen=True)
class CorpusTokens:
    """A corpus as tokens.

    Attributes:
        texts: how many.
        tokens: of all texts together.
        once: each of them once.
        first: the first ``FIRST`` of them, in order.
    """

    texts: int
    tokens: int
    distinct: set[int]
    first: list[int]

    @classmethod
    def of(cls, tokenizer: Tokenizer, corpus: Sequence[Path]) -> "CorpusTokens":
        """Read all files.

        Raises:
            ConvertError: a file cannot be read, or there is no text in any of them.
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
    """Tokens of all text that stands in a chat template, and of roles, letters and digits.

    Raises:
        ConvertError: the template is no Jinja.
    """
    texts = [*LETTERS, *ROLES]
    try:
        # As transformers sets it; read word by word, because templates use tags that plain Jinja does not know.
        for word in Environment(trim_blocks=True, lstrip_blocks=True).lexer.tokenize(template or ""):
            if word.type in ("data", "string"):
                texts.append(str(word.value))
    except TemplateSyntaxError as error:
        raise ConvertError(f"The chat template is damaged: {error.message}.") from error
    return {token for text in texts for token in encode_text(tokenizer, text)}


def encode_text(tokenizer: Tokenizer, text: str) -> list[int]:
    """The tokens of a text, and none around it."""
    tokens: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    return tokens
