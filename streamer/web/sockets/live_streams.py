"""Live streams of browsers and phones, and the event ``audio`` that carries them."""

from __future__ import annotations

import base64
import contextlib
from datetime import timedelta
from typing import Any, Final, NamedTuple

from serving.gateway.refusals import bad_request
from streamer.web.core import WebCore
from streamer.web.schemas import LiveStream, checked
from streamer.web.sockets.clients import Client
from tidzam_platform.access import Role
from tidzam_platform.clock import format_utc, utc_now
from tidzam_platform.errors import SourceError, TidzamError

MAX_BLOCK_BYTES: Final = 1 << 18  # 1.4 s at 96 kHz; pages send a twelfth of a second
MAX_BLOCK_S: Final = 3.0  # all that the engine keeps waiting
_SAMPLE_BYTES: Final = 2
_CLOCK_SLACK: Final = timedelta(
    milliseconds=250
)  # a stream's time is estimated; windows are longer than this
_OBJECT_KEYS: Final = ("buffer", "samplerate", "storage")


class Block(NamedTuple):
    """PCM of one event.

    Attributes:
        pcm: samples, 16 bit, little-endian, one channel.
        described: rate and storage; None where the client sent the bytes alone.
    """

    pcm: bytes
    described: LiveStream | None


class LiveStreams:
    """Opens, feeds and closes the live stream of each client; a client has one at most."""

    def __init__(self, core: WebCore) -> None:
        self._core = core

    def open(self, client: Client, described: LiveStream) -> dict[str, Any]:
        """Open the client's live stream, in place of the one that it has; returns what the original answers.

        Raises:
            HttpRefusalError: the client may not.
            TidzamError: the engine has no room, or does not answer.
        """
        role = Role(self._core.settings.web.live_role)
        if described.storage and not role.covers(Role.LABEL):
            role = Role.LABEL  # what is kept is kept on our disk, for those who label
        self._core.gatekeeper.require(client.caller, role)
        if client.live_rate_hz is not None:
            self.close(client)
        since = format_utc(utc_now() - _CLOCK_SLACK)
        opened = self._core.engine.request_owned(
            "live.open", client.owner, rate_hz=described.samplerate, storage=described.storage
        )
        client.live_rate_hz = described.samplerate
        client.live_channel, client.live_since = opened["portname"], since
        told = {key: opened[key] for key in ("portname", "samplerate", "filename")}
        return {"sys": told, **told}  # one README has it there, the code here

    def close(self, client: Client) -> None:
        """Close the client's live stream, if it has one."""
        if client.live_rate_hz is not None:
            client.live_rate_hz, client.live_channel = None, ""
            self._core.engine.request("live.close", owner=client.owner)
            client.dropped_frames = 0

    def push(self, client: Client, block: Block) -> tuple[dict[str, Any] | None, int]:
        """Hand the engine some samples; the first ones open the live stream.

        Returns:
            What to tell the client if its live stream was opened just now, and how many frames of it the engine has
            dropped so far because it had no room for them.

        Raises:
            HttpRefusalError: the client may not.
            TidzamError: the engine could not take them; where the live stream is gone, the next ones open another.
        """
        told = None
        if client.live_rate_hz is None:
            told = self.open(client, block.described or LiveStream())
        said = block.described
        rate_hz = client.live_rate_hz
        if said is not None and "samplerate" in said.model_fields_set:
            rate_hz = said.samplerate
        if len(block.pcm) > MAX_BLOCK_S * _SAMPLE_BYTES * (rate_hz or 1):
            raise bad_request(
                f"audio is {MAX_BLOCK_S:g} s at a time at most, and this is more at {rate_hz} Hz"
            )
        try:
            answer = self._core.engine.request(
                "live.push", owner=client.owner, pcm=base64.b64encode(block.pcm).decode(), rate_hz=rate_hz
            )
        except SourceError:
            with contextlib.suppress(TidzamError):  # most often it is gone; if not, it must not keep its port
                self.close(client)
            raise
        dropped = int(answer["dropped_frames"])  # since the stream was opened
        self._core.counts.add("audio_bytes_total", len(block.pcm))
        self._core.counts.add("audio_dropped_frames_total", max(0, dropped - client.dropped_frames))
        client.dropped_frames = dropped
        return told, dropped


def read_block(arguments: tuple[Any, ...]) -> Block:
    """The samples of an event ``audio``: bytes, or ``{"buffer", "samplerate", "storage"}``.

    Raises:
        HttpRefusalError: it holds something else, none, or too many of them (400).
    """
    if len(arguments) != 1:
        raise bad_request("audio carries one thing: PCM16 bytes, or an object with a buffer")
    (value,) = arguments
    described = None
    if isinstance(value, dict):
        if "buffer" not in value or set(value) - set(_OBJECT_KEYS):
            raise bad_request(f"an object of audio has the keys {', '.join(_OBJECT_KEYS)}")
        said = {key: value[key] for key in ("samplerate", "storage") if value.get(key) is not None}
        described = checked(LiveStream, said, "audio")
        value = value["buffer"]
    if not isinstance(value, (bytes, bytearray)):
        raise bad_request("audio is PCM16 in bytes, raw or as the buffer of an object")
    if not value or len(value) % _SAMPLE_BYTES or len(value) > MAX_BLOCK_BYTES:
        raise bad_request(
            f"audio is 2 to {MAX_BLOCK_BYTES} bytes at a time, two a sample; these are {len(value)}"
        )
    return Block(bytes(value), described)
