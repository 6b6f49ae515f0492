"""Write Ollama's Modelfile so that Ollama reads back every text unchanged, also a text from an untrusted source.

The format: https://docs.ollama.com/modelfile. Ollama's parser differs from that description in a few points:
https://github.com/ollama/ollama/blob/main/parser/parser.go.
"""

import re
from collections.abc import Mapping, Sequence

from convert.files import ConvertError


def format_modelfile(
    *,
    model: str,
    adapter: str,
    template: str,
    system: str,
    parameters: Mapping[str, int | float],
    stops: Sequence[str],
    license: str,
    about_context: str,
) -> str:
    """Return the text of a Modelfile.

    Args:
        model: path of the GGUF file, relative to the folder of the Modelfile.
        adapter: path of a GGUF LoRA, relative to the same folder; empty for none.
        template: the chat template in Go.
        system: the system message; empty for none.
        parameters: all parameters but the stops.
        stops: texts that end an answer.
        license: text of the licence; empty for none.
        about_context: a comment; it is not quoted, so no part of it may come from a model file.

    Raises:
        ConvertError: one of the texts cannot be written.
    """
    lines = [
        f"FROM {quote_value(model, 'name of the model')}",
        *([f"ADAPTER {quote_value(adapter, 'name of the adapter')}"] if adapter else []),
        f"TEMPLATE {quote_value(template, 'chat template')}",
        *([f"SYSTEM {quote_value(system, 'system message')}"] if system else []),
        f"# {about_context}",
        *(f"PARAMETER {name} {value}" for name, value in parameters.items()),
        *(f"PARAMETER stop {quote_value(stop, 'end of text')}" for stop in stops),
        *([f"LICENSE {quote_value(license, 'licence')}"] if license else []),
    ]
    return "\n".join(lines) + "\n"


def quote_value(text: str, what: str) -> str:
    """Return a text as the value of an instruction.

    Ollama ends a value only at the end of a line, so three quotes are harmful only there. It drops all characters that
    are neither printable nor blanks or line ends.

    Args:
        text: the text.
        what: what it is, for the error message.

    Raises:
        ConvertError: Ollama would read another text.
    """
    dropped = next((c for c in text if not c.isprintable() and c not in "\t\r\n"), None)
    if dropped is not None:
        raise ConvertError(
            f"The {what} contains the character U+{ord(dropped):04X}, which Ollama drops from a Modelfile."
        )
    if re.search(r'"""[ \t]*[\r\n]', text):
        raise ConvertError(f"The {what} has three quotes at the end of a line, where Ollama would take it to end.")
    return f'"{text}"' if re.fullmatch(r'[^\s"]+', text) else f'"""{text}"""'
