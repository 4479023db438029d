"""The real gateway in a process of its own, and requests to it as any HTTP client sends them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from email.message import Message
from pathlib import Path

from tests.support.parts import require_part
from tests.support.server_process import ANSWER_S, CLI, Answer, HttpServerProcess, as_variables
from tidzam_platform.access import INITIAL_FILE


class GatewayProcess(HttpServerProcess):
    """``./tidzam serve --http`` on the data folder ``home``, in front of the model server at ``model_server``."""

    name = "gateway"

    def __init__(self, home: Path, model_server: str, **settings: object) -> None:
        host, _, port = model_server.rpartition(":")
        server = {"model_server__host": host, "model_server__port": port}
        arguments = [*CLI, "serve", "--http", "--port", "0", "--json"]
        super().__init__(home, arguments, as_variables({**server, **settings}, "gateway"))

    @property
    def token(self) -> str:
        """What promote and rollback want."""
        return (self.home / "secrets" / INITIAL_FILE).read_text().strip()

    def forget_peak(self) -> int:
        """Let the kernel count the peak of resident memory anew; returns what is resident now, bytes."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")  # proc(5)
        return self.memory("VmRSS")

    def memory(self, field: str) -> int:
        """``VmRSS`` or, since ``forget_peak``, ``VmHWM``, in bytes (proc(5))."""
        status = Path(f"/proc/{self.pid}/status").read_text()
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
        return self.exchange(method, path, body, headers or {})

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
            timeout=ANSWER_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        body, _, status = done.stdout.rpartition(b"\n")
        return Answer(int(status), Message(), json.loads(body))
