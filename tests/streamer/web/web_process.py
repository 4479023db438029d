"""The real web process, in a process of its own, and its clients."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
import socketio

from tests.support.server_process import Answer, HttpServerProcess, as_variables
from tests.support.waiting import wait_for
from tidzam_platform.access import Role, TokenStore

START = "from streamer.web import serve_web; serve_web(port=0, as_json=True)"


class WebProcess(HttpServerProcess):
    """The web process of ``home``; keyword arguments are settings of its section web, or ``section__name``."""

    name = "web process"

    def __init__(self, home: Path, **settings: object) -> None:
        variables = {"TIDZAM_MODEL_SERVER__PORT": "1", **as_variables(settings, "web")}
        super().__init__(home, ["-c", START], variables)
        self.tokens = TokenStore(home / "secrets")

    def token(self, role: Role | str = Role.OPERATE) -> str:
        """A new token of that role."""
        return self.tokens.create(Role(role))[1]

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request; a body that is not bytes is sent as JSON."""
        sent = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        return self.exchange(method, path, body, sent)


class SocketClient:
    """python-socketio's own client, and what it was told. A context: connected inside it.

    Attributes:
        told: what came on the event sys, but for results.
        windows: what came on it of results, one by one.
        sources: what came on the event JackSource, which may come at any time.
        others: what came on other events: (event, value).
        client: the client itself.
    """

    def __init__(
        self, process: WebProcess, token: str | None = None, transports: list[str] | None = None
    ) -> None:
        self._process, self._token, self._transports = process, token, transports
        self._http = requests.Session()
        self.client = socketio.Client(reconnection=False, http_session=self._http)
        self._websocket: Any = None
        self.told: list[Any] = []
        self.windows: list[dict[str, Any]] = []
        self.sources: list[Any] = []
        self.others: list[tuple[str, Any]] = []
        self.ended = threading.Event()
        self.client.on("sys", self._sys)
        self.client.on("JackSource", self.sources.append)
        self.client.on("*", lambda event, value: self.others.append((event, value)))
        self.client.on("disconnect", lambda *_reason: self.ended.set())

    def __enter__(self) -> Self:
        self.client.connect(
            self._process.url,
            auth={"token": self._token} if self._token else None,
            transports=self._transports,
            wait_timeout=20,
        )
        self._websocket = self.client.eio.ws  # None of long polling
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.disconnect()
        if self._websocket is not None:
            self._websocket.shutdown()  # where the other end was faster, the client leaves that to nobody
        self._http.close()

    def _sys(self, value: Any) -> None:
        self.windows.extend(value) if isinstance(value, list) else self.told.append(value)

    def of(self, event: str) -> list[Any]:
        """What came on another event."""
        return [value for name, value in self.others if name == event]

    def say(self, request: Any) -> None:
        """Send a request on sys."""
        self.client.emit("sys", request)

    def call(self, event: str, *values: Any) -> Any:
        """Send an event and wait for its acknowledgement."""
        return self.client.call(event, values if len(values) != 1 else values[0], timeout=20)

    def ask(self, request: Any) -> Any:
        """Send a request on sys and wait for what is told on sys."""
        known = len(self.told)
        self.say(request)
        wait_for(lambda: len(self.told) > known, f"an answer to {str(request)[:100]}")
        return self.told[known]


def child_threads(pid: int) -> int:
    """How many threads a process has now."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))
