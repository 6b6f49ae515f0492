"""Limit how many connections the server keeps open, and for how long (see ``limit_connections``)."""

import logging
import resource
import socket
from asyncio import BaseTransport, Transport
from contextlib import suppress
from typing import Any

from uvicorn import Server
from uvicorn.protocols.http.h11_impl import H11Protocol

from copilot.i18n import N_

#: Connections at once; an open page has one or two.
MAX_CONNECTIONS = 200

#: Seconds without a request after which a connection is closed.
IDLE_S = 15.0

#: Connections that the system keeps until the server takes them. Uvicorn's 2,048 could all be taken at once, before
#: any of them can be refused.
BACKLOG = 100


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


def limit_connections(server: Server) -> None:
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
