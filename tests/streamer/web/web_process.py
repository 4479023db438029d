"""The real web process, in a process of its own, and its clients."""

from __future__ import annotations

import http.client
import json
import select
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from email.message import Message
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import pytest
import requests
import socketio

from tests.support.crash import cli_environment
from tests.support.waiting import wait_for
from tidzam_platform.access import Role, TokenStore
from tidzam_platform.operations.process_group import die_with_parent

DEADLINE_S = 60.0
STOP_DEADLINE_S = 15.0
START = "from streamer.web import serve_web; serve_web(port=0, as_json=True)"


class Answer(NamedTuple):
    """Of an HTTP request; ``body`` is what its JSON says."""

    status: int
    headers: Message
    body: Any


class WebProcess:
    """The web process of ``home``; keyword arguments are settings of its section web, or ``section__name``."""

    def __init__(self, home: Path, **settings: object) -> None:
        home.mkdir(exist_ok=True)
        self.home = home
        self.log = home / f"web-{time.monotonic_ns()}.log"
        variables = {
            f"TIDZAM_{name if '__' in name else f'web__{name}'}".upper(): _written(value)
            for name, value in settings.items()
        }
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", START],
                env=cli_environment(home, {"TIDZAM_MODEL_SERVER__PORT": "1", **variables}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                preexec_fn=die_with_parent(),  # noqa: PLW1509 - one call of libc; tests may be killed
            )
        self.address = ""
        self.tokens = TokenStore(home / "secrets")

    def __enter__(self) -> Self:
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], DEADLINE_S)
        line = self._process.stdout.readline() if readable else ""
        if not line:
            self.__exit__(None, None, None)
            pytest.fail(f"the web process did not start:\n{self.log.read_text()}")
        self.address = json.loads(line)["address"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(STOP_DEADLINE_S)
        assert self._process.stdout is not None
        self._process.stdout.close()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{self.address}"

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def token(self, role: Role | str = Role.OPERATE) -> str:
        """A new token of that role."""
        return self.tokens.create(Role(role))[1]

    def end(self) -> int:
        """SIGTERM; returns the exit code."""
        self._process.terminate()
        return self._process.wait(STOP_DEADLINE_S)

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait(STOP_DEADLINE_S)

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
        connection = http.client.HTTPConnection(self.address, timeout=DEADLINE_S)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            raw = response.read()
        finally:
            connection.close()
        is_json = response.headers.get_content_type() == "application/json"
        return Answer(response.status, response.headers, json.loads(raw) if is_json else raw)


class SocketClient:
    """python-socketio's own client, and what it was told. A context: connected inside it.

    Attributes:
        told: what came on the event sys.
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
        self.ended = threading.Event()
        self.client.on("sys", self.told.append)
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


def _written(value: object) -> str:
    return json.dumps(value) if isinstance(value, (list, tuple, bool)) else str(value)


def child_threads(pid: int) -> int:
    """How many threads a process has now."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))
