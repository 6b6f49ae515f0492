"""Language models: this package knows nothing of EEG. ``open_engine`` opens the one that the settings select."""

from copilot.i18n import N_
from copilot.llm.base import Engine, EngineError
from copilot.settings import Settings


def open_engine(settings: Settings) -> Engine:
    """Open the server that ``settings.server`` names, else the model file in this process.

    llama.cpp is imported only where it is needed: loading its library takes time, and a user of a server may lack it.

    Raises:
        EngineError: the model cannot be loaded.
    """
    if settings.server:
        from copilot.llm.openai_client import RemoteEngine

        return RemoteEngine(
            settings.server, model=settings.server_model, key=settings.server_key, context=settings.context
        )
    try:
        from copilot.llm.local import LlamaEngine
    except ImportError as error:
        raise EngineError(
            N_("The package llama-cpp-python is missing; install requirements.txt or set EEG_COPILOT_SERVER.")
        ) from error
    return LlamaEngine(settings.model, threads=settings.threads, context=settings.context)
