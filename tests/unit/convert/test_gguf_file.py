"""A GGUF header is read without trust: right figures of a right file, a sentence for every other."""

import contextlib
import struct
import time
import tracemalloc

import gguf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convert.files import ConvertError
from convert.gguf_file import read_gguf
from tests.helpers.tiny_model import write_tiny_gguf


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_tiny_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf", metadata={"eeg_copilot.codec": "bands"})


@pytest.fixture(scope="module")
def whole(path):
    return path.read_bytes()


def header(tensors, pairs, rest=b""):
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, pairs) + rest


def text(value):
    return struct.pack("<Q", len(value)) + value


def tensor(dimensions=(32, 1), kind=0, offset=0):
    sizes = struct.pack(f"<{len(dimensions)}Q", *dimensions)
    return text(b"w") + struct.pack("<I", len(dimensions)) + sizes + struct.pack("<IQ", kind, offset)


def test_it_reads_what_the_gguf_package_reads(path):
    ours, theirs = read_gguf(path), gguf.GGUFReader(path)
    assert [(t.name, t.shape, t.type, t.bytes) for t in ours.tensors] == [
        (t.name, tuple(t.shape.tolist()), t.tensor_type, t.n_bytes) for t in theirs.tensors
    ]
    assert ours.parameters == sum(int(t.n_elements) for t in theirs.tensors)
    assert ours.metadata == {k: f.contents() for k, f in theirs.fields.items() if not k.startswith("GGUF.")}


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (b"", "no GGUF file"),
        (b"PK\x03\x04 a zip", "no GGUF file"),
        (header(0, 2**62), "damaged"),
        (header(2**62, 0), "damaged"),
        (header(0, 1, text(b"k") + struct.pack("<IIQ", 9, 0, 2**61)), "damaged"),
        (header(0, 1, text(b"k") + (struct.pack("<IIQ", 9, 9, 1)[:4] + struct.pack("<IQ", 9, 1) * 5000)), "damaged"),
        (header(0, 1, struct.pack("<Q", 2**63)), "damaged"),
        (header(1, 0, tensor(dimensions=(1,) * 9)), "damaged"),
        (header(1, 0, tensor(kind=250)), "unknown type"),
        (header(1, 0, tensor(kind=8, dimensions=(33, 1))), "rows of 33"),
        (header(1, 0, tensor(dimensions=(2**40, 2**20))), "cut short"),
        (header(1, 0, tensor(offset=2**63)), "cut short"),
        (header(1, 1, text(b"general.alignment") + struct.pack("<II", 4, 0) + tensor()), "alignment"),
    ],
)
def test_damaged_and_hostile_headers_cost_a_sentence(tmp_path, damaged, reason):
    path = tmp_path / "model.gguf"
    path.write_bytes(damaged)
    begun = time.monotonic()
    with pytest.raises(ConvertError, match=reason) as error:
        read_gguf(path)
    assert "\n" not in str(error.value)
    assert time.monotonic() - begun < 2


def test_a_file_cut_short_anywhere_is_refused(whole, tmp_path):
    path = tmp_path / "cut.gguf"
    for length in [*range(0, len(whole) - 32, len(whole) // 40), len(whole) - 32]:
        path.write_bytes(whole[:length])
        with pytest.raises(ConvertError):
            read_gguf(path)


@pytest.mark.parametrize(
    "filling",
    [
        pytest.param(header(0, 1, text(b"k") + struct.pack("<IIQ", 9, 6, 15 * 10**6)), id="an array of 60 MB"),
        pytest.param(header(0, 1, text(b"k") + struct.pack("<IIQ", 9, 7, 10**7)), id="ten million truth values"),
        pytest.param(header(0, 1, text(b"k") + struct.pack("<IIQ", 9, 8, 5 * 10**6)), id="five million empty texts"),
        pytest.param(
            header(0, 4, (text(b"k") + struct.pack("<IIQ", 9, 10, 2**21) + bytes(2**24)) * 3), id="many arrays"
        ),
        pytest.param(header(0, 1, text(b"k") + struct.pack("<IQ", 8, 100 * 2**20)), id="a text of 100 MB"),
        pytest.param(header(2 * 10**6, 0), id="two million tensors"),
        pytest.param(header(0, 10**6), id="a million keys"),
    ],
)
def test_a_file_cannot_make_us_keep_far_more_than_a_vocabulary(tmp_path, filling):
    path = tmp_path / "huge.gguf"
    with path.open("wb") as file:
        file.write(filling)
        file.truncate(len(filling) + 101 * 2**20)  # what the header announces is there
    tracemalloc.start()
    try:
        with pytest.raises(ConvertError, match="damaged"):
            read_gguf(path)
        assert tracemalloc.get_traced_memory()[1] < 200 * 2**20
    finally:
        tracemalloc.stop()


def test_the_largest_vocabulary_in_use_is_read(tmp_path):
    """As large as Gemma's."""
    tokens, merges = 262_144, 514_906
    strings = {b"tokens": [b"token%d" % i for i in range(tokens)], b"merges": [b"mer ge%d" % i for i in range(merges)]}
    pairs = [
        text(name) + struct.pack("<IIQ", 9, 8, len(values)) + b"".join(map(text, values))
        for name, values in strings.items()
    ]
    pairs += [text(b"scores") + struct.pack("<IIQ", 9, 6, tokens) + struct.pack(f"<{tokens}f", *range(tokens))]
    pairs += [text(b"types") + struct.pack("<IIQ", 9, 5, tokens) + struct.pack("<i", 1) * tokens]
    path = tmp_path / "large.gguf"
    path.write_bytes(header(0, len(pairs), b"".join(pairs)))
    metadata = read_gguf(path).metadata
    assert {name: len(values) for name, values in metadata.items()} == {
        "tokens": tokens,
        "merges": merges,
        "scores": tokens,
        "types": tokens,
    }
    assert (metadata["tokens"][-1], metadata["merges"][-1], metadata["scores"][-1]) == (
        "token262143",
        "mer ge514905",
        262_143.0,
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(place=st.integers(0, 40_000), byte=st.integers(0, 255))
def test_any_byte_may_be_wrong(whole, tmp_path, place, byte):
    path = tmp_path / "flipped.gguf"
    place %= len(whole)
    path.write_bytes(whole[:place] + bytes([byte]) + whole[place + 1 :])
    with contextlib.suppress(ConvertError):  # and nothing else
        read_gguf(path)


def test_a_missing_file_is_not_called_damaged(tmp_path):
    with pytest.raises(ConvertError, match="is not a file"):
        read_gguf(tmp_path / "absent.gguf")
