"""Read the texts in a GGUF header that running the model requires: chat template, ends of an answer, licence."""

from gguf import TokenType

from convert.files import ConvertError
from convert.gguf_file import GgufFile
from copilot.llm.base import METADATA_PREFIX

#: Control tokens that end an answer even if the file does not say so: where it names the end of a turn as the end of
#: the text, the model may still write the end of the text itself.
ENDS = frozenset(
    ("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<end_of_turn>", "<|end|>", "</s>")
)


def read_chat_template(file: GgufFile) -> str:
    """Return the chat template, in Jinja.

    Raises:
        ConvertError: the file has none.
    """
    jinja = file.metadata.get("tokenizer.chat_template")
    if not isinstance(jinja, str) or not jinja:
        raise ConvertError(f"{file.path} has no chat template; convert its checkpoint again, with one.")
    return jinja


def read_stops(file: GgufFile) -> tuple[str, ...]:
    """Return the texts of the control tokens that end a text, a turn or a message.

    Raises:
        ConvertError: the file has none.
    """
    tokens, kinds = (file.metadata.get(f"tokenizer.ggml.{name}", []) for name in ("tokens", "token_type"))
    ends = [text for text, kind in zip(tokens, kinds, strict=False) if kind == TokenType.CONTROL and text in ENDS]
    named = [read_special_token(file, name) for name in ("eos", "eot", "eom")]
    found = tuple(dict.fromkeys(text for text in [*named, *ends] if text))
    if not found:
        raise ConvertError(f"{file.path} names no token that ends an answer; convert its checkpoint again.")
    return found


def read_special_token(file: GgufFile, name: str) -> str:
    """Return the text of a special token by its name in the header (``bos``, ``eos``); empty where there is none.

    Raises:
        ConvertError: the file names a token that it does not have.
    """
    token, tokens = file.metadata.get(f"tokenizer.ggml.{name}_token_id"), file.metadata.get("tokenizer.ggml.tokens")
    if token is None:
        return ""
    if not isinstance(tokens, list) or not isinstance(token, int) or not 0 <= token < len(tokens):
        raise ConvertError(f"{file.path} is damaged: there is no token {token!r}, which it gives as {name}.")
    return str(tokens[token])


def read_license(file: GgufFile) -> str:
    """Return the licence's name, the training data, and the text of a ``LICENSE`` in the same folder, if any.

    Raises:
        ConvertError: ``LICENSE`` cannot be read.
    """
    name = str(file.metadata.get("general.license", ""))
    data = str(file.metadata.get(METADATA_PREFIX + "training_data", ""))
    path = file.path.with_name("LICENSE")
    try:
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    except OSError as error:
        raise ConvertError(f"{path} cannot be read: {error.strerror}.") from error
    parts = "\n\n".join(part for part in (name, data and f"Trained on {data}.", text) if part)
    return "".join(c for c in parts if c.isprintable() or c in "\t\n")  # the GPL has page breaks
