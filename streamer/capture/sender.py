"""Blocks of samples to a Tidzam over Socket.IO, and what it answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from streamer.capture.microphone import BLOCK_S, RATE_HZ
from tidzam_platform.errors import EngineUnavailableError, TidzamError, TokenError

_ANSWER_S: Final = 10.0


@dataclass
class Captured:
    """What was sent.

    Attributes:
        port: of the engine that plays it, its channel's name.
        kept_as: where a recording is kept; empty without one.
        seconds: of audio that was sent.
        dropped_frames: of it that the engine had no room for.
    """

    port: str = ""
    kept_as: str = ""
    seconds: float = 0.0
    dropped_frames: int = 0


def send(
    blocks: Iterable[bytes],
    url: str,
    *,
    token: str = "",
    storage: bool = False,
    on_event: Callable[[Any], None] = lambda _event: None,
    on_progress: Callable[[Captured], None] = lambda _captured: None,
) -> Captured:
    """Open a live stream at ``url``, send all blocks, close it.

    Args:
        blocks: PCM16, little-endian, mono, 48 kHz.
        url: of the web process, ``http://host:port``.
        token: of role ``web.live_role`` at least, label for ``storage``; empty for none.
        storage: whether a recording is kept there, for labelling.
        on_event: called with what the server says of the stream, in a thread of the client.
        on_progress: called after each block.

    Raises:
        EngineUnavailableError: nobody answers at ``url``, or no more.
        TokenError: the token is refused.
        TidzamError: the server refused the stream; the message is its own.
    """
    import socketio
    from socketio.exceptions import ConnectionError as Refused
    from socketio.exceptions import SocketIOError

    client = socketio.Client(reconnection=False, handle_sigint=False, request_timeout=_ANSWER_S)
    client.on("sys", on_event)
    gone = threading.Event()
    client.on("disconnect", lambda *_reason: gone.set())
    refusals: list[Any] = []
    client.on("connect_error", refusals.append)
    try:
        client.connect(url, auth={"token": token} if token else None, wait_timeout=_ANSWER_S)
    except Refused as error:
        if any(isinstance(refusal, dict) for refusal in refusals):  # by the server's own words
            raise TokenError(f"{url}: {refusals[0].get('message', error)} (docs/tokens.md)") from error
        raise EngineUnavailableError(
            f"no Tidzam answers at {url} ({error}); start it with ./tidzam start"
        ) from error
    captured = Captured()
    try:
        opened = _called(
            client, "sys", {"sys": {"add_livestream": {"samplerate": RATE_HZ, "storage": storage}}}
        )
        captured.port, captured.kept_as = opened.get("portname", ""), opened.get("filename", "")
        for block in blocks:
            if gone.is_set():
                raise EngineUnavailableError(f"{url} closed the connection; its log says why")
            answer = _called(client, "audio", {"buffer": block, "samplerate": RATE_HZ, "storage": storage})
            captured.seconds += len(block) / 2 / RATE_HZ
            captured.dropped_frames = int(answer.get("dropped_frames", captured.dropped_frames))
            on_progress(captured)
        time.sleep(BLOCK_S)  # what was sent last is played before its port goes
    except SocketIOError as error:
        raise EngineUnavailableError(f"{url} does not answer any more ({error})") from error
    finally:
        client.disconnect()
    return captured


def _called(client: Any, event: str, data: Any) -> dict[str, Any]:
    """The acknowledgement of an event; TidzamError with the server's own words where it is an error."""
    answer = client.call(event, data, timeout=_ANSWER_S)
    if not isinstance(answer, dict):
        return {}
    if "error" in answer or "warning" in answer:
        raise TidzamError(str(answer.get("error") or answer.get("warning")))
    return answer
