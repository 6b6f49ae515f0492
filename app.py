"""The web app: ``python app.py`` serves it on http://127.0.0.1:7860 (settings: docs/configuration.md)."""

import signal
import sys
from contextlib import suppress

from copilot.i18n import N_, messages
from copilot.llm.open_engine import open_engine
from copilot.record.storage.store import StoreError
from copilot.settings import Settings, SettingsError
from copilot.web.temporary_folder import private_folder


def main() -> None:
    """Read the settings, build the page, serve it, and open the model behind it.

    Raises:
        SettingsError: one of them cannot be used.
        StoreError: the folder for records cannot be used.
    """
    from copilot.web import layout  # here, because Gradio makes a temporary folder as soon as it is imported
    from copilot.web.queue import Service

    settings = Settings.from_environment()
    if not settings.server and not settings.model.is_file():
        raise SettingsError(N_(messages.NO_MODEL_FILE, path=str(settings.model)))
    service = Service(settings, open_engine)
    page = layout.build_page(service)
    address = layout.launch_page(page, service)
    print(f"EEG Emotion Copilot with the model {service.model_name}: {address}", flush=True)
    service.start()
    page.block_thread()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end like Ctrl-C: temporary folders hold EEG
    try:
        with suppress(KeyboardInterrupt), private_folder():
            main()
    except (SettingsError, StoreError) as error:
        sys.exit(str(error))
