import gc
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.client import Job

from copilot.i18n import N_
from copilot.settings import Settings, SettingsError
from copilot.web.page import build_page
from copilot.web.queue import Service
from copilot.web.server import launch_page
from tests.helpers.fake_engine import ANSWER, FakeEngine
from tests.helpers.serving import quietly, served

#: In the server's threads, where Gradio asks pandas for what it is about to drop.
over_the_wire = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_taken_port_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        service = Service(Settings(port=port), lambda _: FakeEngine())
        with pytest.raises(SettingsError, match=f"Port {port} is taken.*EEG_COPILOT_PORT"):
            quietly(lambda: launch_page(build_page(service), service))
    gc.collect()  # Gradio leaves the socket open with which it looked for the port


@pytest.fixture(scope="module")
def engine() -> FakeEngine:
    return FakeEngine(delay=0.02)


@pytest.fixture(scope="module")
def uploads_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gradio")


@pytest.fixture(scope="module")
def address(engine: FakeEngine, uploads_folder: Path) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(uploads_folder))
        with served(lambda _: engine) as address:
            yield address


@pytest.fixture
def visitor(address: str) -> Iterator[Client]:
    client = Client(address, verbose=False)
    yield client
    client.close()


def submit(client: Client, recording: Path, complaint: str = "") -> Job:
    client.predict([handle_file(recording)], api_name="/recording")
    return client.submit(True, "female", "34", "", complaint, "", "own", "", "", api_name="/analyse")


@over_the_wire
def test_main_job_over_the_wire_leaves_no_file(visitor: Client, recording: Path, uploads_folder: Path) -> None:
    page = everything_shown(submit(visitor, recording))
    assert "Done in" in page
    assert "settled, pleasant state" in page
    assert ANSWER.split()[1] in str(visitor.predict("How sure are you?", api_name="/ask"))
    assert [path for path in uploads_folder.rglob("*") if path.is_file()] == []


@over_the_wire
def test_lines_of_help_are_those_of_the_country_that_the_browser_tells(address: str, recording: Path) -> None:
    client = Client(address, verbose=False, headers={"Accept-Language": "de-AT,de;q=0.9,en-US;q=0.8"})
    austria = "If you are in Austria: in danger, call 112. To talk with somebody: Telefonseelsorge 142"
    assert austria in str(client.predict("I want to end my life", api_name="/ask"))
    job = submit(client, recording, "I want to end my life")
    wait_until(lambda: austria in str(job.outputs()))
    client.predict(api_name="/clear")
    assert austria in str(client.predict("I want to end my life", api_name="/ask"))
    client.close()


@over_the_wire
def test_lines_of_help_are_general_where_the_browser_tells_no_country(visitor: Client) -> None:
    shown = str(visitor.predict("I want to end my life", api_name="/ask"))
    assert "findahelpline.com" in shown
    assert "If you are in Austria" not in shown


@over_the_wire
def test_two_visitors_at_once_never_see_each_other(address: str, engine: FakeEngine, recording: Path) -> None:
    clients = {complaint: Client(address, verbose=False) for complaint in ("apples", "pears")}
    jobs = {complaint: submit(client, recording, complaint) for complaint, client in clients.items()}
    pages = {complaint: everything_shown(job) for complaint, job in jobs.items()}
    assert engine.most_at_once == 1
    assert N_("1 person is ahead of you. Your turn comes by itself.") in str(pages)
    for mine, other in (("apples", "pears"), ("pears", "apples")):
        assert "Done in" in pages[mine]
        assert mine in pages[mine]
        assert other not in pages[mine]
    for client in clients.values():
        client.close()


@over_the_wire
def test_stop_then_analyse_again(visitor: Client, engine: FakeEngine, recording: Path) -> None:
    stopped = engine.stopped
    job = submit(visitor, recording)
    wait_until(lambda: "settled" in str(job.outputs()))
    assert N_("Stopped. Press Analyse to start again.") in str(visitor.predict(api_name="/stop"))
    wait_until(lambda: engine.stopped == stopped + 1)
    assert N_("Stopped. Press Analyse to start again.") in everything_shown(job)
    assert "Done in" in everything_shown(submit(visitor, recording))


@over_the_wire
def test_closed_tab_ends_its_analysis(visitor: Client, engine: FakeEngine, recording: Path) -> None:
    stopped = engine.stopped
    visitor.predict([handle_file(recording)], api_name="/recording")
    analyse = next(press for press in visitor.config["dependencies"] if press["api_name"] == "analyse")
    values = [None, True, "female", "34", *[""] * 3, "own", *[""] * 3, False, *[""] * 4, False]
    press = {"fn_index": analyse["id"], "session_hash": visitor.session_hash, "data": values}
    httpx.post(f"{visitor.src_prefixed}queue/join", json=press).raise_for_status()
    stream = f"{visitor.src_prefixed}queue/data?session_hash={visitor.session_hash}"
    with httpx.stream("GET", stream, timeout=60) as answer:
        next(line for line in answer.iter_lines() if "settled" in line)
    wait_until(lambda: engine.stopped == stopped + 1)


def everything_shown(job: Job) -> str:
    job.result(timeout=60)
    return str(job.outputs())


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
