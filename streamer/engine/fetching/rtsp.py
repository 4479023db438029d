"""RTSP: ffmpeg speaks to a loopback address, and this carries what it says to the checked and pinned one.

ffmpeg follows redirects of RTSP wherever they lead, looks names up itself, and wants passwords in its arguments.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from typing import Final

from streamer.engine.fetching.cancellation import Cancellation
from streamer.engine.fetching.connections import Dialler
from streamer.engine.fetching.containers import RTSP
from streamer.engine.fetching.rtsp_mediation import LOCAL_PATH, RtspMediator
from streamer.engine.fetching.rtsp_messages import RtspParser
from streamer.engine.fetching.streams import READ_BYTES, ByteStream
from streamer.engine.fetching.urls import StreamUrl
from tidzam_platform.errors import FetchError, TidzamError

_RECEIVE_BYTES: Final = 1 << 16
_MAX_UNSENT_BYTES: Final = 1 << 20
_JOIN_S: Final = 5.0
_FOREVER_S: Final = 3600.0  # waits are repeated
_FFMPEG_STARTS_S: Final = 20.0


class RtspStream(ByteStream):
    """A tunnel to an RTSP server, for the one connection that ffmpeg makes.

    :meth:`read` gives no bytes: it waits for the end of the tunnel.

    Args:
        url: of the server.
        dialler: makes the connection to it.
        answer_s: how long the connection and each answer before the first audio may take.
        stall_s: without a byte of the server for so long it is over.
        cancel: of this stream alone; it closes it.

    Raises:
        RefusedAddressError: the server is at an address that is not allowed.
        FetchError: it is not reachable.
    """

    container = RTSP
    is_live = True
    takes_input = False

    def __init__(
        self, url: StreamUrl, dialler: Dialler, *, answer_s: float, stall_s: float, cancel: Cancellation
    ) -> None:
        self._url = url
        self._cancel = cancel
        self._server = dialler.dial(url, time.monotonic() + answer_s)
        try:
            self._listener = socket.create_server(("127.0.0.1", 0), backlog=1)
        except OSError as error:
            self._server.close()
            raise FetchError(f"no loopback address for {url}: {error}") from error
        self._listener.setblocking(False)
        self._port = int(self._listener.getsockname()[1])
        self._mediator = RtspMediator(url, self._port)
        self._stall_s = max(stall_s, answer_s)
        self._failure: TidzamError | None = None
        self._bytes = 0
        self._ended, self._end = os.pipe()  # the thread closes its end: the other one hangs up
        self._thread = threading.Thread(target=self._run, name="tidzam-rtsp", daemon=True)
        self._thread.start()

    def input_arguments(self) -> tuple[str, ...]:
        """As :meth:`ByteStream.input_arguments`: only the tunnel's address, interleaved, audio only."""
        transport = ("-rtsp_transport", "tcp", "-allowed_media_types", "audio")
        address = f"rtsp://127.0.0.1:{self._port}{LOCAL_PATH}"
        return ("-nostdin", "-protocol_whitelist", "tcp", *transport, "-f", "rtsp", "-i", address)

    def read(self, max_bytes: int = READ_BYTES, deadline_s: float | None = None) -> bytes:  # noqa: ARG002
        """Wait until the tunnel has ended; then no bytes, or why it ended.

        Raises:
            FetchError: it failed, ``deadline_s`` passed, or it was cancelled.
            RefusedAddressError: the server leads elsewhere.
        """
        until_s = deadline_s
        while not self._cancel.wait_for(
            self._ended, select.POLLIN, time.monotonic() + _FOREVER_S if until_s is None else until_s
        ):
            if until_s is not None:
                raise FetchError(f"{self._url} was still playing when the wait for its end was over")
        if self._failure is not None:
            raise self._failure
        return b""

    def metadata(self) -> dict[str, str]:
        """As :meth:`ByteStream.metadata`; there is none."""
        return {}

    def counts(self) -> dict[str, int]:
        """``bytes`` that the server sent."""
        return {"bytes": self._bytes}

    def close(self) -> None:
        """As :meth:`ByteStream.close`."""
        self._cancel.cancel()
        self._thread.join(_JOIN_S)
        if not self._thread.is_alive() and self._ended >= 0:
            os.close(self._ended)
            self._ended = -1
            self._cancel.close()

    def _run(self) -> None:
        try:
            with self._server, self._accepted() as client:
                self._carry(client)
        except TidzamError as error:
            self._failure = error
        except OSError as error:
            self._failure = FetchError(f"the connection to {self._url} broke: {error.strerror or error}")
        finally:
            os.close(self._end)

    def _accepted(self) -> socket.socket:
        """The connection of ffmpeg, the only one that is taken."""
        with self._listener:
            until_s = time.monotonic() + _FFMPEG_STARTS_S
            if not self._cancel.wait_for(self._listener.fileno(), select.POLLIN, until_s):
                raise FetchError(f"nobody took the stream of {self._url}")
            client, _ = self._listener.accept()
            client.setblocking(False)
            return client

    def _carry(self, client: socket.socket) -> None:
        """Carry messages both ways until one side ends."""
        from_client, from_server = RtspParser("ffmpeg"), RtspParser(str(self._url))
        to_client, to_server = bytearray(), bytearray()
        heard_at_s = time.monotonic()
        while True:
            ready = self._wait(client, to_client, to_server, heard_at_s)
            if client.fileno() in ready and (data := _receive(client)) is not None:
                if not data:
                    break
                for item in from_client.feed(data):
                    to_server += item if isinstance(item, bytes) else self._mediator.request(item)
            if self._server.fileno() in ready and (data := _receive(self._server)) is not None:
                if not data:
                    self._flush(client, to_client)
                    break
                heard_at_s = time.monotonic()
                self._bytes += len(data)
                for item in from_server.feed(data):
                    answer, again = (item, b"") if isinstance(item, bytes) else self._mediator.answer(item)
                    to_client += answer
                    to_server += again
            _send(client, to_client)
            _send(self._server, to_server)
        if self._mediator.failure is not None:
            raise self._mediator.failure

    def _wait(
        self, client: socket.socket, to_client: bytearray, to_server: bytearray, heard_at_s: float
    ) -> set[int]:
        """Wait for something to do; a side is not listened to while the other one does not take what it said."""
        poll = select.poll()
        poll.register(self._cancel, select.POLLIN)
        for side, unsent, unsent_of_other in (
            (client, to_client, to_server),
            (self._server, to_server, to_client),
        ):
            events = select.POLLIN if len(unsent_of_other) < _MAX_UNSENT_BYTES else 0
            poll.register(side, events | (select.POLLOUT if unsent else 0))
        left_s = heard_at_s + self._stall_s - time.monotonic()
        ready = {handle for handle, _ in poll.poll(max(left_s, 0) * 1000)}
        self._cancel.require_going()
        if not ready and len(to_client) < _MAX_UNSENT_BYTES:
            raise FetchError(f"{self._url} sent nothing for {self._stall_s:g} s")
        if not ready:
            raise FetchError(f"ffmpeg took nothing of {self._url} for {self._stall_s:g} s")
        return ready

    def _flush(self, client: socket.socket, unsent: bytearray) -> None:
        """Give the client what the server said before it closed."""
        until_s = time.monotonic() + self._stall_s
        with contextlib.suppress(OSError):
            while unsent and self._cancel.wait_for(client.fileno(), select.POLLOUT, until_s):
                _send(client, unsent)


def _receive(side: socket.socket) -> bytes | None:
    """What has come; None if nothing has, nothing at the end."""
    try:
        return side.recv(_RECEIVE_BYTES)
    except BlockingIOError:
        return None


def _send(side: socket.socket, unsent: bytearray) -> None:
    """Send what goes at once, and take it off."""
    if unsent:
        with contextlib.suppress(BlockingIOError):
            del unsent[: side.send(unsent)]
