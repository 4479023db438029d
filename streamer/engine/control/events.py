"""What the engine tells whoever listens: a bounded queue for each of them."""

from __future__ import annotations

import threading
import time
from collections import deque
from types import TracebackType
from typing import Any, Final, Self

_WAITING: Final = 1000  # events for one listener; a source that flaps makes a few a second


class Subscription:
    """The events since it was made. A context: out of it nothing is kept any more."""

    def __init__(self, hub: EventHub) -> None:
        self._hub = hub
        self._events: deque[dict[str, Any]] = deque()
        self._arrived = threading.Condition()
        self._lost = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hub.drop(self)

    def put(self, event: dict[str, Any]) -> None:
        """Keep one for the listener; the oldest one is lost, and counted, where too many wait."""
        with self._arrived:
            if len(self._events) >= _WAITING:
                self._events.popleft()
                self._lost += 1
            self._events.append(event)
            self._arrived.notify()

    def get(self, timeout_s: float) -> dict[str, Any] | None:
        """The next one, or None; after a loss first ``{"event": "lost", "count": n}``."""
        end_s = time.monotonic() + timeout_s
        with self._arrived:
            while not (self._events or self._lost):
                if not self._arrived.wait(max(0.0, end_s - time.monotonic())) and time.monotonic() >= end_s:
                    return None
            if self._lost:
                lost, self._lost = self._lost, 0
                return {"event": "lost", "count": lost}
            return self._events.popleft()


class EventHub:
    """Hands every event to all subscriptions; never blocks who publishes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscriptions: tuple[Subscription, ...] = ()

    def subscribe(self) -> Subscription:
        """A new listener, from now on."""
        subscription = Subscription(self)
        with self._lock:
            self._subscriptions = (*self._subscriptions, subscription)
        return subscription

    def drop(self, subscription: Subscription) -> None:
        """Forget a listener."""
        with self._lock:
            self._subscriptions = tuple(one for one in self._subscriptions if one is not subscription)

    @property
    def listeners(self) -> int:
        """How many are told."""
        return len(self._subscriptions)

    def publish(self, name: str, **what: Any) -> None:
        """Tell everyone ``{"event": name, **what}``; the values are what JSON can say."""
        event = {"event": name, **what}
        for subscription in self._subscriptions:
            subscription.put(event)
