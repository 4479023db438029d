"""A WSGI application over HTTP, in a thread of this process."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tidzam_platform.errors import ProcessError
from tidzam_platform.operations.ports import join_address

_BACKLOG: Final = 128
_OWN_SOCKETS: Final = 2  # which waitress counts as connections too: its listener, and what wakes it up
_MAINTENANCE_S: Final = 1  # how often slow connections are looked for
_LOOP_S: Final = 0.5  # how soon the end of a stop is noticed, where nothing else happens


@dataclass(frozen=True)
class HttpLimits:
    """What bounds a server.

    Attributes:
        threads: requests that are answered at the same time.
        connections: open at the same time; later ones wait in the backlog.
        body_bytes: largest body of a request; more than 512 KiB of it wait in a temporary file.
        header_bytes: of all headers of a request together.
        receive_s: how long a request may take to arrive.
        idle_s: how long a connection may stay open without a request, or a client take none of its answer.
        lookahead: requests that are read while an earlier one of the connection is answered.
    """

    threads: int
    connections: int
    body_bytes: int
    header_bytes: int
    receive_s: float
    idle_s: float
    lookahead: int = 0


class HttpServer:
    """Serves ``application``; requests are received whole before a thread looks at them. Started and stopped once.

    Args:
        application: WSGI.
        limits: what bounds it.
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
        name: of the server, for messages.
        mend: how to choose another port.
        refusal_text: the JSON that answers an error of waitress (``code``, ``reason``, ``body``).
    """

    def __init__(
        self,
        application: Any,
        limits: HttpLimits,
        *,
        host: str,
        port: int,
        name: str,
        mend: str,
        refusal_text: Callable[[Any], str],
    ) -> None:
        self._application, self._limits = application, limits
        self._host, self._port = host, port
        self._name, self._mend = name, mend
        self._refusal_text = refusal_text
        self._server: Any = None
        self._thread: threading.Thread | None = None
        self._stop_at_s: float | None = None
        self._is_idle = True

    @property
    def address(self) -> str:
        """``host:port`` where clients reach it, once it is started."""
        return join_address(self._host, self._port)

    def start(self) -> int:
        """Listen; returns the port.

        Raises:
            ProcessError: the address cannot be listened on, e.g. because the port is in use.
        """
        from waitress.adjustments import Adjustments

        listener = self._listen()
        bound = listener.getsockname()
        self._port = int(bound[1])
        limits = self._limits
        adjustments = Adjustments(
            sockets=[listener],
            threads=limits.threads,
            connection_limit=limits.connections + _OWN_SOCKETS,
            backlog=_BACKLOG,
            max_request_body_size=limits.body_bytes + 1,  # waitress refuses what is as large as its limit
            max_request_header_size=limits.header_bytes,
            cleanup_interval=_MAINTENANCE_S,
            channel_request_lookahead=limits.lookahead,
            ident=None,
            log_socket_errors=False,  # clients that leave are none of our errors
            clear_untrusted_proxy_headers=True,
        )
        self._server = self.server_class()(
            self.application_at(str(bound[0])),
            map={},
            _sock=listener,
            adj=adjustments,
            sockinfo=(listener.family, listener.type, listener.proto, bound),
            bind_socket=False,
        )
        self._server.receive_s, self._server.idle_s = limits.receive_s, limits.idle_s
        self._server.refusal_text = self._refusal_text
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()
        return self._port

    def stop(self, timeout_s: float = 5.0) -> bool:
        """Refuse new connections, give requests in flight ``timeout_s``, close.

        Returns:
            Whether nothing is left running.
        """
        if self._thread is None:
            return True
        self._stop_at_s = time.monotonic() + timeout_s
        self._server.pull_trigger()
        self._thread.join(timeout_s + 2 * _LOOP_S)
        idle = not self._thread.is_alive() and self._is_idle
        if idle:
            self._thread = None  # a second stop has nothing to wake
        return idle

    def application_at(self, _address: str) -> Any:
        """The application for who listens on that address, e.g. with a guard around it."""
        return self._application

    def server_class(self) -> Any:
        """The kind of waitress's server: a ``WsgiServer`` of serving.http.connections."""
        from serving.http.connections import WsgiServer

        return WsgiServer

    def _listen(self) -> socket.socket:
        try:
            found = socket.getaddrinfo(
                self._host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            family, kind, protocol, _, address = found[0]
            listener = socket.socket(family, kind, protocol)
            try:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind(address)
                listener.listen(_BACKLOG)  # of two that are bound, only one can listen
            except OSError:
                listener.close()
                raise
        except (OSError, UnicodeError) as error:
            because = getattr(error, "strerror", None) or error
            raise ProcessError(
                f"{self._name} cannot listen on {self.address}: {because}; the port is in use or the address is not "
                f"of this machine; stop what uses it, or choose another with {self._mend}"
            ) from error
        return listener

    def _run(self) -> None:
        server = self._server
        loop, connections = server.asyncore.loop, server._map  # noqa: SLF001 - what its own run() hands to the loop
        while self._stop_at_s is None:
            loop(timeout=_LOOP_S, map=connections, use_poll=True, count=1)
        server.accepting = False
        server.asyncore.dispatcher.close(server)  # the listener; the wake-up pipe stays
        while server.is_busy() and time.monotonic() < self._stop_at_s:
            loop(timeout=_LOOP_S / 10, map=connections, use_poll=True, count=1)
        for channel in list(server.active_channels.values()):
            channel.handle_close()
        server.task_dispatcher.shutdown(timeout=max(_LOOP_S / 5, self._stop_at_s - time.monotonic()))
        self._is_idle = not server.task_dispatcher.threads
        if self._is_idle:  # a thread that is still at work will pull the trigger
            server.trigger.close()
