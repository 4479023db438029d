"""A small HTTP/1.1 server on loopback that stands in for somebody's: it can go down and come up again on its port."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self

from tidzam_platform.operations.ports import free_port


@dataclass(frozen=True)
class Request:
    """What came; names of headers in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What is answered."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


Mishap = Reply | Literal["cut", "cut before", "hang"]
"""A reply instead of the server's own (nothing is done then); ``cut``: done, and the connection ends without an answer;
``cut before``: the same, nothing done; ``hang``: nothing done, and no answer for as long as the server is up."""


class HttpStandIn:
    """Up once made. Subclasses say what is answered; ``mishaps`` are used up first, one a request.

    Attributes:
        port: on 127.0.0.1.
        requests: all that came, those of mishaps as well.
        mishaps: what happens to the next requests.
        tls: speaks TLS from the next ``up`` on, if it is set.
    """

    tls: ssl.SSLContext | None = None

    def __init__(self) -> None:
        self.port = free_port()
        self.requests: list[Request] = []
        self.connections = 0
        self.mishaps: deque[Mishap] = deque()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self.up()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def answer(self, request: Request) -> Reply:
        """What is answered; called by one thread a connection."""
        raise NotImplementedError

    def up(self) -> None:
        """Listen."""
        self._server = _Server(("127.0.0.1", self.port), self)
        if self.tls is not None:
            self._server.socket = self.tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def down(self) -> None:
        """Nobody listens, and all connections end. May be called again."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.end()
            self._server = None


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], stand_in: HttpStandIn) -> None:
        self.stand_in = stand_in
        self.ending = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
            self.stand_in.connections += 1
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may end their connections at any time."""

    def end(self) -> None:
        self.ending.set()
        with self._lock:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # an answer in one piece: a second one would wait for a late acknowledgement
    server: _Server

    def _serve(self) -> None:
        stand_in = self.server.stand_in
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, self.rfile.read(length))
        stand_in.requests.append(request)
        mishap: Mishap | None = stand_in.mishaps.popleft() if stand_in.mishaps else None
        if mishap == "hang":
            self.server.ending.wait(30)
        if mishap in ("cut", "cut before", "hang"):
            if mishap == "cut":
                stand_in.answer(request)
            self.close_connection = True
            return
        reply = mishap if isinstance(mishap, Reply) else stand_in.answer(request)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    do_GET = do_POST = do_PUT = _serve  # noqa: N815 - the library's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Nothing: tests look at what came."""
