"""Check every request before Gradio gets it (see ``Guard``).

Gradio serves far more than this page needs: it fetches addresses for any client, serves files by path, and answers to
every name of this machine. Here a request is refused unless the page or its documented programming interface
(``gradio_client``) makes such requests.
"""

import asyncio
import json
import logging
import re
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from copilot.eeg.recording_files import MB
from copilot.i18n import LANGUAGES, N_, Translator, messages
from copilot.settings import Settings
from copilot.web.uploads import MAX_FILES, NoRoomError, UploadReceiver

NOTHING_HERE = N_("There is nothing at this address; open the first page.")
OTHER_PAGE = N_("Another web page asked for this; open the copilot's own page instead.")
WRONG_CALL = N_("This is not a request that the page makes; load the page again.")
BODY_TOO_LARGE = N_("This is more than the {most} MB that are taken at once; choose smaller files.")
BROKE_OFF = N_("The upload came too slowly or broke off; choose the file again.")


#: Paths that the page and ``gradio_client`` request, measured in a browser; the pages' own addresses are added.
_READ = re.compile(
    r"/(?:config|theme\.css|favicon\.ico|robots\.txt|manifest\.json|(?:static|assets)/.+)"
    r"|/gradio_api/(?:info|startup-events|upload_progress|queue/data|heartbeat/[\w-]+|call/\w+/\w+)"
)
_CALL = re.compile(r"/gradio_api/(?:queue/join|cancel|reset|(?:run|call)/\w+)")
_UPLOAD = "/gradio_api/upload"

#: The most that a call's JSON may take; the page's largest, a record panel, takes a tenth.
_CALL_MB = 2

#: Headers and boundaries around uploaded files, bytes.
_AROUND_FILES = MB

#: Seconds in which the next part of a request, and all of it, must come; and in which a part of an answer must leave.
_PART_S, _WHOLE_S = 30, 1800

log = logging.getLogger(__name__)


def list_languages(settings: Settings) -> tuple[str, ...]:
    """Return the page's languages; the first is at its root, the others at their code."""
    return (settings.language,) if settings.language else tuple(LANGUAGES)


def choose_language(accept: str, languages: Sequence[str]) -> str:
    """Return which of ``languages`` an ``Accept-Language`` header (RFC 9110, 12.5.4) prefers; the first if none."""
    liked: list[tuple[float, int, str]] = []
    for part in accept.split(","):
        tag, _, weight = part.partition(";")
        code, quality = tag.strip().lower().split("-")[0], weight.strip().removeprefix("q=") or "1"
        if code in languages and quality.replace(".", "", 1).isdecimal() and float(quality) > 0:
            liked.append((-float(quality), len(liked), code))
    return min(liked)[2] if liked else languages[0]


class _RefusedError(Exception):
    """A request gets this status and sentence as its answer."""

    def __init__(self, status: int, sentence: str, **values: Any) -> None:
        self.status, self.sentence, self.values = status, sentence, values


@dataclass(frozen=True)
class Input:
    """What a call may contain for one part of the page.

    Attributes:
        kind: its Gradio type.
        choices: the values of a choice.
        several: whether it is a list of files instead of one.
    """

    kind: str
    choices: tuple[Any, ...] = ()
    several: bool = False

    def accepts(self, value: Any) -> bool:
        """Return whether the page could send ``value``."""
        if self.kind == "checkbox":
            return isinstance(value, bool)
        if self.kind == "textbox":
            return value is None or isinstance(value, str)
        if self.kind in ("radio", "dropdown"):
            return value in self.choices if isinstance(value, str) else value is None
        if self.kind == "file":
            files = value if isinstance(value, list) and self.several else [value]
            described = all(isinstance(file, dict) and isinstance(file.get("path"), str) for file in files)
            return value is None or (isinstance(value, list) == self.several and described)
        return True


