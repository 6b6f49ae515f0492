"""The web app: ``python app.py`` serves it on http://127.0.0.1:7860, or wherever ``EEG_COPILOT_PORT`` says."""


def main() -> None:
    """Read the settings, build the page, serve it, and open the model behind it."""
    # Imported here, because recordings are read in a child process that imports this file and needs none of it.
    from copilot.engine.opening import open_engine
    from copilot.settings import Settings
    from copilot.web import layout
    from copilot.web.service import Service

    service = Service(Settings.from_environment(), open_engine)
    page = layout.build(service)
    print(f"EEG Emotion Copilot with the model {service.model_name}: {layout.launch(page, service)}", flush=True)
    service.start()
    page.block_thread()


if __name__ == "__main__":
    main()
