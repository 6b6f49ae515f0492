import hashlib
import json

import pytest

from copilot.llm.base import EngineError
from copilot.llm.gguf_header import open_model_file
from tests.helpers.tiny_model import write_tiny_gguf


def test_a_file_says_what_it_is(tmp_path):
    own = {
        "eeg_copilot.codec": "bands",
        "eeg_copilot.labels": ["joy", 'a "quoted" one'],
        "eeg_copilot.temperature": 1.5,
    }
    path = write_tiny_gguf(tmp_path / "m.gguf", metadata=own, context=512, chat_template="{{ bos_token }}")
    file = open_model_file(path)
    assert (file.name, file.trained_context, file.chat_template) == ("tiny", 512, "{{ bos_token }}")
    assert file.own_metadata["codec"] == "bands"
    assert json.loads(file.own_metadata["labels"]) == ["joy", 'a "quoted" one']
    assert json.loads(file.own_metadata["temperature"]) == 1.5
    assert set(file.own_metadata) == {"codec", "labels", "temperature"}


def test_the_checksum_follows_the_file(tmp_path):
    path = write_tiny_gguf(tmp_path / "m.gguf")
    first = open_model_file(path).sha256
    assert first == hashlib.sha256(path.read_bytes()).hexdigest()
    write_tiny_gguf(path, seed=1, hidden=128)
    assert open_model_file(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest() != first


def test_a_missing_file(tmp_path):
    with pytest.raises(EngineError, match="There is no model file"):
        open_model_file(tmp_path / "none.gguf")
    with pytest.raises(EngineError, match="There is no model file"):
        open_model_file(tmp_path)


@pytest.mark.parametrize("content", [b"", b"GG", b"PK\x03\x04 a zip file", b"FUGG" * 10])
def test_a_file_of_another_kind(tmp_path, content):
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    with pytest.raises(EngineError, match="not a GGUF"):
        open_model_file(path)


@pytest.mark.parametrize("length", [4, 10, 24, 100, 1000])
def test_a_header_that_breaks_off(tmp_path, length):
    whole = write_tiny_gguf(tmp_path / "whole.gguf").read_bytes()
    path = tmp_path / "cut.gguf"
    path.write_bytes(whole[:length])
    with pytest.raises(EngineError, match=r"cut\.gguf is damaged"):
        open_model_file(path)


def test_a_header_that_lies(tmp_path):
    """A text's length of 2^60 bytes, and a kind of value that does not exist."""
    whole = write_tiny_gguf(tmp_path / "whole.gguf").read_bytes()
    path = tmp_path / "lie.gguf"
    for at, lie in ((24, (1 << 60).to_bytes(8, "little")), (4, b"\x63\0\0\0"), (24 + 8 + 20, b"\x63\0\0\0")):
        path.write_bytes(whole[:at] + lie + whole[at + len(lie) :])
        with pytest.raises(EngineError, match="damaged"):
            open_model_file(path)
