"""A Hugging Face Hub on this machine: those parts of its HTTP API that publishing uses, with git's and LFS's checks.

It keeps what it is sent in memory, and every request for the test to look at.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import yaml

TOKEN = "hf_" + "standInForARealTokenOfTheHub0123"
LARGE = (".gguf", ".npz", ".safetensors", "tokenizer.json")


@dataclass
class Repo:
    """One repository: ``commits`` are lists of the paths that each of them brought."""

    private: bool
    sdk: str | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    in_lfs: set[str] = field(default_factory=set)
    commits: list[list[str]] = field(default_factory=list)


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    authorization: str | None
    user_agent: str


class Hub:
    """What the server knows.

    Attributes:
        address: what ``HF_ENDPOINT`` has to be.
        repos: by kind and name.
        requests: everything that was asked, in order.
        failures: pattern of ``METHOD path`` -> status and what the Hub says of it.
        ignored: paths that a ``.gitignore`` on the Hub keeps out.
        upload_begun, may_store: storage waits for the second after it has set the first.
    """

    def __init__(self) -> None:
        self.address = ""
        self.repos: dict[tuple[str, str], Repo] = {}
        self.requests: list[Request] = []
        self.failures: dict[str, tuple[int, str]] = {}
        self.ignored: set[str] = set()
        self.stored: dict[str, bytes] = {}
        self.upload_begun, self.may_store = threading.Event(), threading.Event()
        self.may_store.set()


class Refused(Exception):
    def __init__(self, status: int, said: str, code: str = "") -> None:
        self.status, self.said, self.code = status, said, code


@contextmanager
def running_hub() -> Iterator[Hub]:
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield hub
    finally:
        hub.may_store.set()
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        authorization = self.headers.get("Authorization")
        self.hub.requests.append(Request(self.command, path, authorization, self.headers.get("User-Agent", "")))
        try:
            for pattern, (status, said) in self.hub.failures.items():
                if re.search(pattern, f"{self.command} {path}"):
                    raise Refused(status, said)
            if not path.startswith("/storage/") and authorization != f"Bearer {TOKEN}":
                raise Refused(401, "Invalid credentials in Authorization header")
            self._send(200, self._route(path, body))
        except Refused as refused:
            headers = {"X-Error-Message": refused.said} | ({"X-Error-Code": refused.code} if refused.code else {})
            self._send(refused.status, {"error": refused.said}, headers)

    def _send(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _route(self, path: str, body: bytes) -> Any:
        for pattern, action in _ROUTES:
            if match := re.fullmatch(pattern, f"{self.command} {path}"):
                return action(self.hub, body, **match.groupdict())
        raise Refused(404, f"No such address: {self.command} {path}")


def _create(hub: Hub, body: bytes) -> Any:
    asked = json.loads(body)
    kind, name = asked.get("type", "model"), f"{asked['organization']}/{asked['name']}"
    if (kind, name) in hub.repos:
        raise Refused(409, "You already created this repo")
    hub.repos[kind, name] = Repo(private=asked["visibility"] == "private", sdk=asked.get("sdk"))
    return {"url": f"{hub.address}/{'spaces/' * (kind == 'space')}{name}"}


def _info(hub: Hub, body: bytes, kind: str, name: str) -> Any:
    return {"id": name, "private": _repo(hub, kind, name).private, "sha": "0" * 40, "tags": [], "siblings": []}


def _validate_yaml(hub: Hub, body: bytes) -> Any:
    block = re.match(r"---\n(.*?)\n---\n", json.loads(body)["content"], flags=re.DOTALL)
    if not block or not isinstance(yaml.safe_load(block[1]), dict):
        raise Refused(400, "Invalid front matter")
    return {"errors": [], "warnings": []}


def _preupload(hub: Hub, body: bytes, kind: str, name: str) -> Any:
    _repo(hub, kind, name)
    files = []
    for file in json.loads(body)["files"]:
        mode = "lfs" if file["path"].endswith(LARGE) else "regular"
        files.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": file["path"] in hub.ignored})
    return {"files": files}


def _batch(hub: Hub, body: bytes, name: str) -> Any:
    objects = []
    for wanted in json.loads(body)["objects"]:
        upload = {"href": f"{hub.address}/storage/{wanted['oid']}"}
        verify = {"href": f"{hub.address}/{name}.git/verify"}
        actions = {} if wanted["oid"] in hub.stored else {"actions": {"upload": upload, "verify": verify}}
        objects.append({**wanted, **actions})
    return {"transfer": "basic", "objects": objects}


def _store(hub: Hub, body: bytes, oid: str) -> Any:
    hub.upload_begun.set()
    hub.may_store.wait(30)
    hub.stored[oid] = body
    return {}


def _verify(hub: Hub, body: bytes, name: str) -> Any:
    wanted = json.loads(body)
    content = hub.stored.get(wanted["oid"], b"")
    if hashlib.sha256(content).hexdigest() != wanted["oid"] or len(content) != wanted["size"]:
        raise Refused(422, "The stored object is another one")
    return {}


def _commit(hub: Hub, body: bytes, kind: str, name: str) -> Any:
    repo = _repo(hub, kind, name)
    lines = [json.loads(line) for line in body.splitlines()]
    assert lines[0]["key"] == "header"
    files: dict[str, bytes] = {}
    for line in lines[1:]:
        value = line["value"]
        if line["key"] == "lfsFile":
            files[value["path"]] = hub.stored[value["oid"]]
            repo.in_lfs.add(value["path"])
        else:
            files[value["path"]] = base64.b64decode(value["content"])
    repo.files |= files
    repo.commits.append(sorted(files))
    oid = f"{len(repo.commits):040x}"
    return {"commitUrl": f"{hub.address}/{name}/commit/{oid}", "commitOid": oid, "success": True}


def _paths_info(hub: Hub, body: bytes, kind: str, name: str) -> Any:
    repo = _repo(hub, kind, name)
    found = []
    for path in parse_qs(body.decode())["paths"]:
        if path in repo.files:
            content = repo.files[path]
            oid = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            entry = {"type": "file", "path": path, "size": len(content), "oid": oid}
            if path in repo.in_lfs:
                sha256 = hashlib.sha256(content).hexdigest()
                entry |= {"oid": "1" * 40, "lfs": {"oid": sha256, "size": len(content), "pointerSize": 130}}
            found.append(entry)
    return found


def _repo(hub: Hub, kind: str, name: str) -> Repo:
    if (kind, name) not in hub.repos:
        raise Refused(404, "Repository not found", "RepoNotFound")
    return hub.repos[kind, name]


_REPO = r"/api/(?P<kind>model|space)s/(?P<name>[^/]+/[^/]+)"
_ROUTES = (
    ("POST /api/repos/create", _create),
    ("POST /api/validate-yaml", _validate_yaml),
    (f"GET {_REPO}", _info),
    (f"POST {_REPO}/preupload/main", _preupload),
    (f"POST {_REPO}/commit/main", _commit),
    (f"POST {_REPO}/paths-info/[0-9a-f]+", _paths_info),
    (r"POST /(?:spaces/)?(?P<name>[^/]+/[^/]+)\.git/info/lfs/objects/batch", _batch),
    (r"POST /(?P<name>[^/]+/[^/]+)\.git/verify", _verify),
    ("PUT /storage/(?P<oid>[0-9a-f]+)", _store),
)
