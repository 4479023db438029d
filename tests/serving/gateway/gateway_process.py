"""The real gateway in a process of its own, and requests to it as any HTTP client sends them."""

from __future__ import annotations

import http.client
import json
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import pytest

from tests.support.crash import cli_environment
from tests.support.parts import require_part
from tidzam_platform.access import INITIAL_FILE

DEADLINE_S = 60.0
STOP_DEADLINE_S = 10.0


class Answer(NamedTuple):
    """Of an HTTP request; ``body`` is what its JSON says."""

    status: int
    headers: Mapping[str, str]
    body: Any


class GatewayProcess:
    """``./tidzam serve --http`` on the data folder ``home``, in front of the model server at ``model_server``."""

    def __init__(self, home: Path, model_server: str, **settings: object) -> None:
        home.mkdir(exist_ok=True)
        self.home = home
        self.log = home / f"gateway-{time.monotonic_ns()}.log"
        host, _, port = model_server.rpartition(":")
        variables = {f"TIDZAM_GATEWAY__{name.upper()}": str(value) for name, value in settings.items()}
        server = {"TIDZAM_MODEL_SERVER__HOST": host, "TIDZAM_MODEL_SERVER__PORT": port}
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tidzam_platform.cli", "serve", "--http", "--port", "0", "--json"],
                env=cli_environment(home, {**server, **variables}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.address = ""

    def __enter__(self) -> Self:
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], DEADLINE_S)
        line = self._process.stdout.readline() if readable else ""
        if not line:
            self.__exit__(None, None, None)
            pytest.fail(f"the gateway did not start:\n{self.log.read_text()}")
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
    def token(self) -> str:
        """What promote and rollback want."""
        return (self.home / "secrets" / INITIAL_FILE).read_text().strip()

    def end(self) -> int:
        """SIGTERM; returns the exit code."""
        self._process.terminate()
        return self._process.wait(STOP_DEADLINE_S)

    def forget_peak(self) -> int:
        """Let the kernel count the peak of resident memory anew; returns what is resident now, bytes."""
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")  # proc(5)
        return self.memory("VmRSS")

    def memory(self, field: str) -> int:
        """``VmRSS`` or, since ``forget_peak``, ``VmHWM``, in bytes (proc(5))."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        found = re.search(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)
        assert found is not None
        return int(found[1]) << 10

    def spooled(self) -> list[Path]:
        """Uploads that lie on the disk now."""
        return list((self.home / "spool" / "gateway" / ".partial").glob("*"))

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request; an iterator as the body is sent in chunks."""
        connection = http.client.HTTPConnection(self.address, timeout=DEADLINE_S)
        try:
            chunked = body is not None and not isinstance(body, bytes)
            connection.request(method, path, body, dict(headers or {}), encode_chunked=chunked)
            response = connection.getresponse()
            raw = response.read()
        finally:
            connection.close()
        is_json = response.headers.get_content_type() == "application/json"
        return Answer(response.status, dict(response.headers), json.loads(raw) if is_json else raw)

    def curl(self, *arguments: str | Path) -> Answer:
        """``curl ARGUMENTS``; the last one is the path."""
        *options, path = map(str, arguments)
        done = subprocess.run(
            [
                require_part("curl"),
                "-sS",
                "--noproxy",
                "*",
                "-w",
                "\n%{http_code}",
                *options,
                self.url + path,
            ],
            capture_output=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        body, _, status = done.stdout.rpartition(b"\n")
        return Answer(int(status), {}, json.loads(body))
