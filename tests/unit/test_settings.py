"""Settings from an environment."""

from pathlib import Path

import pytest

from copilot.settings import Settings, SettingsError, count_usable_cores


def test_an_empty_environment_gives_the_model_in_the_box_on_this_machine_only():
    settings = Settings.from_environment({})
    assert settings == Settings()
    assert settings.host == "127.0.0.1"
    assert not settings.server
    assert settings.model.parent.name == "models"
    assert settings.threads >= 1


def test_every_setting_is_read_under_its_name():
    given = {
        "model": "~/a.gguf",
        "decoder": "b.npz",
        "server": "http://127.0.0.1:11434/v1",
        "server_model": "m",
        "server_key": "k",
        "protocol": "faced-films",
        "readout": "decoder",
        "threads": "3",
        "context": "2048",
        "max_upload_mb": "7",
        "max_minutes": "5",
        "host": "0.0.0.0",
        "port": "8080",
        "allowed_hosts": "eeg.example.org, EEG.example.com",
        "language": "zh",
        "store": "on",
        "data": "~/records",
        "keep_days": "30",
    }
    settings = Settings.from_environment({f"EEG_COPILOT_{name.upper()}": text for name, text in given.items()})
    assert settings.model == Path("~/a.gguf").expanduser()
    assert settings.decoder == Path("b.npz")
    assert settings.data == Path("~/records").expanduser()
    others = {"threads": 3, "context": 2048, "max_upload_mb": 7, "max_minutes": 5, "port": 8080, "keep_days": 30}
    others |= {"store": True, "allowed_hosts": ("eeg.example.org", "eeg.example.com")}
    for name, value in {**given, **others}.items():
        if name not in ("model", "decoder", "data"):
            assert getattr(settings, name) == value
    assert set(given) == set(Settings.__dataclass_fields__) - {"on_space"}


def test_empty_means_the_default():
    assert Settings.from_environment({"EEG_COPILOT_MODEL": "", "EEG_COPILOT_PORT": ""}) == Settings()


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", " "])
@pytest.mark.parametrize("name", ["THREADS", "CONTEXT", "MAX_UPLOAD_MB", "MAX_MINUTES", "PORT", "KEEP_DAYS"])
def test_a_number_that_is_none_names_its_variable(name, text):
    with pytest.raises(SettingsError, match=rf"EEG_COPILOT_{name} is '{text}'; it has to be a whole number above 0\."):
        Settings.from_environment({f"EEG_COPILOT_{name}": text})


@pytest.mark.parametrize(
    ("name", "known"), [("READOUT", "both, model, decoder"), ("LANGUAGE", "en, zh"), ("STORE", "on, off")]
)
def test_an_unknown_choice_is_told_the_known_ones(name, known):
    with pytest.raises(SettingsError, match=rf"EEG_COPILOT_{name} is 'other'; it can be {known}\."):
        Settings.from_environment({f"EEG_COPILOT_{name}": "other"})


def test_records_are_kept_only_if_asked_and_never_on_a_space():
    assert not Settings.from_environment({"SPACE_ID": "someone/copilot", "EEG_COPILOT_STORE": "off"}).store
    with pytest.raises(SettingsError, match="a Space keeps no records"):
        Settings.from_environment({"SPACE_ID": "someone/copilot", "EEG_COPILOT_STORE": "on"})


def test_on_a_space_the_app_listens_to_the_outside_unless_told_otherwise():
    assert Settings.from_environment({"SPACE_ID": "someone/copilot"}).host == "0.0.0.0"
    assert Settings.from_environment({"SPACE_ID": "someone/copilot", "EEG_COPILOT_HOST": "::1"}).host == "::1"


def test_the_key_does_not_show_when_settings_are_printed():
    assert "secret" not in repr(Settings(server_key="secret"))


def test_a_spaces_own_number_of_cores_is_believed() -> None:
    assert count_usable_cores({"CPU_CORES": "2"}) == 2
    assert count_usable_cores({"CPU_CORES": "many"}) == count_usable_cores({}) >= 1


def test_a_server_without_its_scheme_is_refused() -> None:
    with pytest.raises(SettingsError, match="http://"):
        Settings.from_environment({"EEG_COPILOT_SERVER": "localhost:11434"})
