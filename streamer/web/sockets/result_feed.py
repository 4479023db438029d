"""What the analyzer hears, told to the clients of Socket.IO."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from serving.gateway.refusals import HttpRefusalError
from streamer.engine.reserved_names import LIVE_STREAMS
from streamer.web.core import WebCore
from streamer.web.rates import TokenBucket
from streamer.web.sockets.clients import Client, Clients
from streamer.web.sockets.outgoing import News
from streamer.web.sockets.subscription import Form, Subscription
from streamer.web.sockets.telling import Teller, news_of, news_of_text
from streamer.web.sockets.window_forms import WindowText
from tidzam_platform.access import Role

_LOG = logging.getLogger(__name__)

_WAITING: Final = 1000  # events of the analyzer; it tells some tens a second
_MESSAGE_BYTES: Final = 64 << 10  # of one message, unless one window is more
_REST_S: Final = 0.000_25  # a client: after a round, so that telling takes half a processor at most
_LONGEST_REST_S: Final = 0.1
_LOOK_AGAIN_S: Final = 5.0  # at tokens
_STOP_S: Final = 5.0
_LOGGED_A_SECOND: Final = 0.1  # of what is malformed: a moment may hold hundreds of windows
_LOGGED_AT_ONCE: Final = 5
_LIVE: Final = f"{LIVE_STREAMS}:"
_PASSED_ON: Final = ("detection", "clip_kept", "alert")
_FOR_OPERATORS: Final = "disk_alarm"
_MALFORMED: Final = (KeyError, TypeError, ValueError, AttributeError, RecursionError)


class ResultFeed:
    """A thread between the analyzer and the clients.

    What came while it told the last results goes out together, so that it keeps up however many clients there are.

    Args:
        core: counts, and knows callers.
        clients: who is told.
        teller: tells them.
    """

    def __init__(self, core: WebCore, clients: Clients, teller: Teller) -> None:
        self._core, self._clients, self._teller = core, clients, teller
        self._waiting: deque[dict[str, Any]] = deque()
        self._arrived = threading.Condition()
        self._stopping = threading.Event()
        self._look_again_s = 0.0
        self._log_some = TokenBucket(_LOGGED_A_SECOND, _LOGGED_AT_ONCE)
        self._thread = threading.Thread(target=self._run, name="results", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        with self._arrived:
            self._arrived.notify_all()
        if self._thread.ident is not None:
            self._thread.join(_STOP_S)

    def take(self, event: dict[str, Any]) -> None:
        """Take one event of the analyzer; never waits. The oldest one is lost, and counted, where too many wait."""
        is_news = event.get("event") != "lost"
        lost = 0 if is_news else self._lost_there(event)
        with self._arrived:
            if is_news:
                self._waiting.append(event)
                self._arrived.notify()
            while len(self._waiting) > _WAITING:
                self._waiting.popleft()
                lost += 1
        if lost:
            self._core.counts.add("lost_events_total", lost)

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._arrived:
                while not self._waiting and not self._stopping.is_set():
                    self._arrived.wait(_LOOK_AGAIN_S)
                events, self._waiting = self._waiting, deque()
            self._tell(events)
            self._stopping.wait(min(_LONGEST_REST_S, _REST_S * len(self._clients)))

    def _tell(self, events: Iterable[dict[str, Any]]) -> None:
        clients = self._clients.all()
        self._look_at_tokens(clients)
        windows: list[WindowText] = []
        for event in events:
            try:
                windows += self._take_apart(clients, event)
            except _MALFORMED:
                self._malformed(event)
        if windows:
            self._tell_windows(clients, windows)

    def _malformed(self, said: object) -> None:
        """Within an ``except``: another version of the analyzer may tell what we do not know; the rest may be well."""
        self._core.counts.add("malformed_events_total")
        if self._log_some.take():
            _LOG.exception("what the analyzer tells could not be told: %.200r", said)

    def _lost_there(self, event: Mapping[str, Any]) -> int:
        """How many events the analyzer's own queue lost."""
        try:
            return max(0, int(event.get("count", 1)))
        except (TypeError, ValueError, OverflowError):
            self._malformed(event)
            return 1

    def _take_apart(self, clients: Sequence[Client], event: Mapping[str, Any]) -> list[WindowText]:
        """The windows of an event; any other is told."""
        kind = event.get("event")
        if kind == "results":
            return self._windows(event["windows"])
        if kind in _PASSED_ON:
            self._pass_on(clients, str(kind), event)
        elif kind == _FOR_OPERATORS:
            self._tell_operators(clients, event)
        return []

    def _windows(self, said: Iterable[Any]) -> list[WindowText]:
        """Those of an event that are well."""
        found = []
        for window in said:
            try:
                found.append(WindowText(window))
            except _MALFORMED:
                self._malformed(window)
        return found

    def _tell_windows(self, clients: Sequence[Client], windows: Sequence[WindowText]) -> None:
        heard = [window for window in windows if not window.channel.startswith(_LIVE)]
        alike: dict[Subscription, list[Client]] = defaultdict(list)
        for client in clients:
            alike[client.subscription].append(client)
        for subscription, group in alike.items():
            wanted = [window for window in heard if subscription.wants(window.channel)]
            self._teller.tell(group, _messages(self._texts(wanted, subscription.form)))
        live = [window for window in windows if window.channel.startswith(_LIVE)]
        for client in clients if live else ():
            own = [window for window in live if _is_own(client, window.channel, window.time)]
            texts = self._texts(own, client.subscription.form)
            self._teller.tell((client,), _own_messages(client, texts))

    def _texts(self, windows: Iterable[WindowText], form: Form) -> list[str]:
        """Each window as JSON; those that cannot be written are counted once and left out."""
        found = []
        for window in windows:
            if window.is_malformed:
                continue
            try:
                found.append(window.written(form))
            except _MALFORMED:
                window.is_malformed = True
                self._malformed(window.channel)
        return found

    def _pass_on(self, clients: Sequence[Client], kind: str, event: Mapping[str, Any]) -> None:
        said = {key: value for key, value in event.items() if key != "event"}
        channel, time = str(event.get("channel") or ""), str(event.get("start") or event.get("at") or "")
        if channel.startswith(_LIVE):
            told = [client for client in clients if _is_own(client, channel, time)]
        else:
            told = [client for client in clients if client.subscription.wants(channel)]
        self._teller.tell(told, (news_of(kind, said),))

    def _tell_operators(self, clients: Sequence[Client], event: Mapping[str, Any]) -> None:
        said = {
            key: self._core.without_paths(value) if isinstance(value, str) else value
            for key, value in event.items()
            if key != "event"
        }
        told = [
            client for client in clients if client.caller.role and client.caller.role.covers(Role.OPERATE)
        ]
        self._teller.tell(told, (news_of(_FOR_OPERATORS, said),))

    def _look_at_tokens(self, clients: Sequence[Client]) -> None:
        """Who showed a token that was revoked since is told nothing more."""
        if time.monotonic() < self._look_again_s:
            return
        self._look_again_s = time.monotonic() + _LOOK_AGAIN_S
        for client in clients:
            try:
                self._core.gatekeeper.require(self._core.gatekeeper.again(client.caller), Role.LISTEN)
            except HttpRefusalError:
                client.may_listen = False


def _is_own(client: Client, channel: str, time: str) -> bool:
    """Whether that is of the client's own live stream, and not of who had its port before."""
    return client.live_channel == channel and time >= client.live_since


def _messages(windows: Sequence[str]) -> Iterator[News]:
    """Windows in messages that are no longer than they should be."""
    part: list[str] = []
    length = 0
    for text in windows:
        if part and length + len(text) > _MESSAGE_BYTES:
            yield news_of_text("sys", f"[{','.join(part)}]")
            part, length = [], 0
        part.append(text)
        length += len(text)
    if part:
        yield news_of_text("sys", f"[{','.join(part)}]")


def _own_messages(client: Client, texts: Sequence[str]) -> Iterator[News]:
    """Windows of a client's own live stream: as of all others, and as the original told them, by the port's name."""
    yield from _messages(texts)
    for text in texts:
        yield news_of_text(client.live_channel.replace(":", "-"), text)
