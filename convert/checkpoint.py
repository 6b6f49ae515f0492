"""Read the tensors of a Hugging Face checkpoint folder, a few rows at a time.

They are read without torch and without loading a model, so that the numbers are exactly those of the file, and only
those that were asked for are in memory. ``load_model`` loads all of them as a model of transformers.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf.utility import LocalTensor, SafetensorsLocal
from safetensors import SafetensorError, safe_open

from convert.files import ConvertError, first_line, read_json
from convert.shape import Shape

#: Files in the folder of an adapter that peft saved.
ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
#: Stored type -> numpy's type; little-endian integers where numpy has no such float.
STORED_TYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2")}


@dataclass(frozen=True)
class Checkpoint:
    """A folder with ``config.json`` and safetensors files that contain exactly the tensors it implies.

    Attributes:
        folder: the folder.
        config: content of ``config.json``.
        shape: the model's shape, read from the configuration.
        stored: name of a tensor -> where it is stored.
    """

    folder: Path
    config: dict[str, Any]
    shape: Shape
    stored: dict[str, LocalTensor]

    @classmethod
    def open(cls, folder: Path) -> "Checkpoint":
        """Read the configuration and the headers of the weights' files; the weights are not read.

        Raises:
            ConvertError: the folder is no checkpoint of a known architecture, is incomplete or truncated, or has
                tensors that do not belong to the model.
        """
        config = read_json(folder / "config.json")
        shape = Shape.read(config)
        checkpoint = cls(folder, config, shape, locate_tensors(folder))
        checkpoint._refuse_wrong_tensors()
        return checkpoint

    def read_rows(self, name: str, start: int = 0, stop: int | None = None) -> npt.NDArray[np.float32]:
        """Read a tensor, or some of its rows; see ``read_rows`` below.

        Args:
            name: the tensor's name.
            start: first row.
            stop: row after the last; None for all.

        Returns:
            The rows in float32, which every stored type fits in; shape (rows, ...) as in the checkpoint.
        """
        return read_rows(self.stored[name], start, stop)

    def _refuse_wrong_tensors(self) -> None:
        """Compare the stored tensors with those that the configuration implies."""
        expected = self.shape.tensors()
        for name, tensor in self.stored.items():
            if tensor.shape != expected.get(name, tensor.shape):
                raise ConvertError(f"{name} is {tensor.shape} where config.json wants {expected[name]}.")
            if tensor.dtype not in STORED_TYPES:
                raise ConvertError(f"{name} is stored as {tensor.dtype}; start from unquantised weights.")
        if missing := expected.keys() - self.stored.keys():
            raise ConvertError(f"{self.folder} is not complete: {min(missing)} is missing.")
        if unknown := self.stored.keys() - expected.keys() - {"lm_head.weight"}:
            raise ConvertError(f"{self.folder} contains {min(unknown)}, which does not belong to this model.")
        if "lm_head.weight" in self.stored and self.shape.tied:
            for start in range(0, self.shape.vocabulary, 4096):
                head, embedding = (
                    self.read_rows(name, start, start + 4096)
                    for name in ("lm_head.weight", "model.embed_tokens.weight")
                )
                if not np.array_equal(head, embedding):  # the model would compute something else
                    raise ConvertError("config.json says that output and embedding are tied, but their weights differ.")


def locate_tensors(folder: Path, files: str = "model*.safetensors") -> dict[str, LocalTensor]:
    """Find where each tensor is stored.

    The library that defines the format checks that the header's offsets fit the tensors' sizes and the file. Only files
    in the folder itself are read, whatever an index file names.

    Args:
        folder: the checkpoint's or adapter's folder.
        files: pattern of the files' names.

    Returns:
        Name of a tensor -> its file, offset, type and shape.

    Raises:
        ConvertError: a file is damaged, or two contain the same tensor.
    """
    found: dict[str, LocalTensor] = {}
    for path in sorted(folder.glob(files)):
        try:
            with safe_open(path, framework="numpy"):
                tensors = SafetensorsLocal(path).tensors
        except (SafetensorError, ValueError, OSError) as error:
            raise ConvertError(f"{path} is damaged or cut short.") from error
        if duplicated := found.keys() & tensors.keys():
            raise ConvertError(
                f"{min(duplicated)} is in {path.name} and in another file; remove the one that is outdated."
            )
        found |= tensors
    return found


def read_rows(tensor: LocalTensor, start: int = 0, stop: int | None = None) -> npt.NDArray[np.float32]:
    """Read a stored tensor, or some of its rows.

    Args:
        tensor: where it is stored; its type must be in ``STORED_TYPES``.
        start: first row.
        stop: row after the last; None for all.

    Returns:
        The rows in float32, which every type in ``STORED_TYPES`` fits in; shape (rows, ...).
    """
    kind = STORED_TYPES[tensor.dtype]
    width = int(np.prod(tensor.shape[1:]))
    stop = tensor.shape[0] if stop is None else min(stop, tensor.shape[0])
    offset = tensor.data_range.offset + start * width * kind.itemsize
    with tensor.data_range.filename.open("rb") as file:
        file.seek(offset)
        numbers: npt.NDArray[Any] = np.fromfile(file, kind, (stop - start) * width)
    if tensor.dtype == "BF16":  # it is the upper half of a float32
        numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
    floats: npt.NDArray[np.float32] = numbers.astype(np.float32, copy=False)
    return floats.reshape(stop - start, *tensor.shape[1:])


def load_model(checkpoint: Checkpoint) -> Any:
    """Load the checkpoint as a model of transformers, in float32.

    Raises:
        ConvertError: transformers cannot load it, or its folder contains an adapter, which transformers would apply.
    """
    import torch
    import transformers

    if (checkpoint.folder / ADAPTER_CONFIG).exists():  # transformers would apply it
        raise ConvertError(f"{checkpoint.folder} contains an adapter, too; give base and adapter folders of their own.")
    if not sys.stderr.isatty():
        transformers.utils.logging.disable_progress_bar()
    kind = getattr(transformers, checkpoint.shape.architecture)
    try:
        model = kind.from_pretrained(checkpoint.folder, dtype=torch.float32, local_files_only=True)
    except Exception as error:  # every layer below has its own kinds of errors
        raise ConvertError(f"{checkpoint.folder} cannot be loaded as a model: {first_line(error)}") from error
    return model.eval()
