"""Serve the page: with limits on connections and uploads, and a log that quotes nobody (see ``launch_page``)."""

import asyncio
import logging
import resource
import socket
import sys
from asyncio import BaseTransport, Transport
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder
from uvicorn import Server
from uvicorn.protocols.http.h11_impl import H11Protocol

from copilot.i18n import N_
from copilot.settings import Settings, SettingsError
from copilot.web import browser
from copilot.web.guard import Guard, list_languages, read_inputs
from copilot.web.queue import MAX_WAITING, UPLOADS_HELD, Service
from copilot.web.session import MAX_SESSIONS
from copilot.web.uploads import UploadReceiver

#: Calls of one kind that Gradio runs at once, and as many may wait. More than fit into our own queue, which shows
#: a visitor's place, or that it is full: in Gradio's queue a visitor sees nothing.
MAX_CALLS = MAX_WAITING + 24

#: Connections at once; an open page has one or two.
MAX_CONNECTIONS = 200

#: Seconds without a request after which a connection is closed.
IDLE_S = 15.0

#: Connections that the system keeps until the server takes them. Uvicorn's 2,048 could all be taken at once, before
#: any of them can be refused.
BACKLOG = 100


def launch_page(page: gr.Blocks, service: Service) -> str:
    """Serve the page and return its address, without blocking.

    Raises:
        SettingsError: the port is taken.
    """
    settings = service.settings
    page.queue(default_concurrency_limit=MAX_CALLS, max_size=MAX_CALLS)
    _log_without_messages()
    try:
        _, address, _ = page.launch(
            server_name=settings.host,
            server_port=settings.port,
            prevent_thread_lock=True,
            quiet=True,
            run_history=False,
            enable_monitoring=False,
            ssr_mode=False,
            max_file_size=f"{settings.max_upload_mb}mb",
            max_threads=2 * MAX_CALLS,
            state_session_capacity=MAX_SESSIONS,
            footer_links=[],
            theme=browser.make_theme(),
            css_paths=browser.STYLE_SHEET,
            head=browser.build_head(list_languages(settings)),
            app_kwargs={"lifespan": partial(_install_guard, page, settings)},
        )
    except OSError as error:
        raise SettingsError(
            N_("Port {port} is taken by another program; set EEG_COPILOT_PORT to another number.", port=settings.port)
        ) from error
    _limit_connections(page.server)
    return str(address)


@asynccontextmanager
async def _install_guard(page: gr.Blocks, settings: Settings, app: Any) -> AsyncIterator[None]:
    """Put the guard before everything else, also Gradio's own middleware, before the first connection is accepted."""
    largest = settings.max_upload_mb
    receiver = UploadReceiver(Path(get_upload_folder()), largest, UPLOADS_HELD * largest)
    app.middleware_stack = Guard(app.middleware_stack, settings, receiver, read_inputs(page.config))
    sweeping = asyncio.create_task(receiver.remove_stale_repeatedly())
    yield
    sweeping.cancel()


def _log_without_messages() -> None:
    """Make Gradio log only type and place of an error: its message quotes what a visitor sent."""

    def print_exc() -> None:
        kind, _, trace = sys.exc_info()
        while trace and trace.tb_next:
            trace = trace.tb_next
        place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"
        logging.getLogger(__name__).error("%s at %s", kind.__name__ if kind else "?", place)

    for module in ("gradio.queueing", "gradio.routes", "gradio.utils"):
        sys.modules[module].traceback = SimpleNamespace(print_exc=print_exc)  # type: ignore[attr-defined]


class BoundedProtocol(H11Protocol):
    """HTTP with at most ``MAX_CONNECTIONS`` connections; for a new one the longest idle one is closed."""

    def connection_made(self, transport: BaseTransport) -> None:
        """Accept the connection, or refuse it with one sentence."""
        assert isinstance(transport, Transport)
        super().connection_made(transport)
        self._started = self.loop.time()
        self._answered: object = self
        if len(self.connections) > MAX_CONNECTIONS:
            others = [other for other in self.connections if isinstance(other, BoundedProtocol) and other is not self]
            idle = [other for other in others if other.idle]
            if idle:
                min(idle, key=lambda other: other._started).drop()
            else:
                self._reject()
                return
        self.loop.call_later(IDLE_S, self._close_if_idle)

    @property
    def idle(self) -> bool:
        """Return whether no request is being received or answered."""
        return self.cycle is None or self.cycle.response_complete

    def drop(self) -> None:
        """Close the connection at once."""
        self.connections.discard(self)
        self.transport.abort()

    def _reject(self) -> None:
        body = N_("Too many people use the copilot now; try again in some minutes.").encode()
        head = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nRetry-After: 30\r\n"
        self.transport.write(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        self.connections.discard(self)
        self.transport.close()

    def _close_if_idle(self) -> None:
        """Close a connection without a request since the last check; a slow request could otherwise last for ever."""
        if self.transport.is_closing():
            return
        if self.idle and self._answered in (self, self.cycle):
            self.drop()
            return
        self._answered = self.cycle
        self.loop.call_later(IDLE_S, self._close_if_idle)


def _limit_connections(server: Server) -> None:
    """Limit the connections of a running server, and allow as many open files as the system does."""
    with suppress(ValueError, OSError):  # macOS names a limit that it does not grant
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # a line for each odd request could fill a disk
    server.config.http_protocol_class = BoundedProtocol
    for listener in (each for one in server.servers for each in one.sockets):
        again: Any = socket.fromfd(listener.fileno(), listener.family, listener.type)
        again.listen(BACKLOG)
        again.close()
