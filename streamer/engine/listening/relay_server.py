"""Gives streams to Icecast's relays on 127.0.0.1: one encoder a mount, while somebody listens to it."""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from streamer.engine.listening.credentials import IcecastCredentials
from streamer.engine.listening.mounts import Mount
from streamer.engine.listening.relay_request import parse_request, refusal, stream_head
from streamer.engine.listening.relay_session import RelaySession
from streamer.engine.listening.streams import EncodedStream, Stream
from tidzam_platform.errors import TidzamError

TICK_S: Final = 0.1  # how often encoders are given samples: part of a listener's delay
_BACKLOG: Final = 128
_OTHER_SESSIONS: Final = 50  # beside streams: requests that are being read
_JOIN_S: Final = 10.0
_LOG = logging.getLogger(__name__)

# Makes the stream of a mount; ``now_s`` is of time.monotonic. May raise TidzamError or OSError.
OpenStream = Callable[[Mount, float], Stream | None]


class RelayServer:
    """One thread that serves all relays. Started and stopped once.

    Args:
        credentials: what a relay must know.
        open_stream: makes the stream of a mount; None if there is none any more.
        max_encoders: streams of encoders at the same time; more are refused with 503.
        bitrate_kbps: told to listeners.
    """

    def __init__(
        self,
        credentials: IcecastCredentials,
        open_stream: OpenStream,
        *,
        max_encoders: int,
        bitrate_kbps: int,
    ) -> None:
        self._credentials, self._open_stream = credentials, open_stream
        self._max_encoders, self._bitrate_kbps = max_encoders, bitrate_kbps
        self._mounts: dict[str, Mount] = {}
        self._sessions: dict[
            int, RelaySession
        ] = {}  # by descriptor of the socket; changed by the thread alone
        self._counts = {
            "relays_served": 0,
            "relays_refused": 0,
            "encoders_refused": 0,
            "encoder_deaths": 0,
            "encoders_given_up": 0,
            "listening_lost_frames": 0,
            "listening_dropped_frames": 0,
        }
        self._stop = threading.Event()
        self._poll = select.poll()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name="tidzam-listening", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """End all streams and their encoders. May be called again."""
        self._stop.set()
        if self._thread.ident is None:
            self._listener.close()
        else:
            self._thread.join(_JOIN_S)

    def set_mounts(self, mounts: Mapping[str, Mount]) -> None:
        """By path; streams of mounts that are gone, or are others now, end."""
        self._mounts = dict(mounts)

    def listened(self) -> dict[str, int]:
        """The mounts that a relay pulls, with the process number of the encoder, 0 for a copy."""
        streaming = [session for session in list(self._sessions.values()) if session.stream is not None]
        return {
            session.mount.path: session.stream.pid if isinstance(session.stream, EncodedStream) else 0
            for session in streaming
            if session.mount is not None
        }

    def status(self) -> dict[str, Any]:
        """For people."""
        listened = self.listened()
        return {
            "relay_port": self.port,
            "running": self._thread.is_alive(),
            "listened": sorted(listened),
            "encoder_pids": sorted(pid for pid in listened.values() if pid),
        }

    def counts(self) -> dict[str, int]:
        """Counters, for metrics, and how many encoders run."""
        return {**self._counts, "encoders": self._encoders()}

    def _run(self) -> None:
        self._poll.register(self._listener, select.POLLIN)
        next_tick_s = time.monotonic()
        try:
            while not self._stop.is_set():
                wait_s = max(next_tick_s - time.monotonic(), 0.0)
                for descriptor, _ in self._poll.poll(wait_s * 1000):
                    if descriptor == self._listener.fileno():
                        self._accept()
                    elif descriptor in self._sessions:
                        self._serve(self._sessions[descriptor])
                now_s = time.monotonic()
                if now_s >= next_tick_s:
                    next_tick_s = max(next_tick_s + TICK_S, now_s)
                    self._tick(now_s)
        finally:
            for session in list(self._sessions.values()):
                self._drop(session)
            self._listener.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # it was gone before we came, or we have too many files open: it tries again
            return
        if len(self._sessions) >= self._max_encoders + _OTHER_SESSIONS:
            connection.close()
            self._counts["relays_refused"] += 1
            return
        session = RelaySession(connection, time.monotonic())
        self._sessions[session.descriptor] = session
        self._poll.register(session.descriptor, select.POLLIN)

    def _serve(self, session: RelaySession) -> None:
        """Something happened on the connection."""
        if not session.receive():
            self._drop(session)
        elif session.stream is None and not session.is_refused:
            self._answer(session)
        elif not session.send():
            self._drop(session)

    def _answer(self, session: RelaySession) -> None:
        try:
            request = parse_request(session.received)
        except ValueError:
            self._refuse(session, 400)
            return
        if request is None:
            return
        if not self._credentials.allows_relay(request.authorization):
            self._refuse(session, 401)
            return
        mount = self._mounts.get(request.path)
        if request.method != "GET":
            self._refuse(session, 405)
        elif mount is None:
            self._refuse(session, 404)
        elif mount.format != "copy" and self._encoders() >= self._max_encoders:
            self._counts["encoders_refused"] += 1
            self._refuse(session, 503)
        else:
            self._begin(session, mount)

    def _begin(self, session: RelaySession, mount: Mount) -> None:
        try:
            stream = self._open_stream(mount, time.monotonic())
        except (TidzamError, OSError) as error:
            _LOG.warning("%s cannot be encoded: %s", mount.path, error)
            self._refuse(session, 503)
            return
        if stream is None:
            self._refuse(session, 404)
            return
        self._counts["relays_served"] += 1
        session.begin(mount, stream, stream_head(mount, self._bitrate_kbps))

    def _refuse(self, session: RelaySession, code: int) -> None:
        self._counts["relays_refused"] += 1
        session.refuse(refusal(code))

    def _tick(self, now_s: float) -> None:
        for session in list(self._sessions.values()):
            is_gone = session.mount is not None and self._mounts.get(session.mount.path) != session.mount
            if is_gone or not session.tick(now_s):
                self._drop(session)
            else:
                events = select.POLLIN | (select.POLLOUT if session.unsent_bytes else 0)
                self._poll.modify(session.descriptor, events)

    def _drop(self, session: RelaySession) -> None:
        self._poll.unregister(session.descriptor)
        del self._sessions[session.descriptor]
        stream = session.stream
        session.close()
        if isinstance(stream, EncodedStream):
            self._counts["encoder_deaths"] += stream.deaths
            self._counts["listening_lost_frames"] += stream.lost_frames
            self._counts["listening_dropped_frames"] += stream.dropped_frames
            if stream.has_failed:
                self._counts["encoders_given_up"] += 1
                _LOG.warning("an encoder died again and again: %s", stream.complaint)

    def _encoders(self) -> int:
        return sum(isinstance(session.stream, EncodedStream) for session in list(self._sessions.values()))
