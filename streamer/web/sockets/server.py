"""Socket.IO: who connects, which events there are, and what is answered."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from flask import Flask, request
from flask_socketio import SocketIO
from socketio.exceptions import ConnectionRefusedError as SocketRefusedError

from serving.gateway.refusals import HttpRefusalError, bad_request
from streamer.web.callers import is_known_origin
from streamer.web.core import WebCore
from streamer.web.rates import TokenBucket
from streamer.web.refusals import refused
from streamer.web.sockets.bounds import MAX_MESSAGE_BYTES, Bounds
from streamer.web.sockets.clients import Client, Clients, Session
from streamer.web.sockets.echo import echo
from streamer.web.sockets.extraction_requests import EVENT as EXTRACTION
from streamer.web.sockets.extraction_requests import ExtractionRules
from streamer.web.sockets.hearing_requests import HearingRequests
from streamer.web.sockets.live_streams import LiveStreams, read_block
from streamer.web.sockets.load_watch import LoadWatch
from streamer.web.sockets.packets import StrictPacket
from streamer.web.sockets.result_feed import ResultFeed
from streamer.web.sockets.rule_requests import EVENT as RECORDER
from streamer.web.sockets.rule_requests import RecorderRules, RuleReply
from streamer.web.sockets.source_news import SourceNews
from streamer.web.sockets.sys_requests import WARNED, SysRequests
from streamer.web.sockets.telling import Teller
from tidzam_platform.access import Role

_LOG = logging.getLogger(__name__)

PING_INTERVAL_S: Final = 10.0
PING_TIMEOUT_S: Final = 10.0  # who vanishes is noticed within both
_EVENTS: Final = ("sys", "audio", RECORDER, EXTRACTION)
_LOGGED_PER_S: Final = 1.0
_LOGGED_AT_ONCE: Final = 20.0


class Sockets:
    """Socket.IO under ``/socket.io`` of an application.

    Handlers run in the thread that reads their client's messages, so that they come one after the other and a client
    whose requests take long sends no more meanwhile.

    Args:
        app: gets the path.
        core: shared with its views.
    """

    def __init__(self, app: Flask, core: WebCore) -> None:
        self._core = core
        self.clients = Clients()
        self._live = LiveStreams(core)
        self.requests = SysRequests(core, self._live)
        hearing, teller = HearingRequests(core), Teller(core.counts)
        self.requests.add("classifier", hearing.classifier)
        self.requests.add("subscribe", hearing.subscribe)
        self.results = ResultFeed(core, self.clients, teller)
        self.source_news = SourceNews(core, self.clients, teller)
        self._loads = LoadWatch(
            core, lambda client, error, asked: self._refuse(client, "warning", error, asked)
        )
        self._io = SocketIO(
            app,
            async_mode="threading",  # said, for what it would choose by itself is whatever else is installed
            async_handlers=False,
            manage_session=False,
            serializer=StrictPacket,
            max_http_buffer_size=MAX_MESSAGE_BYTES,
            ping_interval=PING_INTERVAL_S,
            ping_timeout=PING_TIMEOUT_S,
            http_compression=False,
            cors_allowed_origins=lambda origin, environ: is_known_origin(origin, environ, core.settings.web),
            cors_credentials=False,  # there are no cookies
            logger=_quiet("socketio.server"),
            engineio_logger=_quiet("engineio.server"),
        )
        self._bounds = Bounds(self._io.server.eio, core.settings.web.max_connections, core.counts)
        for event, handler in (
            ("connect", self._on_connect),
            ("disconnect", self._on_disconnect),
            ("sys", self._on_sys),
            ("audio", self._on_audio),
            (RECORDER, partial(self._on_rules, RECORDER, RecorderRules(core).carry_out)),
            (EXTRACTION, partial(self._on_rules, EXTRACTION, ExtractionRules(core).carry_out)),
            ("*", self._on_anything_else),
        ):
            self._io.on_event(event, handler)

    def start(self) -> None:
        """Begin to tell what is heard, and which sources there are."""
        self.results.start()
        self.source_news.start()

    def close(self) -> None:
        """End all connections."""
        self.results.stop()
        self.source_news.stop()
        self._bounds.end_all()
        self._io.server.shutdown()

    def _on_connect(self, auth: Any = None) -> None:
        try:
            caller = self._core.gatekeeper.by_auth(auth, request.headers.get("Authorization"))
            self._core.gatekeeper.require(caller, Role.LISTEN)
        except Exception as error:
            refusal = refused(error)
            raise SocketRefusedError(
                self._core.without_paths(refusal.message), {"code": refusal.code}
            ) from error
        self.clients.add(Client(_sid(), self._core.engine.owner(_sid()), caller, self._session()))

    def _on_disconnect(self, *_reason: Any) -> None:
        client = self.clients.remove(_sid())
        if client is not None:
            self._core.engine.farewell(client.owner)
            self._core.counts.add("farewells_total")

    def _on_sys(self, *arguments: Any) -> Any:
        client = self.clients.get(_sid())
        if client is None:
            return None
        asked: Any = list(arguments) if len(arguments) > 1 else next(iter(arguments), None)
        self._core.counts.add("socket_requests_total")
        key = "error"
        try:
            command = self.requests.command(asked)
            key = "warning" if command in WARNED else key
            if not client.requests.take():
                raise HttpRefusalError(429, "too_many", "too many requests at once: wait a second")  # noqa: TRY301
            with client.lock:
                self._know_again(client)
                reply = self.requests.carry_out(client, asked)
        except Exception as error:  # noqa: BLE001 - told to the client, and a fault of ours is logged
            return self._refuse(client, key, error, asked)
        finally:
            self._leave_nothing(client)
        if reply.told is not None:
            self._io.emit("sys", reply.told, to=client.sid)
        if reply.begins is not None:
            self._loads.watch(client, asked, reply.begins)
        return reply.acknowledged

    def _on_audio(self, *arguments: Any) -> Any:
        client = self.clients.get(_sid())
        if client is None:
            return None
        try:
            block = read_block(arguments)
            with client.lock:
                self._know_again(client)
                told, dropped_frames = self._live.push(client, block)
        except Exception as error:  # noqa: BLE001 - as above
            return self._refuse(client, "error", error, {"audio": list(arguments)}, is_frequent=True)
        finally:
            self._leave_nothing(client)
        if told is not None:
            self._io.emit("sys", told, to=client.sid)
        return {"dropped_frames": dropped_frames}

    def _on_rules(
        self, event: str, carry_out: Callable[[Client, Any], RuleReply], *arguments: Any
    ) -> dict[str, Any] | None:
        client = self.clients.get(_sid())
        if client is None:
            return None
        asked: Any = list(arguments) if len(arguments) > 1 else next(iter(arguments), None)
        self._core.counts.add("socket_requests_total")
        try:
            if not client.requests.take():
                raise HttpRefusalError(429, "too_many", "too many requests at once: wait a second")  # noqa: TRY301
            with client.lock:
                self._know_again(client)
                reply = carry_out(client, asked)
        except Exception as error:  # noqa: BLE001 - as above
            return self._refuse(client, "error", error, asked)
        for answer in reply.told:
            self._io.emit(event, answer, to=client.sid)
        return reply.acknowledged

    def _on_anything_else(self, event: str, *arguments: Any) -> Any:
        client = self.clients.get(_sid())
        if client is None:
            return None
        error = bad_request(f"there is no event {event[:40]!r} here: there are {', '.join(_EVENTS)}")
        return self._refuse(client, "error", error, {event: list(arguments)}, is_frequent=True)

    def _session(self) -> Session:
        """Engine.IO's of the client of this request."""
        name = self._io.server.manager.eio_sid_from_sid(_sid(), "/")
        return self._io.server.eio.sockets[name]  # type: ignore[no-any-return]

    def _know_again(self, client: Client) -> None:
        client.caller = self._core.gatekeeper.again(client.caller)

    def _leave_nothing(self, client: Client) -> None:
        """What a client opened while it left is ended too."""
        if client.has_left.is_set():
            self._core.engine.farewell(client.owner)

    def _refuse(
        self, client: Client, key: str, error: Exception, asked: Any, *, is_frequent: bool = False
    ) -> dict[str, Any]:
        refusal = refused(error)
        self._core.counts.add("socket_refusals_total")
        told = {key: self._core.without_paths(refusal.message), "request-origin": echo(asked)}
        if not is_frequent or client.complaints.take():
            self._io.emit("sys", told, to=client.sid)
        return {**told, "code": refusal.code}


def _sid() -> str:
    return str(request.sid)  # type: ignore[attr-defined]  # Flask-SocketIO puts it there


def _quiet(name: str) -> logging.Logger:
    """The logger of that name, held to a rate: what clients send must not fill the disk."""
    logger = logging.getLogger(name)
    bucket = TokenBucket(_LOGGED_PER_S, _LOGGED_AT_ONCE)
    logger.setLevel(logging.WARNING)
    for earlier in list(logger.filters):
        logger.removeFilter(earlier)
    logger.addFilter(lambda _record: bucket.take())
    return logger
