"""Write the files that Ollama needs besides a GGUF file, for a local model and for one on the Hugging Face Hub.

``python -m convert ollama F.gguf --out DIR [--adapter LORA.gguf]``

It writes a ``Modelfile`` for ``ollama create NAME -f DIR/Modelfile``, and the files ``template``, ``system`` and
``params`` that ``ollama run hf.co/USER/REPO`` reads in a repository (https://huggingface.co/docs/hub/ollama). Their
content comes from the GGUF file itself.
"""

import argparse
import json
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gguf import TokenType

from convert import eval_prompts
from convert.eval_prompts import CONVERSATIONS
from convert.files import ConvertError
from convert.gguf_file import GgufFile, read_gguf
from convert.ollama.go_template import learn_template
from convert.report import VerbResult
from copilot import child_process
from copilot.files import write_atomically
from copilot.llm.base import METADATA_PREFIX

#: The default context of the app's own engine, in tokens; the engine refuses prompts that do not fit. Ollama's own
#: default depends on the machine (https://docs.ollama.com/context-length), and Ollama silently cuts what does not fit.
CONTEXT = 4096
#: Limit on the tokens of an answer, as in the app's engine.
ANSWER = 400
#: As in the app's engine: greedy, and at a higher temperature only the 50 best tokens. Ollama's defaults differ: its
#: penalty on repetition changes even greedy answers.
SAMPLING = {"temperature": 0.0, "top_k": 50, "top_p": 1.0, "repeat_penalty": 1.0}
#: Control tokens that end an answer even if the file does not say so: where it names the end of a turn as the end of
#: the text, the model may still write the end of the text itself.
ENDS = frozenset(
    ("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<end_of_turn>", "<|end|>", "</s>")
)
#: Time limit, because a template may never end.
LIMITS = child_process.Limits(timeout_s=300)


@dataclass(frozen=True)
class OllamaFiles(VerbResult):
    """The files that were written, and what they are based on.

    Attributes:
        folder: the folder they are in.
        files: their names.
        model: path of the GGUF file, relative to the folder.
        adapter: path of the LoRA, relative to the folder; empty for none.
        stops: texts that end an answer.
        trained_context: context that the model was trained for, in tokens.
        for_eeg: whether the file states that the model was trained for the app's prompts.
        conversations: count of the test conversations on which the template was verified; the model's own template
            refuses the others.
        takes_system: whether a chat may begin with a system message.
        prompts: count of the prompts that were measured.
        longest_prompt: count of the tokens of the longest of them.
    """

    folder: str
    files: tuple[str, ...]
    model: str
    adapter: str
    stops: tuple[str, ...]
    trained_context: int
    for_eeg: bool
    conversations: int
    takes_system: bool
    prompts: int
    longest_prompt: int

    @property
    def needed(self) -> int:
        """The count of the tokens of the longest prompt and an answer."""
        return self.longest_prompt + ANSWER

    @property
    def num_ctx(self) -> int:
        """The context that the Modelfile sets, in tokens."""
        return min(self.trained_context, max(CONTEXT, self.needed))

    @property
    def passed(self) -> bool:
        """Whether the longest prompt fits the context; True also for a model not trained for these prompts."""
        return self.needed <= self.num_ctx or not self.for_eeg

    @property
    def about_context(self) -> str:
        """A sentence that explains ``num_ctx``."""
        return (
            f"The longest of {self.prompts} prompts takes {self.longest_prompt} tokens, an answer at "
            f"most {ANSWER}; the model was trained for {self.trained_context}."
        )

    def lines(self) -> list[str]:
        """Return the result as lines of text for people."""
        refused = len(CONVERSATIONS) - self.conversations
        return [
            f"written    {', '.join(self.files)} in {self.folder}",
            f"model      {self.model}{f', with adapter {self.adapter}' if self.adapter else ''}",
            f"template   writes the same as the file's own on {self.conversations} conversations"
            + (f" ({refused} others it refuses)" if refused else ""),
            f"stops      {'  '.join(self.stops)}",
            f"num_ctx    {self.num_ctx}. {self.about_context}",
            *([] if self.needed <= self.num_ctx else ["           THAT DOES NOT FIT: Ollama will cut such prompts."]),
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain values, ready for JSON."""
        return {**asdict(self), "answer": ANSWER, "num_ctx": self.num_ctx, "passed": self.passed}


def ollama(model: Path, out: Path, *, adapter: Path | None = None) -> OllamaFiles:
    """Write ``Modelfile``, ``template``, ``system`` and ``params`` for a GGUF file to a folder.

    Files of these names are replaced; ``system`` is removed where the model has no system message.

    Args:
        model: the GGUF file.
        out: a new or existing folder; the Modelfile names the GGUF file by its path relative to it.
        adapter: a GGUF LoRA to apply to the model, in the Modelfile only: the Hub's files cannot name one.

    Raises:
        ConvertError: the file is damaged, its chat template cannot be written in Go, or one of its texts cannot be
            written into a Modelfile.
    """
    file = read_gguf(model)
    if adapter:
        metadata = read_gguf(adapter).metadata
        if metadata.get("general.type") != "adapter":
            raise ConvertError(f"{adapter} is no GGUF LoRA; make one with: python -m convert gguf --adapter.")
        theirs, ours = (m.get("general.architecture") for m in (metadata, file.metadata))
        if theirs != ours:
            raise ConvertError(f"{adapter} is for the architecture {theirs}, and {model} is {ours}.")
    system = str(file.metadata.get(METADATA_PREFIX + "system", ""))
    boundaries = _read_special_token(file, "bos"), _read_special_token(file, "eos")
    jinja = file.metadata.get("tokenizer.chat_template")
    if not isinstance(jinja, str) or not jinja:
        raise ConvertError(f"{model} has no chat template; convert its checkpoint again, with one.")
    template, learned = child_process.run_limited(LIMITS, inspect_model, model, jinja, *boundaries)
    if system and not learned["takes_system"]:
        raise ConvertError(f"{model} carries a system message, and its chat template takes none.")
    report = OllamaFiles(
        folder=str(out),
        files=("Modelfile", "template", *(["system"] if system else []), "params"),
        model=_relative_path(out, model),
        adapter=_relative_path(out, adapter) if adapter else "",
        stops=_read_stops(file),
        trained_context=file.trained_context or CONTEXT,
        for_eeg=METADATA_PREFIX + "codec" in file.metadata,
        **learned,
    )
    parameters = {"num_ctx": report.num_ctx, "num_predict": ANSWER, **SAMPLING}
    texts = {
        "Modelfile": format_modelfile(
            model=report.model,
            adapter=report.adapter,
            template=template,
            system=system,
            parameters=parameters,
            stops=report.stops,
            license=_read_license(file),
            about_context=report.about_context,
        ),
        "template": template,
        "system": system,
        "params": json.dumps(parameters | {"stop": report.stops}, indent=2, ensure_ascii=False) + "\n",
    }
    with ExitStack() as stack:  # only when all are on the disk do they get their names, one after the other
        for name in report.files:
            stack.enter_context(write_atomically(out / name)).write_text(texts[name], encoding="utf-8", newline="")
    if not system:
        (out / "system").unlink(missing_ok=True)
    return report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("model", type=Path, metavar="F.gguf", help="the model")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the files")
    parser.add_argument("--adapter", type=Path, metavar="LORA.gguf", help="a LoRA for the Modelfile to apply")
    parser.set_defaults(run=ollama)


def inspect_model(model: Path, jinja: str, bos: str, eos: str) -> tuple[str, dict[str, Any]]:
    """Learn the template and measure the longest prompt; only for a child process, because both could crash it.

    Args:
        model: the GGUF file.
        jinja: its chat template.
        bos: text of the token that begins a text; empty for none.
        eos: text of the token that ends a text; empty for none.

    Returns:
        The chat template in Go, and the last four fields of ``OllamaFiles``.

    Raises:
        ConvertError: the template cannot be written in Go, or llama.cpp cannot load the model.
    """
    from copilot.llm.llama_cpp import BATCH, NativeModel

    turns, conversations = learn_template(jinja, bos, eos, CONVERSATIONS)
    try:
        native = NativeModel(model, threads=1, context=BATCH)
    except (ValueError, MemoryError) as error:
        raise ConvertError(f"{error}.") from error
    prompts = [
        turns.render(json.loads(line)["messages"])
        for line in eval_prompts.FILE.read_text(encoding="utf-8").splitlines()
    ]
    lengths = [len(native.tokenize(prompt, control=True)) for prompt in prompts if prompt is not None]
    begun = native.first_token is not None  # Ollama's runner adds it, so the template must not
    facts = {
        "conversations": conversations,
        "takes_system": ("start", "system") in turns.pieces,
        "prompts": len(lengths),
        "longest_prompt": max(lengths, default=0),
    }
    return (turns.remove_beginning(bos) if begun else turns).to_go(), facts


def _relative_path(out: Path, file: Path) -> str:
    """Return the path of a file relative to ``out``, as a Modelfile requires it."""
    path = Path(os.path.relpath(file, out)).as_posix()
    return path if path.startswith("../") else f"./{path}"


def _read_stops(file: GgufFile) -> tuple[str, ...]:
    """Return the texts of the control tokens that end a text, a turn or a message.

    Raises:
        ConvertError: the file has none.
    """
    tokens, kinds = (file.metadata.get(f"tokenizer.ggml.{name}", []) for name in ("tokens", "token_type"))
    ends = [text for text, kind in zip(tokens, kinds, strict=False) if kind == TokenType.CONTROL and text in ENDS]
    named = [_read_special_token(file, name) for name in ("eos", "eot", "eom")]
    found = tuple(dict.fromkeys(text for text in [*named, *ends] if text))
    if not found:
        raise ConvertError(f"{file.path} names no token that ends an answer; convert its checkpoint again.")
    return found


def _read_special_token(file: GgufFile, name: str) -> str:
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


def _read_license(file: GgufFile) -> str:
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
    """Return the text of a Modelfile; Ollama reads back every text unchanged, also one from an untrusted source.

    The format: https://docs.ollama.com/modelfile. Ollama's parser differs from that description in a few points:
    https://github.com/ollama/ollama/blob/main/parser/parser.go.

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
        f"FROM {_quote_value(model, 'name of the model')}",
        *([f"ADAPTER {_quote_value(adapter, 'name of the adapter')}"] if adapter else []),
        f"TEMPLATE {_quote_value(template, 'chat template')}",
        *([f"SYSTEM {_quote_value(system, 'system message')}"] if system else []),
        f"# {about_context}",
        *(f"PARAMETER {name} {value}" for name, value in parameters.items()),
        *(f"PARAMETER stop {_quote_value(stop, 'end of text')}" for stop in stops),
        *([f"LICENSE {_quote_value(license, 'licence')}"] if license else []),
    ]
    return "\n".join(lines) + "\n"


def _quote_value(text: str, what: str) -> str:
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
