"""A client of the web process's Socket.IO that waits for each answer, and hears at once when the connection breaks."""

from __future__ import annotations

import queue
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, Self
from urllib.parse import urlsplit

import requests

from tidzam_platform.errors import EngineUnavailableError, TidzamError, TokenError
from tidzam_platform.operations.ports import is_loopback, join_address

_ANSWER_S: Final = 10.0
_FAREWELL_S: Final = 3.0
_OF_SYSTEM: Final = re.compile(r"\[Errno -?\d+\] ([A-Za-z ]+)")


class WebConnection:
    """A context: connected inside it. For one thread.

    The environment's proxies serve for other machines; for this one there is none between.

    Args:
        url: of the web process, ``http://host:port``.
        token: empty for none.
        on_event: called with what the server says on the event sys, in a thread of the client.

    Raises:
        EngineUnavailableError: nobody answers at ``url`` (when it is entered).
        TokenError: the token is refused (when it is entered).
    """

    def __init__(
        self, url: str, token: str = "", on_event: Callable[[Any], None] = lambda _event: None
    ) -> None:
        import socketio

        self._url, self._token = url, token
        own = _is_of_this_machine(url)
        self._http = requests.Session()
        self._http.trust_env = not own
        self._client = socketio.Client(
            reconnection=False,
            handle_sigint=False,
            request_timeout=_ANSWER_S,
            http_session=self._http,
            websocket_extra_options={"http_no_proxy": ["*"]} if own else {},
        )
        self._broken_because = ""
        self._answers: queue.SimpleQueue[tuple[Any, ...] | None] = queue.SimpleQueue()  # None: it broke
        self._refusals: list[Any] = []
        self._client.on("sys", on_event)
        self._client.on("disconnect", self._note_break)
        self._client.on("connect_error", self._refusals.append)

    def __enter__(self) -> Self:
        from socketio.exceptions import ConnectionError as RefusedError

        auth = {"token": self._token} if self._token else None
        try:
            self._client.connect(self._url, auth=auth, wait_timeout=_ANSWER_S)
        except RefusedError as error:
            self._close()
            raise self._refused(error) from error
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self._close()

    def call(self, event: str, data: Any, *, answer_s: float = _ANSWER_S) -> dict[str, Any]:
        """Send an event and wait until the server acknowledges it; returns what it says.

        Raises:
            EngineUnavailableError: the connection is broken, or no answer came in time.
            TidzamError: the server refused it; the message is its own.
        """
        from socketio.exceptions import SocketIOError

        answers = self._answers = queue.SimpleQueue()  # a late answer to an earlier call is nobody's
        if self._broken_because:
            raise self._broke()
        try:
            self._client.emit(event, data, callback=lambda *said: answers.put(said))
            said = answers.get(timeout=answer_s)
        except SocketIOError as error:
            raise self._broke(str(error)) from error
        except queue.Empty as error:
            raise self._broke(f"no answer within {answer_s:g} s") from error
        if said is None:
            raise self._broke()
        answer = said[0] if said and isinstance(said[0], dict) else {}
        if "error" in answer or "warning" in answer:
            raise TidzamError(str(answer.get("error") or answer.get("warning")))
        return answer

    @contextmanager
    def live_stream(self, rate_hz: int, *, storage: bool = False) -> Iterator[dict[str, Any]]:
        """A live stream that is open while the context lasts; raises as ``call``.

        Args:
            rate_hz: of the samples that will be sent.
            storage: whether a recording is kept there, for labelling.

        Returns:
            ``portname``, ``samplerate``, ``filename``; see docs/socketio.md.
        """
        opened = self.call("sys", {"sys": {"add_livestream": {"samplerate": rate_hz, "storage": storage}}})
        try:
            yield opened
        finally:
            if not self._broken_because:
                with suppress(TidzamError):  # the end of the connection, which follows, closes it too
                    self.call("sys", {"sys": {"del_livestream": ""}}, answer_s=_FAREWELL_S)

    def _note_break(self, *reason: Any) -> None:
        """Called in a thread of the client."""
        self._broken_because = str(reason[0]) if reason else "closed"
        self._answers.put(None)

    def _broke(self, because: str = "") -> EngineUnavailableError:
        self._broken_because = self._broken_because or because
        return EngineUnavailableError(
            f"the connection to {self._url} broke ({self._broken_because}); `./tidzam check web` there says more"
        )

    def _refused(self, error: Exception) -> TidzamError:
        for said in self._refusals:
            if isinstance(said, dict):  # by the server's own words
                return TokenError(f"{self._url}: {said.get('message', error)} (docs/tokens.md)")
        advice = "start it with ./tidzam start" if _is_of_this_machine(self._url) else "is the address right?"
        return EngineUnavailableError(f"no Tidzam answers at {self._url} ({_reason(str(error))}); {advice}")

    def _close(self) -> None:
        websocket = self._client.eio.ws
        try:
            self._client.disconnect()
        finally:
            if websocket is not None:
                websocket.shutdown()  # where the other end was faster, the client leaves that to nobody
            self._http.close()


def _reason(said: str) -> str:
    """Why a connection failed, in a few words: the libraries tell of their own classes."""
    if "CERTIFICATE" in said or "SSL" in said:
        return "its TLS certificate is not accepted, or it speaks no TLS"
    if any(part in said for part in ("Name or service not known", "getaddrinfo", "NameResolution")):
        return "its name is not known"
    if "timed out" in said or "Timeout" in said:
        return "no answer in time"
    if (of_system := _OF_SYSTEM.search(said)) is not None:
        return of_system[1].lower()
    return "what answers there is no Tidzam"


def _is_of_this_machine(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return is_loopback(join_address(parts.hostname or "", parts.port or 0))
    except ValueError:  # no URL: that nobody answers there is told when it is used
        return False
