"""What a client counts: every request, every retry, every refusal and every drop."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, fields
from typing import Final


@dataclass(frozen=True)
class ClientCounts:
    """Counts since the client was made; ``in_flight`` and ``shadow_pending`` are of this moment.

    Attributes:
        requests: sent, retries included; what waits for a breaker or a place in flight is not sent yet.
        answers: of these, answered.
        refused: of these, refused by the server, e.g. INVALID_ARGUMENT.
        unavailable: of these, ended UNAVAILABLE, without the next.
        queue_full: of these, refused since the server had too much to do.
        deadline_exceeded: of these, unanswered when the deadline passed.
        retries: sent again after UNAVAILABLE.
        busy: not sent, since no place in flight came free within the deadline.
        breaker_refused: not sent, since the breaker was open.
        breaker_opened: how often a breaker opened.
        breaker_closed: how often one closed again.
        rerouted: left to the next choice of a route, after the server refused a label that it does not know, or a
            canary did not answer.
        swapped: batches asked for once more, since generations were swapped half-way.
        shadow_pairs: batches that both stable and canary answered.
        shadow_dropped: batches that the canary was not shown, since it was slow.
        shadow_failed: batches that the canary did not answer, or whose observer raised.
        shadow_absent: batches that the canary was not shown, since there is none.
        in_flight: requests under way.
        shadow_pending: batches that wait for the canary, or are under way to it.
    """

    requests: int = 0
    answers: int = 0
    refused: int = 0
    unavailable: int = 0
    queue_full: int = 0
    deadline_exceeded: int = 0
    retries: int = 0
    busy: int = 0
    breaker_refused: int = 0
    breaker_opened: int = 0
    breaker_closed: int = 0
    rerouted: int = 0
    swapped: int = 0
    shadow_pairs: int = 0
    shadow_dropped: int = 0
    shadow_failed: int = 0
    shadow_absent: int = 0
    in_flight: int = 0
    shadow_pending: int = 0


_NAMES: Final = frozenset(field.name for field in fields(ClientCounts))


class Counts:
    """The counters behind ClientCounts; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: Counter[str] = Counter()

    def add(self, name: str, number: int = 1) -> None:
        """Add to one counter (a field of ClientCounts; KeyError if it is none)."""
        if name not in _NAMES:
            raise KeyError(name)
        with self._lock:
            self._values[name] += number

    def __getitem__(self, name: str) -> int:
        with self._lock:
            return self._values[name]

    def snapshot(self, **others: int) -> ClientCounts:
        """All of them at one moment, together with counts that others keep."""
        with self._lock:
            return ClientCounts(**{**self._values, **others})
