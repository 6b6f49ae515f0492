import json
from pathlib import Path

from copilot import NOTICE
from copilot.i18n import N_
from copilot.settings import Settings
from copilot.web import browser
from copilot.web.page import build_page
from copilot.web.queue import Service
from tests.helpers.fake_engine import FakeEngine
from tests.helpers.pages import idle, started
from tests.helpers.serving import quietly


def test_page_builds_without_a_server_and_names_nothing_outside() -> None:
    page = quietly(lambda: build_page(started()))
    text = json.dumps(page.get_config_file(), default=str)
    assert NOTICE in text
    assert "eeg-emotion-copilot" in text
    assert browser.make_theme()._stylesheets == []


def test_page_of_a_server_says_where_prompts_go() -> None:
    service = Service(Settings(server="http://somebody:secret@10.0.0.7:11434/v1"), lambda _: FakeEngine())
    page = json.dumps(quietly(lambda: build_page(service)).get_config_file(), default=str)
    assert (
        "Prompts go to the language model server that this copilot was set up with: {server}".format(server="10.0.0.7")
        in page
    )
    assert "secret" not in page
    assert N_("Everything runs on the machine that serves this page.") not in page


def test_nothing_of_a_store_is_on_the_page_unless_it_is_on(tmp_path: Path) -> None:
    without, with_it = (
        json.dumps(quietly(lambda: build_page(idle(**settings))).get_config_file(), default=str)  # noqa: B023
        for settings in ({}, {"store": True, "data": tmp_path})
    )
    assert N_("Kept records") not in without
    assert N_("Kept records") in with_it
