"""A moment of a URL, heard without an engine: can it be fetched and decoded, and how loud is it?"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from streamer.engine.fetching import Cancellation, Resolver, open_stream, parse_url, system_resolver
from streamer.engine.mixer import measure
from streamer.engine.rings import ENGINE_RATE_HZ
from streamer.engine.sources.decoder import StreamDecoder
from tidzam_platform.errors import DecodingError
from tidzam_platform.settings import Settings

_SLACK_S: Final = 20.0  # a stream in real time takes as long as it lasts, and a little to begin


@dataclass(frozen=True)
class Trial:
    """What was heard.

    Attributes:
        url: without user, password and query.
        container: of the stream.
        is_live: whether it has no end.
        channels: how many.
        seconds: how much was heard.
        first_sample_s: how long it took to hear anything.
        metadata: what the stream says of itself.
        levels_dbfs: of each channel its RMS and its peak.
    """

    url: str
    container: str
    is_live: bool
    channels: int
    seconds: float
    first_sample_s: float
    metadata: dict[str, str]
    levels_dbfs: tuple[tuple[float, float], ...]

    def as_dict(self) -> dict[str, Any]:
        """What JSON can say of it."""
        return asdict(self)


def try_url(
    url: str,
    settings: Settings,
    *,
    seconds: float = 3.0,
    resolver: Resolver = system_resolver,
    on_progress: Callable[[float], None] = lambda _seconds: None,
) -> Trial:
    """Fetch and decode ``seconds`` of ``url``, as the engine would.

    Args:
        url: http, https or rtsp.
        settings: what addresses are allowed, and how long to wait.
        seconds: how much to hear; a stream that ends sooner is heard to its end.
        resolver: who looks up names of servers.
        on_progress: called with how much has been heard.

    Raises:
        RefusedAddressError: the URL leads where it may not.
        FetchError: it cannot be fetched now.
        DecodingError: what comes is no audio, or nothing comes.
    """
    began_s = time.monotonic()
    deadline_s = began_s + seconds + _SLACK_S + settings.sources.connect_s
    with Cancellation() as cancellation:
        stream = open_stream(url, settings.sources, cancel=cancellation, resolver=resolver)
        with StreamDecoder(stream.input_arguments(), cancellation, stream=stream) as decoder:
            channels = decoder.read_header(deadline_s)
            first_sample_s = time.monotonic() - began_s
            blocks, frames, wanted = [], 0, round(seconds * ENGINE_RATE_HZ)
            while frames < wanted and time.monotonic() < deadline_s:
                block = decoder.read(min(deadline_s, time.monotonic() + settings.sources.no_samples_s))
                if block is None:
                    decoder.require_good_end()
                    break
                if not len(block):
                    heard_s, waited_s = frames / ENGINE_RATE_HZ, settings.sources.no_samples_s
                    raise DecodingError(
                        f"nothing more came for {waited_s:g} s, after {heard_s:.1f} s of audio"
                    )
                blocks.append(block[: wanted - frames])
                frames += len(blocks[-1])
                on_progress(frames / ENGINE_RATE_HZ)
            heard = np.concatenate(blocks).T if blocks else np.zeros((channels, 0), np.float32)
            readings = measure(np.ascontiguousarray(heard), ENGINE_RATE_HZ)
            return Trial(
                url=str(parse_url(url)),
                container=stream.container.name,
                is_live=stream.is_live,
                channels=channels,
                seconds=frames / ENGINE_RATE_HZ,
                first_sample_s=first_sample_s,
                metadata=stream.metadata(),
                levels_dbfs=tuple(
                    (float(rms), float(peak))
                    for rms, peak in zip(readings.rms_dbfs, readings.peak_dbfs, strict=True)
                ),
            )
