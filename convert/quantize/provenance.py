"""Record the provenance of a quantised file: a receipt, ``.receipt.json``, of what it contains and computes.

The types are read back from the finished file. The receipt also contains the type that llama.cpp wanted for each tensor
(its nominal type): the two differ where a tensor's rows did not fit.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gguf import GGMLQuantizationType

from convert.files import ConvertError
from convert.gguf_file import read_gguf
from convert.quantize.dry_run import DryTensor
from convert.quantize.evaluate import Measurement
from convert.quantize.imatrix import ImportanceText
from copilot.files import hash_file, write_atomically


@dataclass(frozen=True)
class Share:
    """The part of a file that is of one type: count of its tensors, and their size in bytes."""

    tensors: int
    bytes: int


@dataclass(frozen=True)
class Fallback:
    """A matrix whose rows do not fit the type that llama.cpp wanted for it.

    Attributes:
        tensor: its name.
        row: length of its rows.
        wanted: the type that llama.cpp wanted.
        got: the type that it has.
    """

    tensor: str
    row: int
    wanted: str
    got: str


@dataclass(frozen=True)
class Source:
    """The file that was quantised: its name, SHA-256 and size in bytes."""

    file: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Receipt:
    """The provenance of one quantised file.

    Attributes:
        file: its name.
        type: the type asked for; llama.cpp mixes in others on purpose, as in every ``_M``.
        source: the file it was made from.
        imatrix: the text that importance was measured on; None where no importance was used.
        nominal: type that llama.cpp wanted -> its tensors and bytes.
        actual: type in the file -> its tensors and bytes, including norms and biases (always F32).
        fallbacks: the tensors where these two types differ.
        parameters: count of the model's numbers.
        bits_per_weight: mean over the tensors, without header and vocabulary.
        file_bytes: size of the whole file.
        sha256: SHA-256 of the whole file.
        measured: comparison with the source.
    """

    file: str
    type: str
    source: Source
    imatrix: ImportanceText | None
    nominal: dict[str, Share]
    actual: dict[str, Share]
    fallbacks: tuple[Fallback, ...]
    parameters: int
    bits_per_weight: float
    file_bytes: int
    sha256: str
    measured: Measurement

    @classmethod
    def of(
        cls,
        path: Path,
        name: str,
        planned: Sequence[DryTensor],
        *,
        type: str,
        source: Source,
        imatrix: ImportanceText | None,
        measured: Measurement,
    ) -> "Receipt":
        """Read the finished file back and compare it with the dry run.

        Args:
            path: the file under its temporary name.
            name: its final name.
            planned: the tensors as the dry run predicted them.
            type: the type asked for.
            source: the file it was made from.
            imatrix: the text that importance was measured on; None for none.
            measured: comparison with the source.

        Raises:
            ConvertError: the file is not whole, or contains other tensors than predicted.
        """
        file = read_gguf(path)
        if {t.name: (t.shape, t.type) for t in file.tensors} != {t.name: (t.shape, t.type) for t in planned}:
            raise ConvertError(
                f"llama.cpp wrote other tensors into {name} than its dry run reported; the file was not kept."
            )
        return cls(
            file=name,
            type=type,
            source=source,
            imatrix=imatrix,
            nominal=_sum_by_type((tensor.wanted, tensor.wanted_bytes) for tensor in planned),
            actual=_sum_by_type((tensor.type, tensor.bytes) for tensor in file.tensors),
            fallbacks=list_fallbacks(planned),
            parameters=file.parameters,
            bits_per_weight=round(8 * sum(tensor.bytes for tensor in file.tensors) / file.parameters, 3),
            file_bytes=path.stat().st_size,
            sha256=hash_file(path),
            measured=measured,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain values, ready for JSON."""
        return asdict(self)

    def write(self, path: Path) -> None:
        """Write the receipt as JSON."""
        with write_atomically(path) as partial:
            partial.write_text(json.dumps(self.as_dict(), indent=2) + "\n", encoding="utf-8")


def list_fallbacks(planned: Iterable[DryTensor]) -> tuple[Fallback, ...]:
    """Return the tensors whose rows do not fit the wanted type."""
    return tuple(Fallback(t.name, t.shape[0], t.wanted.name, t.type.name) for t in planned if t.fell_back)


def _sum_by_type(parts: Iterable[tuple[GGMLQuantizationType, int]]) -> dict[str, Share]:
    """Count the tensors and add up the bytes of each type."""
    shares: dict[str, Share] = {}
    for type, size in parts:
        before = shares.get(type.name, Share(0, 0))
        shares[type.name] = Share(before.tensors + 1, before.bytes + size)
    return dict(sorted(shares.items()))
