"""The HTTP server under the REST API: waitress in a thread of this process."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from typing import Any, Final

from flask import Flask
from waitress.adjustments import Adjustments

from serving.server.rest.answers import MAX_PREDICTIONS
from serving.server.rest.channel import WsgiServer
from serving.server.rest.hosts import OwnHostOnly
from tidzam_platform.errors import ProcessError
from tidzam_platform.operations.ports import join_address

# Each waits for one answer of the model, whose batches are made of what waits.
_THREADS: Final = MAX_PREDICTIONS + 4  # the others answer status and figures
# Waitress counts its listener and its own wake-up pipe among the connections; later ones wait in the backlog.
_MAX_CONNECTIONS: Final = 100
_BACKLOG: Final = 128
_MAX_HEADER_BYTES: Final = 64 << 10
_MAINTENANCE_S: Final = 1  # how often slow connections are looked for
_LOOP_S: Final = 0.5  # how soon the end of a stop is noticed, where nothing else happens


class RestServer:
    """Serves ``app`` over HTTP; started once, stopped once.

    Bounded: 20 threads (16 of them may predict), 98 connections, ``max_body_bytes`` a body (more than 512 KiB of it
    wait in temporary files), 64 KiB of headers, ``receive_s`` for a request to arrive, ``idle_s`` for a client to take
    its answer. On loopback the Host header must name loopback, see ``serving.server.rest.hosts``.

    Args:
        app: from ``make_rest_app``; its ``MAX_CONTENT_LENGTH`` becomes ``max_body_bytes``.
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
        max_body_bytes: largest body of a request, packed or unpacked.
        receive_s: how long a request may take to arrive.
        idle_s: how long a connection may stay open without a request, or a client take none of its answer.
    """

    def __init__(
        self,
        app: Flask,
        *,
        host: str,
        port: int,
        max_body_bytes: int,
        receive_s: float = 30.0,
        idle_s: float = 60.0,
    ) -> None:
        app.config["MAX_CONTENT_LENGTH"] = max_body_bytes
        self._app = app
        self._host, self._port = host, port
        self._max_body_bytes = max_body_bytes
        self._receive_s, self._idle_s = receive_s, idle_s
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
        listener = self._listen()
        bound = listener.getsockname()
        self._port = int(bound[1])
        application: Any = OwnHostOnly(self._app) if _is_loopback(bound[0]) else self._app
        adjustments = Adjustments(
            sockets=[listener],
            threads=_THREADS,
            connection_limit=_MAX_CONNECTIONS,
            backlog=_BACKLOG,
            max_request_body_size=self._max_body_bytes + 1,  # waitress refuses what is as large as its limit
            max_request_header_size=_MAX_HEADER_BYTES,
            cleanup_interval=_MAINTENANCE_S,
            ident=None,
            log_socket_errors=False,  # clients that leave are none of our errors
            clear_untrusted_proxy_headers=True,
        )
        self._server = WsgiServer(
            application,
            map={},
            _sock=listener,
            adj=adjustments,
            sockinfo=(listener.family, listener.type, listener.proto, bound),
            bind_socket=False,
        )
        self._server.receive_s, self._server.idle_s = self._receive_s, self._idle_s
        self._thread = threading.Thread(target=self._run, name="rest-loop", daemon=True)
        self._thread.start()
        return self._port

    def stop(self, timeout_s: float) -> bool:
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
        except OSError as error:
            raise ProcessError(
                f"the model server's REST API cannot listen on {self.address}: {error.strerror or error}; the port "
                "is in use or the address is not of this machine; stop what uses it, or choose another with "
                "--rest-port"
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
            loop(timeout=0.05, map=connections, use_poll=True, count=1)
        for channel in list(server.active_channels.values()):
            channel.handle_close()
        server.task_dispatcher.shutdown(timeout=max(0.1, self._stop_at_s - time.monotonic()))
        self._is_idle = not server.task_dispatcher.threads
        if self._is_idle:  # a thread that is still at work will pull the trigger
            server.trigger.close()


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback
