"""A receiver of webhooks: keeps what it was sent."""

from __future__ import annotations

import json
from typing import Any

from tests.support.http_stand_in import HttpStandIn, Reply, Request


class WebhookReceiver(HttpStandIn):
    """Takes everything.

    Attributes:
        messages: all that were taken, in order, those of batches one by one.
    """

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        super().__init__()

    def answer(self, request: Request) -> Reply:
        content = json.loads(request.body)
        self.messages += content.get("messages", [content])
        return Reply(204)

    @property
    def ids(self) -> list[str]:
        return [message["id"] for message in self.messages]
