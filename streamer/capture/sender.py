"""Blocks of samples to a Tidzam, and what became of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from streamer.capture.connection import WebConnection
from streamer.capture.microphone import BLOCK_S, RATE_HZ


@dataclass
class Captured:
    """What was sent.

    Attributes:
        port: of the engine that plays it, its channel's name; empty until the live stream is open.
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
    """Open a live stream at ``url``, send all blocks, close it; it is closed as well when anything breaks off.

    Args:
        blocks: PCM16, little-endian, mono, 48 kHz.
        url: of the web process, ``http://host:port``.
        token: of role ``web.live_role`` at least, label for ``storage``; empty for none.
        storage: whether a recording is kept there, for labelling.
        on_event: called with what the server says of the stream, in a thread of the client.
        on_progress: called once it is open and after each block, always with the same object.

    Raises:
        EngineUnavailableError: nobody answers at ``url``, or no more.
        TokenError: the token is refused.
        TidzamError: the server refused the stream; the message is its own.
    """
    captured = Captured()
    with (
        WebConnection(url, token, on_event) as connection,
        connection.live_stream(RATE_HZ, storage=storage) as opened,
    ):
        captured.port, captured.kept_as = opened.get("portname", ""), opened.get("filename", "")
        on_progress(captured)
        for block in blocks:
            answer = connection.call("audio", {"buffer": block, "samplerate": RATE_HZ, "storage": storage})
            captured.seconds += len(block) / 2 / RATE_HZ
            captured.dropped_frames = int(answer.get("dropped_frames", captured.dropped_frames))
            on_progress(captured)
        time.sleep(BLOCK_S)  # what was sent last is played before its port goes
    return captured
