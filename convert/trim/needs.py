"""Find the tokens a model needs: those of a corpus, of its chat template, of letters and digits."""

import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, TemplateSyntaxError
from tokenizers import Tokenizer

from convert.files import ConvertError
from convert.progress import track_progress
from convert.trim.corpus import read_texts

#: Chat templates write these words, though not all templates contain them.
ROLES = ("system", "user", "assistant", "tool")
#: The text encoding writes EEG in letters, one token per letter, with a space before it or without.
LETTERS = tuple(space + letter for letter in string.ascii_lowercase + string.digits for space in ("", " "))
#: Tokens of the corpus that the speed is measured on.
FIRST = 1024


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
