"""The model server as its users start it, in a process of its own, and what it costs."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from serving.repository.server_files import METRICS_PATH
from tidzam_platform.errors import ModelServerError
from tidzam_platform.operations.child_process import ChildProcess

_START_S: Final = 120.0  # TensorFlow's import, a load and its warm-up
_HTTP_S: Final = 10.0


@dataclass(frozen=True)
class Spent:
    """What a server has used since it started: processor time of all its threads, and the batches that it ran."""

    cpu_s: float
    rows: float
    batches: float

    def since(self, before: Spent) -> Spent:
        """What was used between ``before`` and now."""
        return Spent(self.cpu_s - before.cpu_s, self.rows - before.rows, self.batches - before.batches)

    @property
    def mean_batch(self) -> float:
        """Rows of an average batch; 0 where none ran."""
        return self.rows / self.batches if self.batches else 0.0


class ServerProcess(ChildProcess):
    """``./tidzam serve`` on the data folder ``home``, on free ports of loopback; a context that ends it.

    The caller's settings hold, e.g. ``TIDZAM_MODEL_SERVER__BATCHING__MAX_BATCH_SIZE``, where ``environment`` has
    no others.
    """

    def __init__(self, home: Path, environment: Mapping[str, str] | None = None) -> None:
        command = [sys.executable, "-m", "tidzam_platform.cli", "serve"]
        command += ["--host", "127.0.0.1", "--port", "0", "--json"]
        self._log = home / "logs" / "model-server.log"
        super().__init__(
            "the model server", command, self._log, {**(environment or {}), "TIDZAM_HOME": str(home)}
        )
        self._ready: dict[str, Any] = {}

    def wait_until_ready(self) -> str:
        """The gRPC address, once a version answers; ProcessError as ``wait_until``."""
        self.wait_until(self._is_ready, _START_S)
        return str(self._ready["address"])

    @property
    def memory_mb(self) -> float:
        """Resident memory."""
        return float(psutil.Process(self._process.pid).memory_info().rss) / (1 << 20)

    def spent(self) -> Spent:
        """What it has used until now."""
        times = psutil.Process(self._process.pid).cpu_times()
        text = self.metrics()
        name = ":tensorflow:serving:batching:processed_batch_size"
        return Spent(times.user + times.system, total(text, f"{name}_sum"), total(text, f"{name}_count"))

    def metrics(self) -> str:
        """Its metrics, as Prometheus reads them."""
        connection = http.client.HTTPConnection(str(self._ready["rest_address"]), timeout=_HTTP_S)
        with contextlib.closing(connection):
            connection.request("GET", METRICS_PATH)
            answer = connection.getresponse()
            text = answer.read().decode()
        if answer.status != http.HTTPStatus.OK:
            raise ModelServerError(f"{METRICS_PATH} of {self.name} answers {answer.status}: {text[:200]}")
        return text

    def _is_ready(self) -> bool:
        lines = self._log.read_text(errors="replace").splitlines(keepends=True)
        said = [line for line in lines if line.startswith("{") and line.endswith("\n")]
        if said:
            self._ready = json.loads(said[0])
        return bool(said)


def total(metrics: str, name: str) -> float:
    """The sum of a metric over all its labels; 0 while it has no value."""
    found = re.findall(rf"^{re.escape(name)}(?:{{[^}}]*}})? (\S+)$", metrics, re.MULTILINE)
    return sum(map(float, found))
