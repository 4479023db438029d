"""Questions that tell whether a process is ready. Each has a deadline, and is asked on this machine."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final, Protocol

from tidzam_platform.operations.ports import join_address

_ANSWER_BYTES: Final = 1 << 20
_SHOWN: Final = 200  # characters of an answer that is told to people
_WILDCARDS: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not bound to, mapped away


@dataclass(frozen=True)
class Answer:
    """What a probe found.

    Attributes:
        ready: whether the process does its work.
        detail: why not; or a remark. May be empty.
    """

    ready: bool
    detail: str = ""


class Probe(Protocol):
    """Asks one process."""

    @property
    def port(self) -> int | None:
        """The TCP port that the process must listen on itself: another program may answer there. None: no port."""

    def ask(self, timeout_s: float) -> Answer:
        """Ask once; takes about ``timeout_s`` at most and raises nothing."""


@dataclass(frozen=True)
class HttpProbe:
    """``GET path`` is answered with 200."""

    host: str
    port: int
    path: str

    def ask(self, timeout_s: float) -> Answer:
        """Ask once; see ``Probe``."""
        connection = HTTPConnection(reachable(self.host), self.port, timeout=timeout_s)  # through no proxy
        question = f"GET {self.path} at {join_address(self.host, self.port)}"
        try:
            connection.request("GET", self.path)
            response = connection.getresponse()
            body = response.read(_ANSWER_BYTES)
        except (OSError, HTTPException) as error:
            return Answer(False, f"{question}: {error or type(error).__name__}")
        finally:
            connection.close()
        said = " ".join(body.decode(errors="replace").split())[:_SHOWN]
        return Answer(
            response.status == 200, "" if response.status == 200 else f"{question}: {response.status} {said}"
        )


@dataclass(frozen=True)
class GrpcHealthProbe:
    """gRPC's health service says SERVING (https://grpc.io/docs/guides/health-checking).

    Attributes:
        versions_folder: a model server that has nothing to serve yet, since this folder holds no version, is ready
            when it answers at all: it waits for the first one.
    """

    host: str
    port: int
    versions_folder: Path

    def ask(self, timeout_s: float) -> Answer:
        """Ask once; see ``Probe``."""
        import grpc
        from grpc_health.v1 import health_pb2, health_pb2_grpc

        address = join_address(reachable(self.host), self.port)
        options = [("grpc.enable_http_proxy", 0)]
        try:
            with grpc.insecure_channel(address, options) as channel:
                stub = health_pb2_grpc.HealthStub(channel)
                status = stub.Check(health_pb2.HealthCheckRequest(), timeout=timeout_s).status
        except grpc.RpcError as error:
            return Answer(False, f"gRPC health at {address}: {error.code().name}")
        if status == health_pb2.HealthCheckResponse.SERVING:
            return Answer(True)
        if not any(self.versions_folder.glob("[1-9]*")):
            return Answer(True, "no generation is published yet: it waits for the first")
        return Answer(False, f"gRPC health at {address}: no generation is served yet")


@dataclass(frozen=True)
class ControlSocketProbe:
    """Engine or analyzer answers ``status`` on its socket: one JSON object a line each way (docs/engine.md)."""

    path: Path

    @property
    def port(self) -> None:
        """None: a socket in the home."""
        return

    def ask(self, timeout_s: float) -> Answer:
        """Ask once; see ``Probe``."""
        try:
            with connected(self.path, timeout_s) as connection:
                connection.sendall(b'{"id":1,"do":"status","with":{}}\n')
                with connection.makefile("rb") as stream:
                    answer = json.loads(stream.readline(_ANSWER_BYTES))
        except (OSError, ValueError, RecursionError) as error:
            return Answer(False, f"{self.path.name}: {getattr(error, 'strerror', None) or error}")
        if isinstance(answer, dict) and "ok" in answer:
            return Answer(True)
        said = answer.get("error", answer) if isinstance(answer, dict) else answer
        return Answer(False, f"{self.path.name}: {str(said)[:_SHOWN]}")


def reachable(host: str) -> str:
    """Where a server that listens on ``host`` is reached from this machine: a wildcard is no address to call."""
    return _WILDCARDS.get(host, host)


@contextmanager
def connected(path: Path, timeout_s: float) -> Iterator[socket.socket]:
    """A connection to the Unix socket ``path``, however long its name is; the system takes 107 bytes.

    Raises:
        OSError: nobody listens there.
    """
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(f"/proc/self/fd/{folder}/{path.name}")
            yield connection
    finally:
        os.close(folder)
