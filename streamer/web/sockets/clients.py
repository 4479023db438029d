"""The clients that are connected."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Final, Protocol

from streamer.web.access import Caller
from streamer.web.rates import TokenBucket
from streamer.web.sockets.outgoing import MAX_NEWS, MAX_POLLED_NEWS, News, OutgoingQueue
from streamer.web.sockets.subscription import EVERYTHING, Subscription

_REQUESTS_PER_S: Final = 10.0
_REQUESTS_AT_ONCE: Final = 30.0
_COMPLAINTS_PER_S: Final = 1.0  # about audio, of which ten blocks come each second
_COMPLAINTS_AT_ONCE: Final = 5.0


class Session(Protocol):
    """Of Engine.IO.

    Attributes:
        queue: what waits to be sent.
        upgraded: whether there is a WebSocket; else the client asks for what waits, all of it at a time.
    """

    queue: OutgoingQueue
    upgraded: bool


@dataclass
class Client:
    """One connection of Socket.IO.

    Attributes:
        sid: Socket.IO's name of it.
        owner: the engine's name of who opens what it opens.
        caller: who connected, by the token that it showed then.
        session: Engine.IO's, with what waits to be sent to it.
        subscription: what of the results it wants; all at first, as in the original.
        may_listen: whether its token is still good for being told anything.
        missed: messages that were left out since it was told of that.
        live_rate_hz: samples a second of its live stream; None while it has none.
        live_channel: where its live stream is heard; empty while it has none.
        live_since: when that was opened, as times are told; what was heard there before was another's.
        dropped_frames: of its live stream, by the engine.
        requests, complaints: how often it may ask, and be told what is wrong with its audio.
        lock: held while its requests are carried out, one after the other.
        has_left: set when it is gone, by another thread maybe.
    """

    sid: str
    owner: str
    caller: Caller
    session: Session
    subscription: Subscription = EVERYTHING
    may_listen: bool = True
    missed: int = 0
    live_rate_hz: int | None = None
    live_channel: str = ""
    live_since: str = ""
    dropped_frames: int = 0
    requests: TokenBucket = field(default_factory=lambda: TokenBucket(_REQUESTS_PER_S, _REQUESTS_AT_ONCE))
    complaints: TokenBucket = field(
        default_factory=lambda: TokenBucket(_COMPLAINTS_PER_S, _COMPLAINTS_AT_ONCE)
    )
    lock: threading.Lock = field(default_factory=threading.Lock)
    has_left: threading.Event = field(default_factory=threading.Event)

    def offer(self, news: News) -> bool:
        """Let it be told, if it has room for it; returns whether it has."""
        return self.session.queue.offer(news, MAX_NEWS if self.session.upgraded else MAX_POLLED_NEWS)


class Clients:
    """All of them, for any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clients: dict[str, Client] = {}

    def __len__(self) -> int:
        return len(self._clients)

    def live_streams(self) -> int:
        """How many of them send audio."""
        with self._lock:
            return sum(client.live_rate_hz is not None for client in self._clients.values())

    def all(self) -> list[Client]:
        """Those that are there now."""
        with self._lock:
            return list(self._clients.values())

    def add(self, client: Client) -> None:
        """One has connected."""
        with self._lock:
            self._clients[client.sid] = client

    def get(self, sid: str) -> Client | None:
        """The client of that connection; None when it is going."""
        return self._clients.get(sid)

    def remove(self, sid: str) -> Client | None:
        """One has left; None if it never was there."""
        with self._lock:
            client = self._clients.pop(sid, None)
        if client is not None:
            client.has_left.set()
        return client
