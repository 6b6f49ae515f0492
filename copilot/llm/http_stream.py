"""Send one request to an OpenAI-compatible server that can be cancelled at any moment (see ``stream_answer``).

The server is not trusted: what it may send is limited in bytes, lines and time, and its error messages are quoted as
one short line of printable text.
"""

import json
import queue
import time
from collections.abc import AsyncIterator, Generator, Mapping
from typing import Any

import httpx
from anyio import fail_after
from anyio.from_thread import start_blocking_portal

from copilot.i18n import N_
from copilot.i18n import messages as shared_messages
from copilot.llm.base import EngineError
from copilot.text import normalise_line

SERVER_NO_MODEL = N_(
    "The model server has no model {model!r}, or no chat at this address; correct EEG_COPILOT_SERVER_MODEL or "
    "EEG_COPILOT_SERVER."
)
SERVER_TOO_MUCH = N_(
    "The model server at {server} sends more than an answer can be; look at it, or correct EEG_COPILOT_SERVER."
)


#: How often the caller gets control back, whatever the server sends or does not send.
TURN_SECONDS = 0.1
#: On a slow machine a server may read a long prompt before it answers, and then write for a long time.
SILENT_SECONDS, TOTAL_SECONDS = 300.0, 1800.0
#: The longest answer of 400 tokens with 20 alternatives each takes 1 MB, and all of it may be one line.
MOST_BYTES, LONGEST_LINE = 8 * 2**20, 2 * 2**20
#: A stream has a few lines per token, and perhaps a comment ten times a second.
MOST_LINES = 100_000
#: Of an error, bytes that are read and characters that are quoted.
_ERROR_BYTES, _QUOTED = 2**16, 200


def stream_answer(url: str, key: str, body: Mapping[str, Any]) -> Generator[str | None, None, None]:
    """Post ``body`` to the chat endpoint under ``url``; yield lines of the answer, and None ten times a second.

    The request runs on an event loop in a thread of its own: a blocking read could not be cancelled while the server is
    silent. Closing the generator cancels the request, which closes the connection.

    Args:
        url: base of the interface.
        key: bearer token; empty for none.
        body: the request, sent as JSON.

    Raises:
        EngineError: the server cannot be reached, refuses, breaks off, or sends too much or for too long.
    """
    lines: queue.Queue[str | None] = queue.Queue()
    with start_blocking_portal() as portal:
        request = portal.start_task_soon(_send_request, url, key, body, lines)
        request.add_done_callback(lambda _: lines.put(None))
        turn = time.monotonic() + TURN_SECONDS
        try:
            while True:
                if time.monotonic() >= turn:  # also while lines without content come
                    yield None
                    turn = time.monotonic() + TURN_SECONDS
                try:
                    line = lines.get(timeout=max(0.0, turn - time.monotonic()))
                except queue.Empty:
                    continue
                if line is None:
                    break
                yield line
            request.result()
        except (httpx.HTTPError, httpx.InvalidURL, OSError, OverflowError, ValueError, ExceptionGroup) as error:
            raise _make_connection_error(url, error) from error
        finally:
            request.cancel()


async def _send_request(url: str, key: str, body: Mapping[str, Any], lines: "queue.Queue[str | None]") -> None:
    headers = {b"Accept-Encoding": b"identity"}  # a few compressed bytes could unpack to gigabytes
    if key:
        headers[b"Authorization"] = f"Bearer {key}".encode()
    address = f"{url.rstrip('/')}/chat/completions"
    timeout = httpx.Timeout(10.0, read=SILENT_SECONDS)
    # trust_env=False: what users write goes to the server in the settings, through no proxy.
    async with httpx.AsyncClient(headers=headers, timeout=timeout, trust_env=False) as client:
        try:
            with fail_after(TOTAL_SECONDS):
                with fail_after(SILENT_SECONDS):  # httpx limits each read, and a header may come byte by byte
                    response = await client.send(client.build_request("POST", address, json=body), stream=True)
                try:
                    await _receive_answer(response, url, str(body["model"]), lines)
                finally:
                    await response.aclose()
        except TimeoutError as error:
            raise EngineError(
                N_(
                    "The model server at {server} took too long over its answer; look at it and try again.",
                    server=_get_host(url),
                )
            ) from error


