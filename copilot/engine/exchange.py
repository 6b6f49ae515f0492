"""One request to an OpenAI-compatible server that can be given up at any moment (see ``exchange``)."""

import json
import queue
from collections.abc import Generator, Mapping
from typing import Any

import httpx
from anyio.from_thread import start_blocking_portal

from copilot.engine.base import EngineError
from copilot.language import english, sentence

#: How often the caller gets a turn while the server is silent.
TURN_SECONDS = 0.1
#: A server may read a long prompt on a slow machine before it says a word.
_TIMEOUT = httpx.Timeout(10.0, read=300.0)


def exchange(url: str, key: str, body: Mapping[str, Any]) -> Generator[str | None, None, None]:
    """Post ``body`` to the chat endpoint under ``url``; yield lines of the answer, None ten times a second without one.

    The request runs on an event loop in a thread of its own: a blocking read could not be given up while the server is
    silent. Closing the generator cancels the request, which closes the connection.

    Raises:
        EngineError: the server cannot be reached, refuses, or breaks off.
    """
    lines: queue.Queue[str | None] = queue.Queue()
    with start_blocking_portal() as portal:
        request = portal.start_task_soon(_talk, url, key, body, lines)
        request.add_done_callback(lambda _: lines.put(None))
        try:
            while True:
                try:
                    line = lines.get(timeout=TURN_SECONDS)
                except queue.Empty:
                    yield None
                    continue
                if line is None:
                    break
                yield line
            request.result()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _unreachable(url, error) from error
        finally:
            request.cancel()


async def _talk(url: str, key: str, body: Mapping[str, Any], lines: "queue.Queue[str | None]") -> None:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    address = f"{url.rstrip('/')}/chat/completions"
    # trust_env=False: what people tell the copilot goes to the server that was named, through no proxy.
    async with (
        httpx.AsyncClient(headers=headers, timeout=_TIMEOUT, trust_env=False) as client,
        client.stream("POST", address, json=body) as response,
    ):
        if response.status_code != httpx.codes.OK:
            raise refused(response.status_code, (await response.aread()).decode("utf-8", "replace"), body["model"])
        empty = True
        async for line in response.aiter_lines():
            lines.put(line)
            empty = False
        if empty:
            raise EngineError(sentence(english.SERVER_SILENT_AT_ONCE))


def refused(status: int, text: str, model: str) -> EngineError:
    """The error for an answer that is an error; what the server itself says is quoted."""
    if status in (401, 403):
        return EngineError(sentence(english.SERVER_KEY))
    if status == 404:
        return EngineError(sentence(english.SERVER_NO_MODEL, model=model))
    return EngineError(sentence(english.SERVER_ERROR, status=status, said=_said(text)))


def _said(text: str) -> str:
    """The message in a server's error, at most 200 characters on one line."""
    try:
        answer = json.loads(text)
        error = answer.get("error", answer.get("detail", answer)) if isinstance(answer, dict) else answer
        text = str(error.get("message", error) if isinstance(error, dict) else error)
    except ValueError:
        pass
    return " ".join(text.split())[:200].rstrip(".") or english.SERVER_NO_REASON


def _unreachable(url: str, error: Exception) -> EngineError:
    if isinstance(error, (httpx.InvalidURL, httpx.UnsupportedProtocol)):
        return EngineError(sentence(english.SERVER_ADDRESS))
    server = httpx.URL(url).netloc.decode()  # host and port only: the address may hold a password
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
        return EngineError(sentence(english.SERVER_ABSENT, server=server))
    if isinstance(error, httpx.TimeoutException):
        return EngineError(sentence(english.SERVER_SILENT, server=server))
    return EngineError(sentence(english.SERVER_BROKE_OFF, server=server))
