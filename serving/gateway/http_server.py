"""The gateway as a process of its own: waitress, bounded in threads, connections, bytes and time."""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from typing import Any, Final

from flask import Flask

from serving.gateway.uploads import ENVELOPE_BYTES
from tidzam_platform.errors import ProcessError
from tidzam_platform.settings import GatewaySettings

_LOOK_S: Final = 0.5  # how often the loop looks whether it shall end
_IDLE_S: Final = 60.0  # a connection that sends nothing, or does not take its answer, is closed after this
_MAINTENANCE_S: Final = 1  # how often such connections, and slow senders, are looked for
_SPARE_THREADS: Final = 4  # beside those that hear: for refusals and small answers
_MAX_HEADER_BYTES: Final = 1 << 15
_BACKLOG: Final = 128
_OWN_SOCKETS: Final = 2  # which waitress counts too: the listening one, and its trigger


class HttpServer:
    """Serves ``app``; requests are received whole, on the disk, before a thread looks at them."""

    def __init__(self, app: Flask, settings: GatewaySettings, *, host: str, port: int) -> None:
        """Args: the application; its limits; where to listen (port 0: a free one)."""
        self._app = app
        self._settings = settings
        self._host, self._port = host, port
        self._stop_at_s: float | None = None
        self._is_idle = True
        self._thread: threading.Thread | None = None
        self._server: Any = None
        self._map: dict[int, Any] = {}

    @property
    def address(self) -> str:
        """``host:port``, once started."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{host}:{self._port}"

    def start(self) -> int:
        """Listen, and serve in a thread; returns the port.

        Raises:
            ProcessError: the address cannot be listened on.
        """
        from waitress.adjustments import Adjustments

        from serving.gateway.connections import GatewayWsgiServer

        listener = self._listen()
        bound = listener.getsockname()
        self._port = int(bound[1])
        how = self._settings
        adjustments = Adjustments(
            sockets=[listener],
            threads=how.max_concurrent + _SPARE_THREADS,
            connection_limit=how.max_connections + _OWN_SOCKETS,
            max_request_body_size=(how.max_upload_mb << 20) + ENVELOPE_BYTES + 1,
            max_request_header_size=_MAX_HEADER_BYTES,
            cleanup_interval=_MAINTENANCE_S,
            channel_request_lookahead=1,  # so that a sender that hangs up is noticed while it is heard
            log_socket_errors=False,
            ident=None,
        )
        self._server = GatewayWsgiServer(
            self._app,
            map=self._map,
            _sock=listener,
            adj=adjustments,
            sockinfo=(listener.family, listener.type, listener.proto, bound),
            bind_socket=False,
        )
        self._server.receive_s, self._server.idle_s = how.receive_s, _IDLE_S
        self._thread = threading.Thread(target=self._run, name="gateway", daemon=True)
        self._thread.start()
        return self._port

    def stop(self, timeout_s: float = 5.0) -> bool:
        """Take no more requests and let those under way end; False if one was still running after the time."""
        if self._thread is None:
            return True
        self._stop_at_s = time.monotonic() + timeout_s
        self._server.pull_trigger()
        self._thread.join(timeout_s + 4 * _LOOK_S)
        return not self._thread.is_alive() and self._is_idle

    def _listen(self) -> socket.socket:
        try:
            found = socket.getaddrinfo(
                self._host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            family, _, _, _, address = found[0]
            listening = socket.socket(family, socket.SOCK_STREAM)
            try:
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listening.bind(address)
                listening.listen(_BACKLOG)
            except OSError:
                listening.close()
                raise
        except (OSError, UnicodeError) as error:
            raise ProcessError(
                f"the gateway cannot listen on {self.address} ({error}): is it running already? "
                "Another one: --port, or gateway.port"
            ) from error
        return listening

    def _run(self) -> None:
        from waitress import wasyncore

        server = self._server
        while self._stop_at_s is None:
            wasyncore.loop(timeout=_LOOK_S, use_poll=True, map=self._map, count=1)
        wasyncore.dispatcher.close(server)  # the listener; what wakes the loop up stays
        while server.is_busy() and time.monotonic() < self._stop_at_s:
            wasyncore.loop(timeout=_LOOK_S / 10, use_poll=True, map=self._map, count=1)
        for channel in list(server.active_channels.values()):
            channel.handle_close()
        server.task_dispatcher.shutdown(timeout=max(_LOOK_S, self._stop_at_s - time.monotonic()))
        self._is_idle = not server.task_dispatcher.threads
        if self._is_idle:  # a thread that is still at work will want to wake the loop up
            server.trigger.close()


def keep_bodies_in(folder: str) -> None:
    """Where waitress keeps a body while it arrives: with us, and not on a /tmp that may be memory."""
    tempfile.tempdir = folder
