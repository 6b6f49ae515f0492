"""Compare the chat template and the stop tokens of a GGUF file with those of its checkpoint."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from convert.check.tokens import TokenizerPair
from convert.checkpoint import GENERATION, Checkpoint, stop_ids
from convert.eval_prompts import CONVERSATIONS, count_shared
from convert.files import ConvertError, read_json
from convert.gguf_file import GgufFile
from convert.report import Finding
from copilot import child_process
from copilot.child_process import ChildError
from copilot.llm.base import Message

if TYPE_CHECKING:
    from copilot.llm.llama_cpp import NativeModel

#: Characters shown before and after the first difference.
CONTEXT = 20
ANSWER = "An answer."
#: Limits for the file's template, which is untrusted code: it may never end, or take all memory.
LIMITS = child_process.Limits(memory_gb=4, timeout_s=60)


def compare_template(file: GgufFile, native: "NativeModel", pair: TokenizerPair, tokenizer: Any) -> Finding:
    """Render ten conversations with both templates, and tokenise them with both tokenizers.

    Args:
        file: header of the GGUF file.
        native: the file, loaded by llama.cpp.
        pair: both tokenizers.
        tokenizer: transformers' tokenizer of the checkpoint.

    Raises:
        ConvertError: the file's template takes too long or too much memory.
    """
    template = file.metadata.get("tokenizer.chat_template")
    prompts: list[str | None] = [None] * len(CONVERSATIONS)
    if isinstance(template, str):
        try:
            prompts = child_process.run_limited(LIMITS, render, template, native.boundary_texts)
        except ChildError as error:
            limits = f"{LIMITS.timeout_s:.0f} seconds or {LIMITS.memory_gb:.0f} GiB of memory"
            raise ConvertError(
                f"The chat template of {file.path} needs more than {limits}: a program that runs it may hang."
            ) from error
    first, rendered, known = "", 0, list(pair.notes)
    for i, (conversation, found) in enumerate(zip(CONVERSATIONS, prompts, strict=True), 1):
        wanted = _render_by_checkpoint(tokenizer, conversation)
        rendered += wanted is not None
        if not first:
            first = _describe_difference(found, wanted) or (
                pair.find_difference(wanted, control=True) if wanted else ""
            )
            first = f"conversation {i}: {first}" if first else ""
    figure = f"{rendered} of {len(CONVERSATIONS)} conversations rendered, and their tokens"
    return Finding("template", rendered, figure, first, notes=tuple(note for note in pair.notes if note not in known))


def compare_stops(file: GgufFile, native: "NativeModel", checkpoint: Checkpoint, tokenizer: Any) -> Finding:
    """Compare the tokens that begin, pad and end a text, and check that llama.cpp stops at every end.

    Args:
        file: header of the GGUF file.
        native: the file, loaded by llama.cpp.
        checkpoint: the checkpoint, whose configuration names ends.
        tokenizer: its tokenizer.
    """
    path = checkpoint.folder / GENERATION
    ends = dict.fromkeys(
        sorted(stop_ids(checkpoint.config, read_json(path) if path.exists() else {})), "the configuration"
    )
    # The end of a turn is the first added token after an answer in a finished conversation.
    question: Message = {"role": "user", "content": "A question?"}
    text = _render_by_checkpoint(tokenizer, [question, {"role": "assistant", "content": ANSWER}], asked=False)
    tail = text.rpartition(ANSWER)[2] if text is not None and ANSWER in text else ""
    tokens = tokenizer(tail, add_special_tokens=False, split_special_tokens=False)["input_ids"]
    turn_end = next((token for token in tokens if token in tokenizer.added_tokens_decoder), None)
    notes: tuple[str, ...] = ()
    if turn_end is None:
        notes = ("The template ends an answer with plain text; a program has to be told to stop at it.",)
    else:
        ends[turn_end] = "the template"
    if tokenizer.eos_token_id is not None:
        ends[tokenizer.eos_token_id] = "the tokenizer"
    faults = [*_compare_boundaries(file, native, tokenizer)]
    faults += [
        f"llama.cpp does not stop at token {end} ({tokenizer.decode([end])!r}), which ends answers by {by}"
        for end, by in ends.items()
        if not (end < checkpoint.shape.vocabulary and native.ends_text(end))
    ]
    texts = ", ".join(repr(tokenizer.decode([end])) for end in ends)
    return Finding("stops", len(ends), f"stops at {texts}", faults[0] if faults else "", notes=notes)


def render(template: str, boundaries: Mapping[str, str]) -> list[str | None]:
    """Render the ten conversations; only for a child process, because the template could crash it.

    Args:
        template: Jinja template.
        boundaries: texts of the special tokens that it uses.

    Returns:
        The prompts, None for those that the template refuses.
    """
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    prompts: list[str | None] = []
    for conversation in CONVERSATIONS:
        try:
            prompts.append(str(Jinja2ChatFormatter(template, **boundaries)(messages=list(conversation)).prompt))
        except MemoryError:
            raise
        except Exception:  # a template can raise any exception
            prompts.append(None)
    return prompts


def _render_by_checkpoint(tokenizer: Any, conversation: Sequence[Message], asked: bool = True) -> str | None:
    try:
        return str(tokenizer.apply_chat_template(list(conversation), tokenize=False, add_generation_prompt=asked))
    except Exception:  # as above
        return None


def _describe_difference(found: str | None, wanted: str | None) -> str:
    """Describe the first difference of two prompts; empty where they are the same."""
    if found == wanted:
        return ""
    if found is None or wanted is None:
        return f"the {'file' if found is None else 'checkpoint'}'s template refuses it, the other's does not"
    place = count_shared(found, wanted)
    around = slice(max(0, place - CONTEXT), place + CONTEXT)
    return f"character {place} differs: {found[around]!r} in the file, {wanted[around]!r} in the checkpoint"


def _compare_boundaries(file: GgufFile, native: "NativeModel", tokenizer: Any) -> Iterator[str]:
    """Yield the differences of the tokens that begin, end and pad a text."""

    def show(token: int | None) -> str:
        if token is None:
            return "none"
        return f"{token} ({tokenizer.decode([token])!r})" if 0 <= token < len(tokenizer) else str(token)

    named = {"eos": tokenizer.eos_token_id, "bos": tokenizer.bos_token_id, "padding": tokenizer.pad_token_id}
    for name, wanted in named.items():
        found = file.metadata.get(f"tokenizer.ggml.{name}_token_id")
        if wanted is not None and found != wanted:
            yield f"the {name} token is {show(found)} in the file, {show(wanted)} in the checkpoint"
    plain, usual = (tokenizer("a", add_special_tokens=special)["input_ids"] for special in (False, True))
    before = usual[0] if usual != plain and usual[0] == tokenizer.bos_token_id else None
    if native.first_token != before:
        yield f"a text begins with {show(native.first_token)} in the file, with {show(before)} in the checkpoint"
