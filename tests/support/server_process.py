"""A server of ours in a process of its own: what the helpers for each of them share."""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from email.message import Message
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, NamedTuple, Self

import pytest

from tests.support.crash import cli_environment
from tidzam_platform.audio.children import spawn

READY_S = 60.0  # TensorFlow's import on a machine that does other things too
STOP_S = 30.0
ANSWER_S = 60.0
CLI = ("-m", "tidzam_platform.cli")


class ServerProcess:
    """Python with ``arguments``, which says on one line of JSON that it is ready. A context: ready inside it.

    It is ended by SIGTERM, and by SIGKILL where that takes too long; the kernel kills it when the tests are killed.

    Attributes:
        name: what it is, for messages and its log.
        home: the data folder; it is made.
        log: what it writes on standard error.
        said: the line of JSON.
    """

    name: ClassVar = "server"

    def __init__(
        self,
        home: Path,
        arguments: Sequence[str],
        variables: Mapping[str, str],
        python: Path | str = sys.executable,
    ) -> None:
        home.mkdir(exist_ok=True)
        self.home = home
        self.log = home / f"{self.name.replace(' ', '-')}-{time.monotonic_ns()}.log"
        self.said: dict[str, Any] = {}
        with self.log.open("wb") as log:
            self._process = spawn(
                [str(python), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                environment=cli_environment(home, variables),
                folder=os.fspath(Path.cwd()),
            )

    def __enter__(self) -> Self:
        try:
            self.said = self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def stderr(self) -> str:
        """What it wrote on standard error until now."""
        return self.log.read_text()

    def wait_ready(self, deadline_s: float = READY_S) -> dict[str, Any]:
        """The line that it says once it is ready; fails the test with what it wrote where it does not."""
        output = self._process.stdout
        assert output is not None
        readable, _, _ = select.select([output], [], [], deadline_s)
        line = output.readline() if readable else b""
        if not line:
            pytest.fail(
                f"the {self.name} was not ready within {deadline_s:g} s, "
                f"exit code {self._process.poll()}:\n{self.stderr}"
            )
        ready: dict[str, Any] = json.loads(line)
        return ready

    def end(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end, and wait; its exit code."""
        self._process.send_signal(number)
        return self._process.wait(STOP_S)

    def kill(self) -> None:
        """End it as kill -9 does, also where it is stopped."""
        self._process.kill()
        self._process.wait(STOP_S)

    def stop(self) -> None:
        """End it, if it has not ended. May be called again."""
        if self._process.poll() is None:
            try:
                self.end()
            except subprocess.TimeoutExpired:
                self.kill()
        assert self._process.stdout is not None
        self._process.stdout.close()


class Answer(NamedTuple):
    """Of an HTTP request; ``body`` is what its JSON says, else its bytes."""

    status: int
    headers: Message
    body: Any


class HttpServerProcess(ServerProcess):
    """One that says its ``address``, and speaks HTTP there."""

    @property
    def address(self) -> str:
        """``host:port``; empty until it is ready."""
        return str(self.said.get("address", ""))

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{self.address}"

    def exchange(
        self, method: str, path: str, body: bytes | Iterator[bytes] | None, headers: Mapping[str, str]
    ) -> Answer:
        """One request on a connection of its own; an iterator as the body is sent in chunks."""
        connection = http.client.HTTPConnection(self.address, timeout=ANSWER_S)
        try:
            chunked = body is not None and not isinstance(body, bytes)
            connection.request(method, path, body, headers, encode_chunked=chunked)
            response = connection.getresponse()
            raw = response.read()
        finally:
            connection.close()
        is_json = response.headers.get_content_type() == "application/json"
        return Answer(response.status, response.headers, json.loads(raw) if is_json else raw)


def as_variables(settings: Mapping[str, object], section: str = "") -> dict[str, str]:
    """Settings by name, ``section__name`` or one of ``section``, as the variables that say them."""
    return {
        f"TIDZAM_{name if '__' in name else f'{section}__{name}'}".upper(): _written(value)
        for name, value in settings.items()
    }


def _written(value: object) -> str:
    return json.dumps(value) if isinstance(value, (list, tuple, bool)) else str(value)
