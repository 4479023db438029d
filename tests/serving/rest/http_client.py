"""HTTP requests of a client that knows nothing of ours."""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass
from typing import Any

TIMEOUT_S = 20


@dataclass(frozen=True)
class Answer:
    code: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        assert self.headers["Content-Type"] == "application/json"
        return json.loads(self.body)

    @property
    def error(self) -> str:
        assert list(self.json) == ["error"]
        return self.json["error"]


class RestClient:
    def __init__(self, address: str) -> None:
        self.address = address

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send ``body`` (JSON is made of it unless it is text or bytes) and read the answer."""
        if not isinstance(body, (str, bytes, type(None))):
            body = json.dumps(body)
        connection = http.client.HTTPConnection(self.address, timeout=TIMEOUT_S)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, named)
            response = connection.getresponse()
            return Answer(response.status, dict(response.headers), response.read())
        finally:
            connection.close()

    def raw(self, sent: bytes, *, end: bool = False) -> bytes:
        """Send bytes as they are, then read until the server closes; ``end`` says that no more will come."""
        host, _, port = self.address.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=TIMEOUT_S) as connection:
            connection.sendall(sent)
            if end:
                connection.shutdown(socket.SHUT_WR)
            received = b""
            while piece := connection.recv(65536):
                received += piece
            return received
