"""Attacks on the launched app, and what must still work."""

import asyncio
import http.server
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from copilot.i18n import N_, Translator
from copilot.person import PatientIdentity
from copilot.settings import Settings
from copilot.web import analysis, queue, uploads
from copilot.web.guard import Guard, choose_language
from copilot.web.queue import Service
from copilot.web.session import Form, Session
from copilot.web.uploads import UploadReceiver
from tests.helpers.fake_engine import FakeEngine
from tests.helpers.records import drafted
from tests.helpers.serving import laid_out, serving

#: In the server's threads, where Gradio asks pandas for what it is about to drop.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

MB = 2**20


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where uploads go."""
    return tmp_path_factory.mktemp("private") / "uploads"


@pytest.fixture(scope="module")
def copilot(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Service:
    settings = Settings(port=free_port(), threads=2, max_upload_mb=2, store=True, data=tmp_path_factory.mktemp("data"))
    made = Service(settings, lambda _: FakeEngine())
    assert made.store is not None
    made.store.save(drafted(patient=PatientIdentity(name="Rosa Lind")))
    return made


@pytest.fixture(scope="module")
def address(copilot: Service, folder: Path) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        with serving(copilot) as address:
            yield address.rstrip("/")


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=60) as made:
        yield made


@pytest.fixture(scope="module")
def numbers(address: str) -> dict[str, int]:
    """The number of each call that has a name."""
    calls = httpx.get(f"{address}/config").json()["dependencies"]
    return {call["api_name"]: call["id"] for call in calls if call["api_name"]}


def upload(client: httpx.Client, content: bytes, name: str = "JANE_DOE.edf", **headers: str) -> httpx.Response:
    return client.post("/gradio_api/upload", files={"files": (name, content)}, headers=headers)


def keep(client: httpx.Client, path: str, visitor: str, name: str = "JANE_DOE.edf") -> httpx.Response:
    """Hand an upload to the handler, as the page does."""
    file = {"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}}
    return client.post("/gradio_api/run/recording", json={"data": [None, [file]], "session_hash": visitor})


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


# Paths


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=http://127.0.0.1:9/x",
        "/gradio_api/file=https://example.org/x",
        "/gradio_api/file/etc/passwd",
        "/gradio_api/proxy=https://example.org/x",
        "/gradio_api/deep_link",
        "/gradio_api/dev/reload",
        "/gradio_api/vibe-code/",
        "/gradio_api/stream/a/b/c/playlist.m3u8",
        "/gradio_api/openapi.json",
        "/gradio_api/runs",
        "/gradio_api/custom_component/1/client/component/x.js",
        "/gradio_api/queue/status",
        "/gradio_api/token",
        "/monitoring",
        "/monitoring/summary",
        "/openapi.json",
        "/docs",
        "/redoc",
        "/login",
        "/svelte/../../x",
        "/zh/x",
    ],
)
def test_what_the_page_does_not_need_is_not_there(client: httpx.Client, path: str) -> None:
    for method in ("GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE"):
        assert client.request(method, path).status_code == 404


@pytest.mark.parametrize(
    "path",
    ["component_server", "process_recording", "vibe-edit", "stream/x", "stream/x/close", "api/ask", "call/v2/ask"],
)
def test_calls_that_the_page_does_not_make_are_not_there(client: httpx.Client, path: str) -> None:
    assert client.post(f"/gradio_api/{path}", json={"data": []}).status_code == 404


@pytest.mark.parametrize("path", ["/", "/?lang=en", "/zh", "/config", "/gradio_api/info", "/theme.css", "/favicon.ico"])
def test_what_the_page_needs_is_there(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "form-action 'self'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "http" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"


# Who asks


@pytest.mark.parametrize(
    "host", ["attacker.example", "attacker.example:{port}", "127.0.0.1.attacker.example", "10.0.0.1", ""]
)
def test_a_page_whose_name_leads_here_reads_and_deletes_nothing(
    client: httpx.Client, copilot: Service, numbers: dict[str, int], host: str
) -> None:
    host = host.format(port=copilot.settings.port)
    headers = {"host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}
    for number in range(max(numbers.values()) + 20):  # the list of records has calls of its own
        call = {"data": [], "fn_index": number, "session_hash": "rebinding"}
        assert client.post("/gradio_api/run/predict", json=call, headers=headers).status_code in (400, 421)
    for path in ("/", "/config", "/gradio_api/info", "/gradio_api/queue/data?session_hash=x"):
        answer = client.get(path, headers=headers)
        assert answer.status_code in (400, 421)
        assert "Rosa" not in answer.text
        assert "access-control-allow-origin" not in answer.headers
    assert copilot.store is not None
    assert len(copilot.store.find()) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:{port}", "LOCALHOST", "[::1]:{port}", "127.0.0.2"])
def test_this_machine_may_be_called_by_all_its_names(client: httpx.Client, copilot: Service, host: str) -> None:
    assert client.get("/config", headers={"host": host.format(port=copilot.settings.port)}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://attacker.example"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "null"},
        {"origin": "http://["},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
    ],
)
def test_other_pages_can_neither_call_nor_upload_nor_read(
    client: httpx.Client, folder: Path, headers: dict[str, str]
) -> None:
    answers = [
        upload(client, b"x", **headers),
        client.post("/gradio_api/run/clear", json={"data": [None]}, headers=headers),
        client.get("/config", headers=headers),
        client.options("/config", headers={**headers, "access-control-request-method": "GET"}),
    ]
    assert {answer.status_code for answer in answers} == {403}
    assert all("access-control-allow-origin" not in answer.headers for answer in answers)
    assert files_in(folder) == []


def test_other_pages_may_lead_here(client: httpx.Client) -> None:
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}
    assert client.get("/", headers=headers).status_code == 200
    assert client.get("/", headers={**headers, "sec-fetch-mode": "no-cors"}).status_code == 403


async def asked(settings: Settings, **headers: str) -> tuple[int, dict[str, str]]:
    """What a guard with these settings answers to who asks for the page."""

    async def page(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    guard = Guard(page, settings, UploadReceiver(Path("nowhere"), 1, 1), {})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(guard), base_url="http://0.0.0.0") as client:
        answer = await client.get("/", headers=headers)
    return answer.status_code, dict(answer.headers)


SPACE = Settings.from_environment({"SPACE_ID": "somebody/copilot", "SPACE_HOST": "somebody-copilot.hf.space"})


@pytest.mark.parametrize(
    ("settings", "host", "status"),
    [
        (Settings(host="0.0.0.0"), "192.168.1.5:7860", 200),
        (Settings(host="0.0.0.0"), "attacker.example:7860", 421),
        (Settings(host="0.0.0.0", allowed_hosts=("eeg.example.org",)), "eeg.example.org", 200),
        (Settings(host="Clinic.local"), "clinic.local:7860", 200),
        (Settings(host="[::]"), "[fe80::1]:7860", 200),
        (Settings(host="::1"), "[::1]:7860", 200),
        (Settings(allowed_hosts=("eeg.example.org",)), "EEG.example.org", 200),
        (SPACE, "somebody-copilot.hf.space", 200),
        (SPACE, "10.20.30.40:7860", 200),
        (SPACE, "attacker.example", 421),
    ],
)
def test_which_names_are_answered_to(settings: Settings, host: str, status: int) -> None:
    assert asyncio.run(asked(settings, host=host))[0] == status


def test_a_space_may_be_framed_by_its_page_and_nothing_else_may() -> None:
    _, headers = asyncio.run(asked(SPACE, host="somebody-copilot.hf.space"))
    assert headers["content-security-policy"].endswith("frame-ancestors 'self' https://huggingface.co")
    assert "x-frame-options" not in headers


def test_the_programming_interface_answers_by_name(client: httpx.Client) -> None:
    for name, data in {"ask": ["Why?"], "clear": []}.items():
        event = client.post(f"/gradio_api/call/{name}", json={"data": data}).raise_for_status().json()["event_id"]
        assert "event: complete" in client.get(f"/gradio_api/call/{name}/{event}").raise_for_status().text
    assert {"/ask", "/analyse", "/recording", "/baselines", "/stop", "/clear"} <= set(
        client.get("/gradio_api/info").json()["named_endpoints"]
    )


# Nothing is fetched


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """An address of another server, and what was asked of it."""
    hits: list[str] = []

    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hits.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/x.edf", hits
        server.shutdown()


def test_no_address_is_fetched_and_no_name_looked_up_for_anybody(
    client: httpx.Client,
    folder: Path,
    numbers: dict[str, int],
    elsewhere: tuple[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_up: list[str] = []
    resolve = socket.getaddrinfo

    def watched(host: Any, *rest: Any, **more: Any) -> Any:
        if str(host) not in ("127.0.0.1", "localhost"):
            looked_up.append(str(host))
            raise socket.gaierror("not in this test")
        return resolve(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", watched)
    here, hits = elsewhere
    outside = folder.parent / "secret"
    outside.write_text("secret")
    for target in (
        here,
        "http://public.example.com/x.edf",
        "HTTPS://public.example.com/x",
        "ftp://example.com/x",
        str(outside),
    ):
        meta = {"_type": "gradio.FileData"}
        ours = f"{folder}/{'0' * 32}/0.edf"
        files = [
            {"path": target, "meta": meta},
            {"path": ours, "url": target.replace(str(outside), "//example.com/x"), "meta": meta},
            {"path": f"{folder}/{'0' * 32}/../../secret", "meta": meta},
            {"path": [target], "meta": meta},
            {"path": ours, "meta": {**meta, "more": {"path": target, "meta": meta}}},
        ]
        for file in files:
            for value in (file, [file], [[file]], {"value": file}):
                call = {"data": [None, value], "session_hash": "fetching"}
                ways = {
                    "run/recording": call,
                    "call/recording": {"data": [value]},
                    "call/ask": {"data": [value]},
                    "queue/join": {**call, "fn_index": numbers["baselines"]},
                    "run/predict": {**call, "fn_index": numbers["ask"]},
                }
                for way, body in ways.items():
                    assert client.post(f"/gradio_api/{way}", json=body).status_code == 422
        assert client.get(f"/gradio_api/file={target}").status_code == 404
        assert client.get(f"/gradio_api/proxy={target}").status_code == 404
    assert hits == []
    assert looked_up == []
    assert outside.read_text() == "secret"


# Uploads


def test_twenty_visitors_with_the_same_file_all_succeed(address: str, folder: Path) -> None:
    content, barrier = os.urandom(200_000), threading.Barrier(20)

    def bring(visitor: int) -> list[str]:
        said = []
        with httpx.Client(base_url=address, timeout=60) as client:
            for n in range(4):
                barrier.wait(60)
                (path,) = upload(client, content).raise_for_status().json()
                said.append(keep(client, path, f"class-{visitor}-{n}").raise_for_status().text)
        return said

    with ThreadPoolExecutor(20) as visitors:
        said = [one for each in visitors.map(bring, range(20)) for one in each]
    assert sum("In memory, no longer on disk: JANE_DOE.edf (0.2 MB)" in one for one in said) == 80
    assert files_in(folder) == []


def test_an_upload_is_named_after_nobody_and_only_who_brought_it_can_use_it(client: httpx.Client, folder: Path) -> None:
    first, second = (upload(client, b"the same content").json()[0] for _ in range(2))
    assert first != second
    assert Path(first).name == "0.edf"
    assert len(Path(first).parent.name) == 32
    assert "JANE" not in str(list(folder.rglob("*")))
    assert folder.stat().st_mode & 0o077 == 0
    assert client.get(f"/gradio_api/file={first}").status_code == 404
    assert "0.0 MB" in keep(client, first, "owner").text
    assert N_("The file is not here any more; please choose it again.") in keep(client, first, "late").text
    assert "0.0 MB" in keep(client, second, "owner").text
    assert files_in(folder) == []


def test_an_upload_that_breaks_off_leaves_nothing(client: httpx.Client, copilot: Service, folder: Path) -> None:
    head = (
        f"POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1:{copilot.settings.port}\r\nContent-Length: 1500000\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\nContent-Disposition: form-data; "
        'name="files"; filename="JANE_DOE.edf"\r\n\r\n'
    )
    with socket.create_connection(("127.0.0.1", copilot.settings.port)) as connection:
        connection.sendall(head.encode() + bytes(900_000))
        wait_until(lambda: bool(files_in(folder)))
        assert "JANE" not in str(files_in(folder))
    wait_until(lambda: not any(folder.iterdir()))


def wait_until(condition: Any, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_an_upload_that_stalls_is_one_sentence_and_leaves_nothing(
    copilot: Service, address: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("copilot.web.guard._PART_S", 0.3)
    head = "POST /gradio_api/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n"
    with socket.create_connection(("127.0.0.1", copilot.settings.port), timeout=10) as connection:
        connection.sendall(f"{head}Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n".encode())
        said = connection.makefile("rb").read().decode()
    assert said.startswith("HTTP/1.1 408")
    assert said.endswith(N_("The upload came too slowly or broke off; choose the file again."))
    assert list(folder.glob("*")) == []


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\nHost: local", b"GET /config HTTP/1.1\r\nHost: localhost\r\n\r\nGET"]
)
def test_a_connection_without_a_request_is_closed(
    copilot: Service, address: str, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("copilot.web.server.IDLE_S", 0.3)
    with socket.create_connection(("127.0.0.1", copilot.settings.port), timeout=10) as connection:
        connection.sendall(sent)
        with suppress(ConnectionResetError):
            while connection.recv(100_000):
                pass


def test_uploads_have_limits_of_size_and_number(client: httpx.Client, folder: Path) -> None:
    too_large = f"This is more than the {2} MB that are taken at once; choose smaller files."
    stated = upload(client, bytes(4 * MB))
    assert (stated.status_code, stated.text) == (413, too_large)

    def drip() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
        yield from (bytes(100_000) for _ in range(60))

    kind = {"content-type": "multipart/form-data; boundary=b"}
    with suppress(httpx.TransportError):  # refused before all of it was sent
        assert client.post("/gradio_api/upload", content=drip(), headers=kind).status_code in (400, 413)
    many = client.post("/gradio_api/upload", files=[("files", (f"{n}.edf", b"x")) for n in range(101)])
    assert (many.status_code, many.text) == (
        400,
        f"This cannot be read as an upload of at most {100} files; choose the files again.",
    )
    assert client.post("/gradio_api/upload", content=b"x", headers=kind).status_code in (200, 400)
    assert client.post("/gradio_api/upload", content=b"x").status_code == 400
    assert files_in(folder) == []


def test_uploads_that_nobody_takes_are_bounded_and_swept(client: httpx.Client, folder: Path) -> None:
    answers = [upload(client, bytes(2 * MB - 1000)) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [200, 507]
    assert answers[-1].text == N_("There is no room for more uploads now; try again in some minutes.")
    reception = UploadReceiver(folder, 2, 10)
    reception.remove_stale()
    assert len(files_in(folder)) == 5
    for upload_folder in folder.iterdir():
        os.utime(upload_folder, (time.time() - uploads.MAX_UNTAKEN_S - 1,) * 2)
    reception.remove_stale()
    assert list(folder.iterdir()) == []


def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    client: httpx.Client, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device: JANE_DOE")

    with monkeypatch.context() as patch:
        patch.setattr("gradio.route_utils.NamedTemporaryFile", full)
        answer = upload(client, b"x")
    assert (answer.status_code, answer.text) == (
        507,
        N_("There is no room for more uploads now; try again in some minutes."),
    )
    assert list(folder.iterdir()) == []


def test_a_file_that_is_gone_is_one_sentence(copilot: Service, tmp_path: Path) -> None:
    page = laid_out(copilot)
    shown = analysis.take_upload(page, "recording", Session(), [{"path": str(tmp_path / "0" / "gone.edf")}])
    assert N_("The file is not here any more; please choose it again.") in shown[page.recording.problem]


def test_the_files_of_all_visitors_together_are_bounded(tmp_path: Path) -> None:
    page = laid_out(Service(Settings(max_upload_mb=1), lambda _: FakeEngine()))
    visits = [Session() for _ in range(8)]
    for n, visit in enumerate(visits):
        path = tmp_path / str(n) / "0.edf"
        path.parent.mkdir()
        path.write_bytes(bytes(MB))
        analysis.take_upload(page, "recording", visit, [{"path": str(path), "orig_name": "a.edf"}])
    sizes = [len(visit.recording[0].content) for visit in visits]
    assert sizes == [0] * 3 + [MB] * 5
    shown: dict[Any, Any] = {}
    for update in analysis.analyse(page, visits[0], Form(consent=True)):
        shown |= update
    assert N_("The file is not here any more; please choose it again.") in shown[page.recording.problem]


def test_a_single_file_is_written_under_a_neutral_name_and_several_keep_theirs(
    client: httpx.Client, tmp_path: Path
) -> None:
    def written(folder: str, *names: str) -> set[str]:
        paths = client.post("/gradio_api/upload", files=[("files", (name, b"x")) for name in names]).json()
        described = [{"path": path, "orig_name": name} for path, name in zip(paths, names, strict=True)]
        return {path.name for path in uploads.write_attachments(uploads.read_uploads(described, 1), tmp_path / folder)}

    assert written("one", "Jane.Doe.EDF") == {"0.edf"}
    assert written("odd", "recording.jane") == {"0"}
    assert written("more", "jane.vhdr", "jane.eeg", "jane.vmrk") == {"jane.vhdr", "jane.eeg", "jane.vmrk"}


# Calls


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("ask", [None, 7]),
        ("ask", [None, ["SECRET"]]),
        ("ask", [None, {"SECRET": 1}]),
        ("ask", []),
        ("ask", [None, "SECRET", 3]),
        ("ask", "SECRET"),
        ("ask", None),
        ("analyse", [None, "SECRET", "female", "34", *[""] * 3, "own", *[""] * 6, False]),
        ("analyse", [None, True, "SECRET", "34", *[""] * 3, "own", *[""] * 6, False]),
        ("analyse", [None, True, "female", "34", *[""] * 3, "SECRET", *[""] * 6, False]),
        ("analyse", [None, True, "female", ["SECRET"], *[""] * 3, "own", *[""] * 6, False]),
        ("recording", [None, "SECRET"]),
        ("recording", [None, [{"orig_name": "SECRET"}]]),
        ("recording", [None, [["SECRET"]]]),
    ],
)
def test_a_call_of_another_kind_is_one_sentence_and_nothing_of_it_is_logged(
    client: httpx.Client, numbers: dict[str, int], name: str, data: Any, capfd: Any, caplog: pytest.LogCaptureFixture
) -> None:
    answers = [
        client.post(f"/gradio_api/run/{name}", json={"data": data, "session_hash": "odd"}),
        client.post("/gradio_api/queue/join", json={"data": data, "session_hash": "odd", "fn_index": numbers[name]}),
    ]
    assert [(answer.status_code, answer.json()["detail"]) for answer in answers] == [
        (422, N_("This is not a request that the page makes; load the page again."))
    ] * 2
    assert "SECRET" not in caplog.text + "".join(capfd.readouterr())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 200_000,
        b'{"data": [null, "x"], "fn_index": "0"}',
        b'{"data": [null, "x"], "fn_index": [0]}',
        b'{"data": [null, "x"], "fn_index": 0.0}',
        b"\xff\xfe",
    ],
)
def test_a_call_that_is_none_is_one_sentence(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/gradio_api/run/predict", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        N_("This is not a request that the page makes; load the page again."),
    )


def test_an_empty_question_of_a_program_is_no_error(client: httpx.Client) -> None:
    assert client.post("/gradio_api/run/ask", json={"data": [None, None], "session_hash": "null"}).status_code == 200


def test_what_gradio_itself_stumbles_over_is_logged_without_words(
    client: httpx.Client, capfd: Any, caplog: pytest.LogCaptureFixture
) -> None:
    calls = [
        {"data": ["SECRET"], "fn_index": 9999, "session_hash": "SECRET"},
        {"data": [None, "SECRET"], "fn_index": True, "session_hash": "SECRET", "event_data": {"SECRET": 1}},
        {"data": [None, "x"], "fn_index": None, "session_hash": ["SECRET"]},
    ]
    for call in calls:
        assert client.post("/gradio_api/run/ask", json=call).status_code >= 400
        assert client.post("/gradio_api/queue/join", json=call).status_code >= 400
    assert "SECRET" not in caplog.text + "".join(capfd.readouterr())


def test_a_call_has_a_largest_size(client: httpx.Client) -> None:
    answer = client.post("/gradio_api/run/ask", json={"data": [None, "x" * 3 * MB], "session_hash": "large"})
    assert (answer.status_code, answer.json()["detail"]) == (
        413,
        f"This is more than the {2} MB that are taken at once; choose smaller files.",
    )


def test_refusals_are_in_the_browser_s_language(client: httpx.Client) -> None:
    assert client.get("/nothing", headers={"accept-language": "zh-CN"}).text == Translator("zh")(
        N_("There is nothing at this address; open the first page.")
    )
    assert client.get("/nothing", headers={"accept-language": "en"}).text == N_(
        "There is nothing at this address; open the first page."
    )


# Waiting


def test_everybody_who_waits_sees_their_place_and_stop_frees_it(
    address: str, copilot: Service, numbers: dict[str, int]
) -> None:
    holding = copilot.queue.run_in_turn(iter(["somebody works"]))
    next(holding)
    wait_until(lambda: copilot._models.done())
    data = [None, True, "female", "34", *[""] * 3, "busy", *[""] * 3, False, *[""] * 4, False]

    def told(visitor: int, streams: ExitStack) -> str:
        client = streams.enter_context(httpx.Client(base_url=address, timeout=60))
        call = {"data": data, "fn_index": numbers["analyse"], "session_hash": f"waiting{visitor}"}
        client.post("/gradio_api/queue/join", json=call).raise_for_status()
        stream = client.stream("GET", f"/gradio_api/queue/data?session_hash=waiting{visitor}")
        lines = streams.enter_context(stream).iter_lines()
        streams.enter_context(closing(lines))  # or it would be closed at the end of this function
        for line in lines:
            if (
                "ahead of you" in line
                or N_("Too many people are waiting now; please try again in some minutes.") in line
                or '"process_completed"' in line
            ):
                return line
        return ""

    with ExitStack() as streams, closing(holding):
        with ThreadPoolExecutor(8) as visitors:
            lines = list(visitors.map(lambda n: told(n, streams), range(22)))
        assert all("ahead of you" in line for line in lines)
        stop = {"data": [None], "session_hash": "waiting5"}
        httpx.post(f"{address}/gradio_api/run/stop", json=stop).raise_for_status()
        wait_until(lambda: len(copilot.queue._tickets) == 22)  # 21 and the one who works
    wait_until(lambda: not copilot.queue._tickets)


def test_a_full_line_says_so() -> None:
    made = Service(Settings(), lambda _: FakeEngine())
    made.start()
    holding = [made.queue.run_in_turn(iter("a")) for _ in range(queue.MAX_WAITING + 1)]
    for one in holding:
        next(one)
    page, form = laid_out(made), Form(consent=True, source="busy")
    shown: dict[Any, Any] = {}
    for update in analysis.analyse(page, Session(), form):
        shown |= update
    assert N_("Too many people are waiting now; please try again in some minutes.") in shown[page.results.progress]
    assert shown[page.actions.analyse]["interactive"]
    holding[3].close()
    later = analysis.analyse(page, Session(), form)
    assert any("ahead of you" in update.get(page.results.progress, "") for update in later)
    later.close()
    for one in holding:
        one.close()


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("fr-FR, zh-TW;q=0.5", "zh"),
        ("en-GB,zh;q=0.9", "en"),
        ("zh;q=0, en;q=0.1", "en"),
        ("de", "en"),
        (";;q=,zh;q=x", "en"),
    ],
)
def test_browser_s_language_decides(accept: str, language: str) -> None:
    assert choose_language(accept, ("en", "zh")) == language
