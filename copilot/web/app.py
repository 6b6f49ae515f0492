"""Start the web app: ``python app.py``, or ``eeg-copilot serve`` (see ``serve``)."""

import signal
import sys
from contextlib import suppress

from copilot.errors import CopilotError
from copilot.i18n import N_, Translator, messages
from copilot.llm import open_engine
from copilot.settings import Settings, SettingsError
from copilot.web.temporary_folder import private_folder


def serve() -> int:
    """Serve the page until Ctrl-C or SIGTERM; return the exit status, 1 after one sentence where it cannot start."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end like Ctrl-C: temporary folders contain EEG
    language = ""
    try:
        with suppress(KeyboardInterrupt), private_folder():
            settings = Settings.from_environment()
            language = settings.language
            _serve(settings)
    except CopilotError as error:
        print(Translator(language or "en")(error.args[0]), file=sys.stderr)
        return 1
    return 0


def _serve(settings: Settings) -> None:
    """Build the page, serve it, and open the model behind it."""
    from copilot.web import layout  # here, because Gradio makes a temporary folder as soon as it is imported
    from copilot.web.queue import Service

    if not settings.server and not settings.model.is_file():
        raise SettingsError(N_(messages.NO_MODEL_FILE, path=str(settings.model)))
    service = Service(settings, open_engine)
    page = layout.build_page(service)
    address = layout.launch_page(page, service)
    print(f"EEG Emotion Copilot with the model {service.model_name}: {address}", flush=True)
    service.start()
    page.block_thread()