async def _receive_answer(response: httpx.Response, url: str, model: str, lines: "queue.Queue[str | None]") -> None:
    """Put the lines of an answer into ``lines``, empty ones left out.

    Raises:
        EngineError: the answer is an error, empty, compressed or too long.
    """
    if response.status_code != httpx.codes.OK:
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > _ERROR_BYTES:
                break
        raise make_status_error(response.status_code, body[:_ERROR_BYTES].decode("utf-8", "replace"), model)
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise EngineError(shared_messages.SERVER_PROTOCOL)
    count = 0
    async for line in _split_lines(response, url):
        count += 1
        if count > MOST_LINES:
            raise _make_too_much_error(url)
        if line.strip():
            lines.put(line)
    if not count:
        raise EngineError(N_("The model server sent no answer; the conversation may be longer than its context."))


async def _split_lines(response: httpx.Response, url: str) -> AsyncIterator[str]:
    """Yield the lines of an answer; httpx's own also break at U+2028 and similar, which JSON may contain, and have no
    limit.

    Raises:
        EngineError: the answer or a line is too long.
    """
    pending, received = bytearray(), 0
    async for chunk in response.aiter_raw():
        received += len(chunk)
        *whole, rest = chunk.split(b"\n")
        for part in whole:
            yield (bytes(pending) + part).decode("utf-8", "replace")
            pending.clear()
        pending += rest
        if received > MOST_BYTES or len(pending) > LONGEST_LINE:
            raise _make_too_much_error(url)
    if pending:
        yield pending.decode("utf-8", "replace")


def make_status_error(status: int, text: str, model: str) -> EngineError:
    """Return the error for an answer with an error status; the server's own message is quoted.

    Args:
        status: of the answer.
        text: its body.
        model: the model that was asked for.
    """
    if status in (401, 403):
        return EngineError(N_("The model server refuses the key; set EEG_COPILOT_SERVER_KEY to one that it accepts."))
    if status == 404:
        return EngineError(N_(SERVER_NO_MODEL, model=model))
    return EngineError(
        N_("The model server reports an error: {status}, {said}.", status=status, said=_extract_reason(text))
    )


def _extract_reason(text: str) -> str:
    """Return the message in a server's error, one short line of printable text."""
    try:
        answer = json.loads(text)
        error = answer.get("error", answer.get("detail", answer)) if isinstance(answer, dict) else answer
        text = str(error.get("message", error) if isinstance(error, dict) else error)
    except (ValueError, RecursionError):
        pass
    return normalise_line(text[: 10 * _QUOTED])[:_QUOTED].rstrip(".") or N_("no reason given")


def _make_too_much_error(url: str) -> EngineError:
    return EngineError(N_(SERVER_TOO_MUCH, server=_get_host(url)))


def _get_host(url: str) -> str:
    """Return host and port only: the address may contain a password."""
    return httpx.URL(url).netloc.decode()


def _make_connection_error(url: str, error: Exception) -> EngineError:
    if isinstance(error, (httpx.InvalidURL, httpx.UnsupportedProtocol)) or not isinstance(error, httpx.HTTPError):
        return EngineError(N_("EEG_COPILOT_SERVER is no address; it has to look like http://127.0.0.1:11434/v1."))
    server = _get_host(url)
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
        return EngineError(
            N_("No model server answers at {server}; start it or correct EEG_COPILOT_SERVER.", server=server)
        )
    if isinstance(error, httpx.TimeoutException):
        return EngineError(
            N_("The model server at {server} has fallen silent; look at it and try again.", server=server)
        )
    return EngineError(
        N_("The model server at {server} broke off its answer; look at it and try again.", server=server)
    )