class Guard:
    """Refuses, with one sentence, what neither the page nor ``gradio_client`` would ask; limits and labels the rest.

    - The path is one of those needed; everything else is not found.
    - ``Host`` is this machine, the configured name or address, or an allowed name: a page whose name points to
      127.0.0.1 (DNS rebinding) reads nothing.
    - A browser states where a request comes from (``Origin``, ``Sec-Fetch-Site``): other sites may only open a page.
    - A call's JSON is small, names no file but one that this process took in, and fits the page's own inputs.
    - Uploads are bounded, each and together (see ``UploadReceiver``).
    - A visitor of the root is redirected to the language that their browser asks for.
    - Answers tell the browser to load nothing from elsewhere, and who may frame the page.

    Args:
        app: the rest of the server.
        settings: of this process.
        receiver: stores uploads.
        inputs: of each call that the page makes, by its number and by its name; others are the record panel's.
    """

    def __init__(
        self, app: ASGIApp, settings: Settings, receiver: UploadReceiver, inputs: Mapping[int | str, Sequence[Input]]
    ) -> None:
        self._app, self._settings, self._receiver, self._inputs = app, settings, receiver, inputs
        self._languages = list_languages(settings)
        self._pages = {"/", *(f"/{code}{end}" for code in self._languages[1:] for end in ("", "/"))}
        host = settings.host.strip("[]").lower()
        self._names = {"localhost", host, *settings.allowed_hosts}
        self._any_address = host in ("0.0.0.0", "::")  # every network of this machine
        frames = "'self' https://huggingface.co" if settings.on_space else "'self'"
        self._security_headers = {
            "content-security-policy": "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; "
            f"object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors {frames}",
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            **({} if settings.on_space else {"x-frame-options": "SAMEORIGIN"}),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no web sockets here
        begun = False

        async def send_with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                headers.update(self._security_headers)
            await asyncio.wait_for(send(message), _PART_S)

        try:
            await self._handle(scope, receive, send_with_headers)
        except _RefusedError as refused:
            if not begun:
                await self._make_refusal(scope, refused)(scope, receive, send_with_headers)
        except (ClientDisconnect, TimeoutError):
            pass  # the client is gone
        except Exception as error:
            # Its words may quote the person, so the log gets none of them.
            frame = traceback.extract_tb(error.__traceback__)[-1]
            log.error("%s at %s:%s", type(error).__name__, frame.filename, frame.lineno)
            if not begun:
                await self._make_refusal(scope, _RefusedError(500, messages.FAILED_HERE))(
                    scope, receive, send_with_headers
                )

    def _make_refusal(self, scope: Scope, refused: _RefusedError) -> Response:
        translate = Translator(choose_language(Headers(scope=scope).get("accept-language", ""), self._languages))
        sentence = translate(refused.sentence, **refused.values)
        headers = {"connection": "close"}  # what is left of the request is not read
        if _CALL.fullmatch(scope["path"]):  # Gradio's page looks in either of the two
            return JSONResponse({"detail": sentence, "error": sentence}, refused.status, headers)
        return PlainTextResponse(sentence, refused.status, headers)

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        self._check_sender(scope, headers)
        path, method = scope["path"], scope["method"]
        if method in ("GET", "HEAD") and (path in self._pages or _READ.fullmatch(path)):
            await (self._redirect_to_language(scope, headers) or self._app)(scope, receive, send)
        elif method == "POST" and path == _UPLOAD:
            files = await self._receive_upload(scope, _limit_body(receive, self._max_body))
            await JSONResponse(files)(scope, receive, send)
        elif method == "POST" and _CALL.fullmatch(path):
            body = await _read_body(receive, headers)
            self._check_call(path, body, headers["host"])
            await self._app(scope, _replay_body(body, receive), send)
        else:
            raise _RefusedError(404, NOTHING_HERE)

    def _redirect_to_language(self, scope: Scope, headers: Headers) -> Response | None:
        """Return the answer that leads a visitor of the root to their language.

        None if it is there, or if the address has ``?lang=``, as the page's own links do.
        """
        if scope["path"] != "/" or "lang" in QueryParams(scope["query_string"]):
            return None
        language = choose_language(headers.get("accept-language", ""), self._languages)
        if language == self._languages[0]:
            return None
        query = f"?{scope['query_string'].decode()}" if scope["query_string"] else ""
        return RedirectResponse(language + query, headers={"Vary": "Accept-Language"})

    def _check_sender(self, scope: Scope, headers: Headers) -> None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_own_name(_parse_host(hosts[0])):
            raise _RefusedError(
                421, N_("This address is not allowed; use this machine's own, or name it in EEG_COPILOT_ALLOWED_HOSTS.")
            )
        if not all(self._is_same_host(origin.partition("://")[2], hosts[0]) for origin in headers.getlist("origin")):
            raise _RefusedError(403, OTHER_PAGE)
        opens_page = scope["method"] == "GET" and scope["path"] in self._pages
        to_page = opens_page and headers.get("sec-fetch-mode") == "navigate"
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none") and not to_page:
            raise _RefusedError(403, OTHER_PAGE)

    def _is_own_name(self, name: str) -> bool:
        """Return whether this is a name of the server; an address cannot be a foreign name for this machine."""
        if name in self._names:
            return True
        try:
            address = ip_address(name)
        except ValueError:
            return False
        return self._any_address or address.is_loopback

    @property
    def _max_body(self) -> int:
        return self._settings.max_upload_mb * MB + _AROUND_FILES

    async def _receive_upload(self, scope: Scope, receive: Receive) -> list[str]:
        request = Request(scope, receive)
        length = _read_length(request.headers)
        if length is not None and length > self._max_body:
            raise _RefusedError(413, BODY_TOO_LARGE, most=self._settings.max_upload_mb)
        try:
            return await self._receiver.receive(request, self._max_body if length is None else length)
        except NoRoomError:
            raise _RefusedError(507, N_("There is no room for more uploads now; try again in some minutes.")) from None
        except _TooLargeError:
            raise _RefusedError(413, BODY_TOO_LARGE, most=self._settings.max_upload_mb) from None
        except TimeoutError:
            raise _RefusedError(408, BROKE_OFF) from None
        except (MultiPartException, KeyError):
            raise _RefusedError(
                400,
                N_("This cannot be read as an upload of at most {most} files; choose the files again."),
                most=MAX_FILES,
            ) from None

    def _check_call(self, path: str, body: bytes, host: str) -> None:
        """Check that a call is like one of the page's, and names no file or address but one of an upload."""
        try:
            call = json.loads(body)
        except (ValueError, RecursionError):
            raise _RefusedError(422, WRONG_CALL) from None
        if not isinstance(call, dict) or not all(self._is_harmless(part, host) for part in _find_dictionaries(call)):
            raise _RefusedError(422, WRONG_CALL)
        if not path.startswith(("/gradio_api/run/", "/gradio_api/call/", "/gradio_api/queue/")):
            return
        number, data = call.get("fn_index"), call.get("data")
        if number is None and path.rpartition("/")[2] not in self._inputs:
            raise _RefusedError(404, NOTHING_HERE)
        if not isinstance(data, list) or not isinstance(number, int | None):
            raise _RefusedError(422, WRONG_CALL)
        inputs = self._inputs.get(path.rpartition("/")[2] if number is None else number)
        if inputs is not None and not _match_inputs(data, inputs):
            raise _RefusedError(422, WRONG_CALL)

    def _is_harmless(self, part: dict[str, Any], host: str) -> bool:
        """Return whether a part of a call that describes a file describes one that was uploaded here."""
        path, url = part.get("path"), part.get("url")
        if path is not None and not (isinstance(path, str) and self._receiver.contains(path)):
            return False
        if url is None or (isinstance(url, str) and re.match(r"/(?!/)", url)):
            return True
        whole = re.match(r"https?://([^/]+)/", url) if isinstance(url, str) else None
        return whole is not None and self._is_same_host(whole[1], host)

    def _is_same_host(self, netloc: str, host: str) -> bool:
        """Return whether a name with its port is that of the request; behind a proxy also an allowed name."""
        return netloc == host or _parse_host(netloc) in self._settings.allowed_hosts


def _match_inputs(data: Sequence[Any], inputs: Sequence[Input]) -> bool:
    """Return whether values match the inputs; a call by name may leave out the visitor's state."""
    without_state = [one for one in inputs if one.kind != "state"]
    expected = inputs if len(data) == len(inputs) else without_state
    return len(data) == len(expected) and all(one.accepts(value) for one, value in zip(expected, data, strict=True))


def read_inputs(config: Mapping[str, Any]) -> dict[int | str, list[Input]]:
    """Return the inputs of every call in a page's configuration, by the call's number and by its name."""
    parts = {
        part["id"]: Input(
            part["type"],
            tuple(value for _, value in part["props"].get("choices") or ()),
            part["props"].get("file_count") == "multiple",
        )
        for part in config["components"]
    }
    inputs: dict[int | str, list[Input]] = {}
    for call in config["dependencies"]:
        taken = [parts[number] for number in call["inputs"]]
        inputs |= {call["id"]: taken} | ({call["api_name"]: taken} if call["api_name"] else {})
    return inputs


def _parse_host(netloc: str) -> str:
    """Return the name or address in a ``Host`` header or an address, without port."""
    try:
        return urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return ""


def _find_dictionaries(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every dictionary in a JSON value, at any depth."""
    rest = [value]
    while rest:
        part = rest.pop()
        if isinstance(part, dict):
            yield part
            rest += part.values()
        elif isinstance(part, list):
            rest += part


class _TooLargeError(Exception):
    """The body is larger than allowed."""


def _read_length(headers: Headers) -> int | None:
    stated = headers.get("content-length", "")
    return int(stated) if stated.isascii() and stated.isdigit() else None


def _limit_body(receive: Receive, most: int) -> Receive:
    """Return ``receive`` limited to ``most`` bytes, and in time.

    Raises:
        _TooLargeError: the body is larger.
        TimeoutError: it came too slowly.
    """
    left, until = most, asyncio.get_running_loop().time() + _WHOLE_S

    async def bounded() -> Message:
        nonlocal left
        now = asyncio.get_running_loop().time()
        message = await asyncio.wait_for(receive(), min(_PART_S, until - now))
        left -= len(message.get("body", b""))
        if left < 0:
            raise _TooLargeError
        return message

    return bounded


async def _read_body(receive: Receive, headers: Headers) -> bytes:
    """Return the body of a call."""
    too_large = _RefusedError(413, BODY_TOO_LARGE, most=_CALL_MB)
    if (_read_length(headers) or 0) > _CALL_MB * MB:
        raise too_large
    body, bounded = [], _limit_body(receive, _CALL_MB * MB)
    try:
        while True:
            message = await bounded()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            body.append(message.get("body", b""))
            if not message.get("more_body"):
                return b"".join(body)
    except _TooLargeError:
        raise too_large from None
    except TimeoutError:
        raise _RefusedError(408, BROKE_OFF) from None


def _replay_body(body: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that gives the body once more, then what comes after it."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
