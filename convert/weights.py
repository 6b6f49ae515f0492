"""Rewrite a checkpoint's weights file by file, and read them back to check them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from convert.checkpoint import Checkpoint
from convert.files import ConvertError
from convert.progress import track_progress
from copilot.files import hash_file

INDEX = "model.safetensors.index.json"


def rewrite_weights(checkpoint: Checkpoint, folder: Path, change: Callable[[str, Any], Any]) -> dict[str, str]:
    """Change every tensor of a checkpoint and write it to a file of the same name in another folder.

    A head that is only a copy of the embedding it is tied to is left out, so that the two stay tied.

    Args:
        checkpoint: the source; the tensors of one file are in memory at a time.
        folder: an existing folder.
        change: takes a tensor's name and the stored tensor (torch), and returns the tensor to write.

    Returns:
        Name of a file -> its SHA-256.

    Raises:
        ConvertError: a file cannot be written, or is read back with other bits.
    """
    import torch
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import save_file

    names: dict[Path, list[str]] = {}
    for name in checkpoint.shape.tensors():
        names.setdefault(checkpoint.stored[name].data_range.filename, []).append(name)
    sizes: dict[str, int] = {}
    for source, names_in_file in track_progress(names.items(), "Writing weights", len(names)):
        out = folder / source.name
        with safe_open(source, framework="pt") as stored:
            tensors = {name: change(name, stored.get_tensor(name)).contiguous() for name in names_in_file}
        out.touch()
        mode = out.stat().st_mode  # save_file would make the file readable by its owner alone
        try:
            save_file(tensors, out, metadata={"format": "pt"})
        except SafetensorError as error:
            raise ConvertError(f"{out.name} could not be written: {error}.") from error
        out.chmod(mode)
        with safe_open(out, framework="pt") as written:
            for name, tensor in tensors.items():
                found = written.get_tensor(name)
                same = found.dtype == tensor.dtype and found.shape == tensor.shape
                # Compared as bytes, NaN equals itself.
                if not (same and torch.equal(found.view(torch.uint8), tensor.view(torch.uint8))):
                    raise ConvertError(
                        f"{name} came back from the disk with other bits than were written; check the disk."
                    )
        sizes[source.name] = sum(tensor.nbytes for tensor in tensors.values())
    if len(names) > 1:
        weight_map = {name: source.name for source, names_in_file in names.items() for name in names_in_file}
        index = {"metadata": {"total_size": sum(sizes.values())}, "weight_map": weight_map}
        (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    return {name: hash_file(folder / name) for name in sizes}
