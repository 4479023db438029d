"""Telling many clients the same without waiting for any of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from streamer.web.counting import Counts
from streamer.web.sockets.clients import Client
from streamer.web.sockets.outgoing import News


def news_of(event: str, value: Any) -> News:
    """An event of Socket.IO with one value that JSON can say; ValueError where it cannot (NaN)."""
    return news_of_text(event, json.dumps(value, separators=(",", ":"), allow_nan=False))


def news_of_text(event: str, text: str) -> News:
    """An event whose value is JSON already."""
    return News(f"2[{json.dumps(event)},{text}]")


class Teller:
    """Hands news to clients; who takes them too slowly misses some, and is told how many once there is room."""

    def __init__(self, counts: Counts) -> None:
        """Args: ``counts``: where it counts."""
        self._counts = counts

    def tell(self, clients: Iterable[Client], news: Iterable[News]) -> None:
        """Give all of ``news`` to each of ``clients``. Never waits."""
        told = left_out = 0
        messages = tuple(news)
        for client in clients:
            if not (client.may_listen and client.session.queue.is_greeted):
                continue
            for message in messages:
                if client.offer(message):
                    told += 1
                else:
                    client.missed += 1
                    left_out += 1
            if client.missed and client.offer(news_of("lost", {"count": client.missed})):
                client.missed = 0
        if told:
            self._counts.add("told_messages_total", told)
        if left_out:
            self._counts.add("left_out_messages_total", left_out)
