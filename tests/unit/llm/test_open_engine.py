import pytest

from copilot.llm import open_engine
from copilot.llm.base import EngineError
from copilot.llm.local import LlamaEngine
from copilot.llm.openai_client import RemoteEngine
from copilot.settings import Settings
from tests.helpers.tiny_model import write_tiny_gguf


def test_the_model_file_is_opened(tmp_path):
    engine = open_engine(Settings(model=write_tiny_gguf(tmp_path / "m.gguf"), threads=1, context=256))
    assert isinstance(engine, LlamaEngine)
    assert engine.info.context == 256
    engine.close()


def test_a_server_comes_before_the_model_file(tmp_path):
    settings = Settings(model=tmp_path / "none.gguf", server="http://127.0.0.1:9/v1", server_model="big")
    engine = open_engine(settings)
    assert isinstance(engine, RemoteEngine)
    assert engine.info.name == "big"


def test_a_missing_model_is_said_in_a_sentence(tmp_path):
    with pytest.raises(EngineError, match="EEG_COPILOT_MODEL"):
        open_engine(Settings(model=tmp_path / "none.gguf"))
