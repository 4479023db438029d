"""A webhook: POSTs each message, or several at a time, as JSON with a signature."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Literal

from pydantic import Field

from streamer.analyzer.outputs.answers import require_taken
from streamer.analyzer.outputs.http_sender import HttpSender
from streamer.analyzer.outputs.message import Message
from streamer.analyzer.outputs.output import Output
from streamer.analyzer.outputs.reach import Reach
from streamer.analyzer.outputs.secret import Secret
from streamer.analyzer.outputs.secret_url import SecretUrl, WebUrlOrSecret, read_url
from streamer.analyzer.outputs.signature import ID_HEADER, signature_headers
from streamer.analyzer.outputs.specification import OutputSpecification, shown, taken_apart
from streamer.engine.fetching.urls import StreamUrl
from tidzam_platform.errors import OutputError

_ID_LENGTH: Final = 24


class WebhookSpecification(OutputSpecification):
    """A webhook.

    Attributes:
        url: where messages are POSTed to; a secret where the URL itself lets everybody in who knows it.
        secret: what they are signed with; without it they are not signed.
        token: sent as ``Authorization: Bearer``.
        batch: messages in one request; above 1 the body is ``{"messages": [...]}``, however many there are.
    """

    kind: Literal["webhook"] = "webhook"
    url: WebUrlOrSecret
    secret: Secret | None = None
    token: Secret | None = None
    batch: int = Field(1, ge=1, le=500)

    @property
    def target(self) -> str:
        """The URL; of one that is a secret the origin."""
        if isinstance(self.url, str):
            return shown(self.url)
        try:
            return str(read_url(self.url))
        except OutputError:
            return f"the URL in {self.url.where}, which cannot be read now"


class Webhook(Output):
    """Tells one URL; ``wall_s`` is the clock that signatures carry."""

    def __init__(
        self, specification: WebhookSpecification, reach: Reach, *, wall_s: Callable[[], float] = time.time
    ) -> None:
        super().__init__(reach, batch=specification.batch)
        self._specification = specification
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
        url = self._url()
        answer = self._http.send("POST", url, headers=self._headers(identity, body), body=body)
        if isinstance(url, SecretUrl):  # servers like to say what was not found
            answer = replace(answer, head=replace(answer.head, reason=""))
        require_taken(answer)
        return len(messages)

    def close(self) -> None:
        """End."""
        self._http.close()
        super().close()

    def _url(self) -> StreamUrl:
        """Where to; a secret is read each time, so that it may be replaced."""
        url = self._specification.url
        return taken_apart(url) if isinstance(url, str) else read_url(url)

    def _headers(self, identity: str, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": "application/json", ID_HEADER: identity}
        if self._specification.secret is not None:
            secret = self._specification.secret.read()
            headers |= signature_headers(secret, identity, int(self._wall_s()), body)
        if self._specification.token is not None:
            headers["Authorization"] = f"Bearer {self._specification.token.read()}"
        return headers
