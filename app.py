"""The web app: ``python app.py`` serves it on http://127.0.0.1:7860, or wherever the settings in the README say."""

import sys

from copilot.engine.opening import open_engine
from copilot.settings import Settings, SettingsError
from copilot.web import layout
from copilot.web.service import Service


def main() -> None:
    """Read the settings, build the page, serve it, and open the model behind it."""
    service = Service(Settings.from_environment(), open_engine)
    page = layout.build(service)
    address = layout.launch(page, service)
    print(f"EEG Emotion Copilot with the model {service.model_name}: {address}", flush=True)
    service.start()
    page.block_thread()


if __name__ == "__main__":
    try:
        main()
    except SettingsError as error:
        sys.exit(str(error))
