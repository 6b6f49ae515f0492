"""The memory of the app's process stays flat, however many people come: 100 readings, each on a page of its own."""

import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from gradio.state_holder import StateHolder

from copilot.eeg import sandbox, simulate
from copilot.eeg.sandbox import Prepared
from copilot.settings import Settings
from copilot.web.page import build_page
from copilot.web.queue import Service
from copilot.web.session import MAX_CLOSED, MAX_SESSIONS, OWN, Form, forget_closed_pages
from tests.helpers.fake_engine import FakeEngine
from tests.helpers.serving import quietly, served

ROOT = Path(__file__).parents[2]
READINGS, SETTLED = 100, 20
MOST_MORE_MB = 60
MOST_MB = 600


def serve() -> None:
    """Serve the page with a scripted model, and a recording that was cleaned once: cleaning has its own process."""
    made = simulate.simulate(20, seed=4)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.npz"
        few = {"data": made.data[:8], "channels": np.array(made.channels[:8])}  # drawn in two thirds of the time
        np.savez(path, **few, sfreq=made.sfreq, units=np.array("uV"))
        *_, prepared = sandbox.prepare([path])
    assert isinstance(prepared, Prepared)
    sent = pickle.dumps(prepared)  # as it comes through the worker's pipe, each time anew
    sandbox.prepare = lambda *_, **__: iter([pickle.loads(sent)])  # type: ignore[assignment]  # noqa: S301
    sandbox.warm_up = lambda: None
    with served(lambda _: FakeEngine()) as address:
        print(address, flush=True)
        sys.stdin.read()


@contextmanager
def serving() -> Iterator[tuple[int, httpx.Client]]:
    """The app in a process of its own: its number, and a client of its address."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.e2e.test_memory"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, **pipes) as app:
        assert app.stdout is not None
        try:
            with httpx.Client(base_url=app.stdout.readline().strip(), timeout=120) as client:
                yield app.pid, client
        finally:
            app.terminate()


def megabytes(process: int) -> float:
    """Resident memory of a process."""
    return int(subprocess.check_output(["ps", "-o", "rss=", "-p", str(process)])) / 1024


def read_once(client: httpx.Client, config: dict[str, Any], session: str) -> None:
    """Open the page, have an example read, have the record drawn, and close the page."""
    calls = {call["api_name"]: call for call in reversed(config["dependencies"])}
    form = {
        **dict.fromkeys(Form.__dataclass_fields__, ""),
        "consent": True,
        "gender": "female",
        "films": False,
        "dark": False,
    }
    form["source"] = next(name for name in simulate.EXAMPLES if name != OWN)
    with client.stream("GET", f"gradio_api/heartbeat/{session}"):  # closed with the page
        call(client, calls["analyse"]["id"], session, [None, *form.values()])
        call(client, calls["apply"]["id"], session, [None])  # as the page does by itself


def call(client: httpx.Client, number: int, session: str, data: list[Any]) -> None:
    """What the page does for a press: join the queue and listen to the end."""
    joined = {"data": data, "fn_index": number, "session_hash": session}
    client.post("gradio_api/queue/join", json=joined).raise_for_status()
    with client.stream("GET", "gradio_api/queue/data", params={"session_hash": session}) as stream:
        messages = [json.loads(line[5:]) for line in stream.iter_lines() if line.startswith("data:")]
    ends = [message["success"] for message in messages if message["msg"] == "process_completed"]
    assert ends == [True]


def test_memory_is_flat_over_a_hundred_readings() -> None:
    with serving() as (process, client):
        config = client.get("config").json()
        taken = []
        for number in range(READINGS):
            read_once(client, config, f"page{number}")
            taken.append(megabytes(process))
    assert taken[-1] < taken[SETTLED - 1] + MOST_MORE_MB, taken
    assert max(taken) < MOST_MB, taken


def test_of_closed_pages_only_the_last_are_remembered() -> None:
    page = quietly(lambda: build_page(Service(Settings(), lambda _: FakeEngine())))
    page.state_session_capacity = MAX_SESSIONS
    holder = StateHolder()
    holder.set_blocks(page)
    closed = [f"closed {number}" for number in range(MAX_CLOSED + 5)]
    for session in ("open", *closed):
        holder[session].is_closed = session != "open"
    holder["just closed"]
    forget_closed_pages(page, "just closed")
    assert list(holder.session_data) == ["open", *closed[6:], "just closed"]
    assert set(holder.time_last_used) == set(holder.session_data)


if __name__ == "__main__":
    serve()
