"""A webhook: POSTs each message, or several at a time, as JSON with a signature."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Final, Literal

from pydantic import Field

from streamer.analyzer.outputs.answers import require_taken
from streamer.analyzer.outputs.http_sender import HttpSender
from streamer.analyzer.outputs.message import Message
from streamer.analyzer.outputs.output import Output
from streamer.analyzer.outputs.reach import Reach
from streamer.analyzer.outputs.secret import Secret
from streamer.analyzer.outputs.signature import ID_HEADER, signature_headers
from streamer.analyzer.outputs.specification import OutputSpecification, WebUrl, shown, taken_apart

_ID_LENGTH: Final = 24


class WebhookSpecification(OutputSpecification):
    """A webhook.

    Attributes:
        url: where messages are POSTed to.
        secret: what they are signed with; without it they are not signed.
        token: sent as ``Authorization: Bearer``.
        batch: messages in one request; above 1 the body is ``{"messages": [...]}``, however many there are.
    """

    kind: Literal["webhook"] = "webhook"
    url: WebUrl
    secret: Secret | None = None
    token: Secret | None = None
    batch: int = Field(1, ge=1, le=500)

    @property
    def target(self) -> str:
        """The URL."""
        return shown(self.url)


class Webhook(Output):
    """Tells one URL; ``wall_s`` is the clock that signatures carry."""

    def __init__(
        self, specification: WebhookSpecification, reach: Reach, *, wall_s: Callable[[], float] = time.time
    ) -> None:
        super().__init__(reach, batch=specification.batch)
        self._specification = specification
        self._url = taken_apart(specification.url)
        self._http = HttpSender(reach)
        self._wall_s = wall_s

    def deliver(self, messages: Sequence[Message]) -> int:
        """POST them in one request."""
        if self.batch == 1:
            messages = messages[:1]
            identity, text = messages[0].id, messages[0].as_json()
        else:
            ids = "\n".join(message.id for message in messages)
            identity = hashlib.sha256(ids.encode()).hexdigest()[:_ID_LENGTH]
            text = f'{{"messages":[{",".join(message.as_json() for message in messages)}]}}'
        body = text.encode()
        answer = self._http.send("POST", self._url, headers=self._headers(identity, body), body=body)
        require_taken(answer)
        return len(messages)

    def close(self) -> None:
        """End."""
        self._http.close()
        super().close()

    def _headers(self, identity: str, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": "application/json", ID_HEADER: identity}
        if self._specification.secret is not None:
            secret = self._specification.secret.read()
            headers |= signature_headers(secret, identity, int(self._wall_s()), body)
        if self._specification.token is not None:
            headers["Authorization"] = f"Bearer {self._specification.token.read()}"
        return headers
