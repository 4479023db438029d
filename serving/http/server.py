"""The gateway's connections: those of the REST API, with refusals in the gateway's form."""

from __future__ import annotations

import json
from typing import Any, Final

from waitress.adjustments import Adjustments
from waitress.parser import HTTPRequestParser
from waitress.task import ErrorTask
from waitress.utilities import RequestEntityTooLarge

from serving.server.rest.channel import Channel, RequestTimeoutError, WsgiServer

# A body that is too large, also one in chunks, is taken and dropped up to here before it is refused: a sender whose
# connection is cut while it sends sees the cut, and not the reason.
_MAX_DROPPED_BYTES: Final = 1 << 30


class _Nowhere:
    """A buffer that keeps nothing."""

    def append(self, _data: bytes) -> None:
        pass

    def __len__(self) -> int:
        return 0

    def close(self) -> None:
        pass


class Parser(HTTPRequestParser):  # type: ignore[misc]
    """Reads a request; waitress stops reading one that is too large, this one drops the rest of it first."""

    completed: bool
    expect_continue: bool
    error: Any
    body_rcv: Any

    def __init__(self, adjustments: Adjustments) -> None:
        super().__init__(adjustments)
        self._dropped_bytes: int | None = None

    def received(self, data: bytes) -> int:
        """Take bytes from the wire; returns how many of them belonged to this request."""
        if self._dropped_bytes is not None:
            return self._drop(data)
        consumed: int = super().received(data)
        if self.error is not None and self.expect_continue:
            self.expect_continue = False  # the refusal is the answer, and the body is never sent
        elif self.completed and self.body_rcv is not None and isinstance(self.error, RequestEntityTooLarge):
            self.body_rcv.getbuf().close()
            self.body_rcv.buf = _Nowhere()
            self._dropped_bytes = 0
            self.completed = bool(self.body_rcv.completed)
        return consumed

    def _drop(self, data: bytes) -> int:
        consumed: int = self.body_rcv.received(data)
        self._dropped_bytes = (self._dropped_bytes or 0) + consumed
        self.completed = bool(
            self.body_rcv.completed or self.body_rcv.error or self._dropped_bytes > _MAX_DROPPED_BYTES
        )
        return consumed


class RefusalTask(ErrorTask):  # type: ignore[misc]
    """What is refused before any view sees it: malformed, too large, too slow."""

    def execute(self) -> None:
        """Answer, and close the connection."""
        error: Any = self.request.error
        code = {RequestEntityTooLarge: "too_large", RequestTimeoutError: "too_slow"}.get(
            type(error), "bad_request"
        )
        body = json.dumps({"error": f"{error.reason}: {error.body}", "code": code}).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers.extend(
            [("Content-Type", "application/json"), ("X-Content-Type-Options", "nosniff")]
        )
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class GatewayChannel(Channel):
    """A connection to the gateway."""

    parser_class = Parser
    error_task_class = RefusalTask


class GatewayWsgiServer(WsgiServer):
    """A server of such connections."""

    channel_class = GatewayChannel
