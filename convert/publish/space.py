"""Collect the files of the app as a Gradio Space, together with the published model.

They come from the project's own folder: ``app.py``, its requirements and the package, without the part that only
training needs. The model and its classifier get the names that the app expects, so that a Space needs no settings.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from convert.files import ConvertError
from convert.publish.allow_list import CARD, DECODER, Upload
from convert.publish.figures import Figures
from convert.publish.model_card import HUB, NOTICE

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "copilot"
SINGLE_FILES = ("app.py", "requirements.txt", "LICENSE")
CODE = (".py", ".po", ".toml", ".j2", ".css", ".js", ".gguf", ".npz")
#: It needs torch, and data that are not uploaded.
EXCLUDED = PACKAGE / "training"
MODEL = "models/eeg-emotion-copilot.gguf"
TEXT = """\
# {title}

{notice}

A person's EEG and a few words about them go in; an emotion with its uncertainty and a draft for a person to check come
out. This Space runs `{file}` of [{repo}]({hub}{repo}) (sha256 `{sha256}`), where its figures and its limits are told.
Recordings of other people need their consent; do not upload any that names a person.
"""


def list_space_files(uploads: Sequence[Upload], figures: Figures, repo: str) -> tuple[Upload, ...]:
    """Return all files of the Space.

    Args:
        uploads: the files of the model's own repository.
        figures: the figures, which name the recommended one of several models.
        repo: the model's repository, ``USER/NAME``.

    Raises:
        ConvertError: the app's files are missing, or it is not clear which model the Space should run.
    """
    if not (ROOT / "app.py").is_file():
        raise ConvertError(f"The app is not in {ROOT}; publish a Space from the project's own folder.")
    model = _choose_model(uploads, figures)
    code = [path for path in sorted(PACKAGE.rglob("*")) if path.suffix in CODE and EXCLUDED not in path.parents]
    paths = [*(ROOT / name for name in SINGLE_FILES), *code]
    files = [Upload.of_file(path.relative_to(ROOT).as_posix(), path) for path in paths]
    decoder = next((upload for upload in uploads if upload.path == DECODER), None)
    decoder = decoder or Upload.of_file(DECODER, ROOT / "models" / DECODER)
    card = Upload.of_bytes(CARD, _write_card(model, repo).encode())
    return (card, *files, replace(model, path=MODEL), replace(decoder, path=f"models/{DECODER}"))


def _choose_model(uploads: Sequence[Upload], figures: Figures) -> Upload:
    """Return the recommended model, or the only one."""
    models = {upload.path: upload for upload in uploads if upload.path.endswith(".gguf")}
    if figures.recommended in models:
        return models[figures.recommended]
    if len(models) != 1:
        raise ConvertError(
            f"A Space runs one GGUF file, and there are {len(models)} here; leave one, or let `convert quantize` "
            "recommend one in quantization.json."
        )
    return next(iter(models.values()))


def _write_card(model: Upload, repo: str) -> str:
    """Return a card with the project's own front matter, the pinned version of Gradio, and a short text."""
    from huggingface_hub import SpaceCard  # not before a publication has set the client's settings, see ``hub``

    card = SpaceCard((ROOT / CARD).read_text(encoding="utf-8"))
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    pinned = re.search(r"^gradio==([\d.]+)", requirements, flags=re.MULTILINE)
    if not pinned:
        raise ConvertError("requirements.txt names no exact version of gradio, which a Space has to state.")
    card.data["sdk_version"] = pinned[1]
    card.data["models"] = [repo]
    card.text = TEXT.format(
        title=card.data["title"], notice=NOTICE, file=model.path, repo=repo, hub=HUB, sha256=model.sha256
    )
    return str(card)
