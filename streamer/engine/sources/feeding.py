"""From a decoder into the ring: live sources with their own clock, and files that wait for the graph."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Final, NoReturn

from streamer.engine.fetching import ByteStream, Cancellation, open_stream
from streamer.engine.rings import ENGINE_RATE_HZ
from streamer.engine.sources.attempt import Attempt, exact_zeros
from streamer.engine.sources.channel_map import ChannelMap
from streamer.engine.sources.copying import with_copy
from streamer.engine.sources.decoder import StreamDecoder
from tidzam_platform.errors import FetchError

# How long a read waits before the watchdog is asked again.
_READ_S: Final = 0.25
_ROOM_S: Final = 0.05
# Blocks are as long as the delay of the source allows: each costs the same, and there may be hundreds of sources.
_LONGEST_BLOCK_S: Final = 0.2
_BLOCK_SHARE: Final = 0.2


class UrlFeed:
    """A stream or a file at a URL. See ``attempt.Feed``."""

    def run(self, attempt: Attempt) -> str:
        """See ``attempt.Feed``."""
        specification = attempt.specification
        with attempt.child() as cancellation:
            stream = _opened(attempt, cancellation)
            stream, not_copied = with_copy(stream, specification, attempt.context.hooks)
            # The decoder closes the stream, also when ffmpeg cannot be started.
            with StreamDecoder(stream.input_arguments(), cancellation, stream=stream) as decoder:
                attempt.memory.details = {
                    "container": stream.container.name,
                    "is_live": stream.is_live,
                    "decoder_pid": decoder.pid,
                    **({"not_copied": not_copied} if not_copied else {}),
                }

                def look() -> None:
                    attempt.memory.metadata = stream.metadata()

                look()
                if stream.is_live:
                    play_live(attempt, decoder, can_wait=True, look=look)
                return play_paced(attempt, decoder)


def _opened(attempt: Attempt, cancellation: Cancellation) -> ByteStream:
    """The stream at the source's URL, when its server has answered and fewer others are starting."""
    assert attempt.specification.url is not None  # noqa: S101 - the manager chose this feed by it
    with contextlib.ExitStack() as opened:
        with attempt.asking():
            stream = opened.enter_context(
                open_stream(
                    attempt.specification.url,
                    attempt.settings,
                    cancel=cancellation,
                    resolver=attempt.context.resolver,
                )
            )
        opened.pop_all()
    return stream


def play_live(
    attempt: Attempt, decoder: StreamDecoder, *, can_wait: bool, look: Callable[[], None] = lambda: None
) -> NoReturn:
    """Play what comes at the speed of another clock. Never returns: the end of a live source is a failure.

    Args:
        attempt: of the source.
        decoder: just started.
        can_wait: whether the input may be left to wait while the ring is full.
        look: called now and then.

    Raises:
        TidzamError: as ``Feed.run``.
    """
    channels = ChannelMap(attempt.specification, decoder.read_header(_deadline_s(attempt)))
    writer = attempt.live_writer(attempt.open_ring(channels), can_wait=can_wait)
    watchdog = attempt.watchdog()
    block_frames = round(min(_LONGEST_BLOCK_S, _BLOCK_SHARE * attempt.settings.buffer_s) * ENGINE_RATE_HZ)
    counts = attempt.memory.counts
    rebuffers = counts.rebuffers
    while True:
        if not writer.may_write():
            if not attempt.wait(_ROOM_S):
                attempt.cancellation.require_going()
            watchdog.start()  # it is not the source that is late
            continue
        block = decoder.read(
            time.monotonic() + min(_READ_S, watchdog.seconds_left), block_frames=block_frames
        )
        if block is None:
            decoder.require_good_end()
            raise FetchError("the stream has ended")
        if len(block):
            attempt.gives_samples()
            mapped = channels.apply(block)
            watchdog.note(len(mapped), are_zeros=exact_zeros(mapped), sounding_s=writer.sounding_s)
            writer.write(mapped)
        sounds = writer.check()
        if counts.rebuffers > rebuffers:
            rebuffers = counts.rebuffers
            attempt.tell_stalled("too few samples came: silent until enough are there again")
        else:
            attempt.tell_sounding(sounds)
        attempt.judge(watchdog)
        look()


def play_paced(attempt: Attempt, decoder: StreamDecoder) -> str:
    """Play a file that comes from elsewhere, sample by sample, to its end."""
    channels = ChannelMap(attempt.specification, decoder.read_header(_deadline_s(attempt)))
    ring = attempt.open_ring(channels)
    ring.set_anchor(attempt.heard_at_ns(ring))
    writer = attempt.paced_writer(ring)
    watchdog = attempt.watchdog()
    while True:
        block = decoder.read(time.monotonic() + min(_READ_S, watchdog.seconds_left))
        if block is None:
            decoder.require_good_end()
            if not writer.play_out():
                attempt.cancellation.require_going()
            return "it has played to its end"
        if len(block):
            attempt.gives_samples()
            mapped = channels.apply(block)
            before_s = attempt.context.monotonic()
            watchdog.note(len(mapped), are_zeros=exact_zeros(mapped))
            if not writer.write(mapped):
                attempt.cancellation.require_going()
            if attempt.context.monotonic() - before_s > _ROOM_S:
                watchdog.start()  # it waited for room
        attempt.judge(watchdog)


def _deadline_s(attempt: Attempt) -> float:
    """Until when the first samples must have come, of ``time.monotonic``."""
    return time.monotonic() + attempt.settings.no_samples_s
