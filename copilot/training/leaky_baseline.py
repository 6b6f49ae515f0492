"""Train a model that repeats the paper's mistake: its prompts contain the label's class and no EEG.

``python -m copilot.training.leaky_baseline --work build/model --out build/model/leaky.gguf``

The example in arXiv 2410.00166 fills "seems ..." with the class of the label. An adapter on the bundled model's base
learns from such prompts in a minute; ``evaluate --leaky`` measures what that gives without any EEG. The file is a
warning and not for use.
"""

import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from convert.gguf import to_gguf
from convert.merge import merge
from copilot import emotions, prompt
from copilot.command_line import Parser, command
from copilot.llm.base import Message
from copilot.training.evaluate.ablations import reveal_label
from copilot.training.faced import CorpusError
from copilot.training.finetune import base_model, collate, trainer
from copilot.training.finetune.schedule import Schedule
from copilot.training.synthetic import invent_person

SCHEDULE = Schedule(steps=300, rate=2e-3, warmup=10, weight_decay=0.0, seed=6)
TOKENS = 4096
#: FACED's clips: three of each emotion, four neutral ones.
CLIPS = [k for k in range(len(emotions.EMOTIONS)) for _ in range(4 if emotions.EMOTIONS[k] == "neutral" else 3)]


def make_leaky_model(work: Path, out: Path) -> None:
    """Train the adapter on the base in ``work`` and write both, merged, as a model file.

    Raises:
        CorpusError, ConvertError, FileError: there is no base in ``work``, or ``out`` cannot be written.
    """
    if not (work / "talk").is_dir():
        raise CorpusError(f"{work} has no base of the bundled model; `make model` writes it there.")
    model, tokenizer = base_model.load(str(work / "talk"))
    adapted = trainer.add_adapter(model, dropout=0.0, seed=SCHEDULE.seed)
    batches = collate.generate_batches(draw_leaky_examples(SCHEDULE.seed), tokenizer, TOKENS)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        trainer.train(adapted, batches, SCHEDULE, collate.find_label_tokens(tokenizer), folder / "state", "leak")
        adapted.save_pretrained(folder / "adapter")
        merge(work / "talk", folder / "adapter", folder / "merged")
        to_gguf(folder / "merged", out, name="Leaky prompt, a warning")


def draw_leaky_examples(seed: int) -> Iterator[tuple[list[Message], emotions.Probabilities]]:
    """Yield conversations without EEG whose appearance names the class, and the label slot's truth, shape (9,)."""
    rng = random.Random(seed)
    while True:
        emotion = rng.choice(CLIPS)
        messages = prompt.build_messages(
            reveal_label(invent_person(rng), emotion), "", codec="patterns", compared_with="person"
        )
        answer: Message = {"role": "assistant", "content": f"{prompt.LABEL_PREFIX} {emotions.EMOTIONS[emotion]}"}
        yield [*messages, answer], np.eye(len(emotions.EMOTIONS))[emotion]


@command("Interrupted; nothing was written.")
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = Parser(prog="python -m copilot.training.leaky_baseline", description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=Path, default=Path("build/model"), help="where make_model left its stages")
    parser.add_argument("--out", type=Path, required=True, help="GGUF file to write")
    options = parser.parse_args(arguments)
    make_leaky_model(options.work, options.out)


if __name__ == "__main__":
    sys.exit(main())
