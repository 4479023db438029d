"""The segments of an HLS stream, loaded in their order.

A live playlist is loaded again and again (RFC 8216 section 6.3).
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Final

from streamer.engine.fetching.cancellation import Cancellation
from streamer.engine.fetching.containers import id3_bytes
from streamer.engine.fetching.hls_playlists import (
    MAX_HLS_BYTES,
    MasterPlaylist,
    MediaPlaylist,
    Part,
    Segment,
    choose_audio,
    parse_hls,
)
from streamer.engine.fetching.http import HttpClient, require_no_downgrade
from streamer.engine.fetching.playlists import decode_playlist
from streamer.engine.fetching.urls import StreamUrl, join_url
from tidzam_platform.errors import FetchError, RefusedAddressError

MAX_SEGMENT_BYTES: Final = 1 << 24
# RFC 8216 section 6.3.3: a client should not begin less than three target durations before the end.
_START_TARGETS: Final = 3
# Farther behind than this, what is too old is left out: latency would grow for ever.
_BEHIND_TARGETS: Final = 8
_FAILURES_IN_A_ROW: Final = 3
_LEAST_RELOAD_S: Final = 0.5
_MOST_LOAD_S: Final = 30.0
# An old copy of a playlist out of a cache ends a little before the last one; a server that began anew ends far before.
_STALE_SEGMENTS: Final = 3


@dataclass(frozen=True)
class LoadedSegment:
    """The bytes of a segment, what the demuxer needs before it included, and how long it plays."""

    data: bytes
    duration_s: float


class SegmentLoader:
    """Loads one segment after the other. Used by one thread at a time.

    Args:
        client: fetches; every address is checked by it.
        url: of the playlist ``text``, after redirects.
        text: a master or a media playlist.
        answer_s: how long a server may take to answer with a playlist.
        stall_s: without a new segment for so long the stream is over.
        open_by_s: when the first segment must be here, of ``time.monotonic``.
        cancel: ends every wait.

    Attributes:
        lost_segments: which the server did not give, or which were too old before they could be loaded.
        discontinuities: places where times began anew.
        segments: those that were loaded.

    Raises:
        FetchError: the playlist makes no sense, or is encrypted.
        RefusedAddressError: it leads where it may not.
    """

    def __init__(
        self,
        client: HttpClient,
        url: StreamUrl,
        text: str,
        *,
        answer_s: float,
        stall_s: float,
        open_by_s: float,
        cancel: Cancellation,
    ) -> None:
        self._client = client
        self._url = url
        self._answer_s = answer_s
        self._open_by_s: float | None = open_by_s
        self._cancel = cancel
        self._pending: deque[Segment] = deque()
        self._next_sequence: int | None = None
        self._initialization: Part | None = None
        self._beginning = b""  # its bytes, until they have been given
        self._failures = 0
        self.segments = self.lost_segments = self.discontinuities = 0
        self._loaded_at_s = time.monotonic()
        playlist = parse_hls(text)
        if isinstance(playlist, MasterPlaylist):
            self._url = self._resolved(choose_audio(playlist))
            playlist = self._load_playlist()
        self._target_s = playlist.target_s
        self._stall_s = min(max(stall_s, 3 * playlist.target_s), max(stall_s, _MOST_LOAD_S))
        self._new_at_s = time.monotonic()
        self.is_ended = playlist.is_ended
        self._reload_after_s = playlist.target_s
        self._begin(playlist)

    @property
    def target_s(self) -> float:
        """The most that a segment plays, and about how often a new one comes."""
        return self._target_s

    @property
    def stall_s(self) -> float:
        """Without a new segment for so long the stream is over."""
        return self._stall_s

    def next_segment(self) -> LoadedSegment | None:
        """Wait for the next segment; None after the last one.

        Raises:
            FetchError: none came in time, several in a row could not be loaded, the format changes, it is encrypted,
                or it was cancelled.
            RefusedAddressError: it leads where it may not.
        """
        while True:
            self._cancel.require_going()
            if self._open_by_s is not None and time.monotonic() > self._open_by_s:
                raise FetchError(f"{self._url} did not give its first segment in time")
            if self._pending:
                loaded = self._load(self._pending.popleft())
                if loaded is not None:
                    self._open_by_s = None
                    return loaded
            elif self.is_ended:
                return None
            else:
                self._reload()

    def _begin(self, playlist: MediaPlaylist) -> None:
        segments = playlist.segments
        if not playlist.is_ended:
            segments = _last(segments, _START_TARGETS * playlist.target_s)
        self._pending.extend(segments)
        if segments:
            self._next_sequence = segments[-1].sequence + 1

    def _reload(self) -> None:
        """Wait until it is time, and load the playlist again."""
        if time.monotonic() - self._new_at_s > self._stall_s:
            raise FetchError(f"{self._url} had no new segment for {self._stall_s:g} s")
        self._cancel.sleep_until(self._loaded_at_s + max(self._reload_after_s, _LEAST_RELOAD_S))
        try:
            playlist = self._load_playlist()
        except FetchError as error:
            self._failed(error)
            self._reload_after_s = self._target_s / 2
            return
        self._failures = 0
        # RFC 8216 section 6.3.4: after one that was not changed, half as long.
        self._reload_after_s = playlist.target_s if self._take(playlist) else playlist.target_s / 2

    def _take(self, playlist: MediaPlaylist) -> bool:
        """Add the segments that are new; returns whether there are any, or no others will come."""
        self.is_ended = playlist.is_ended
        if self._next_sequence is None:
            self._begin(playlist)
            fresh: list[Segment] = list(self._pending)
        else:
            fresh = [segment for segment in playlist.segments if segment.sequence >= self._next_sequence]
            self._require_no_step_back(playlist, self._next_sequence)
            if fresh:
                self.lost_segments += fresh[0].sequence - self._next_sequence
                self._next_sequence = fresh[-1].sequence + 1
            self._pending.extend(fresh)
        if fresh:
            self._new_at_s = time.monotonic()
        if not playlist.is_ended and _duration_s(self._pending) > _BEHIND_TARGETS * playlist.target_s:
            kept = _last(tuple(self._pending), _START_TARGETS * playlist.target_s)
            self.lost_segments += len(self._pending) - len(kept)
            self._pending = deque(kept)
        return bool(fresh) or playlist.is_ended

    def _require_no_step_back(self, playlist: MediaPlaylist, expected: int) -> None:
        if playlist.segments and playlist.segments[-1].sequence + 1 + _STALE_SEGMENTS < expected:
            raise FetchError(f"{self._url} counts its segments anew: the stream must be opened anew")

    def _load_playlist(self) -> MediaPlaylist:
        self._loaded_at_s = time.monotonic()
        deadline_s = self._deadline_s(self._answer_s)
        with self._client.get(self._url, deadline_s=deadline_s) as response:
            playlist = parse_hls(decode_playlist(response.read_all(MAX_HLS_BYTES, deadline_s)))
        if isinstance(playlist, MasterPlaylist):
            raise FetchError(f"{self._url} is a master playlist where one of segments belongs")
        return playlist

    def _load(self, segment: Segment) -> LoadedSegment | None:
        """Fetch a segment; None if the server does not give it."""
        if segment.encryption is not None:
            raise FetchError(
                f"{self._url} is encrypted ({segment.encryption[:20]!r}): encrypted HLS is not played; use a stream in "
                "the clear"
            )
        if segment.is_gap:
            self.lost_segments += 1
            return None
        self._require_same_format(segment)
        try:
            self._load_initialization(segment)
            data = self._load_part(segment.part)
        except FetchError as error:
            self.lost_segments += 1
            self._failed(error)
            return None
        beginning, self._beginning = self._beginning, b""
        self._failures = 0
        self.segments += 1
        self.discontinuities += segment.is_discontinuous
        return LoadedSegment(beginning + data[id3_bytes(data) :], segment.duration_s)

    def _require_same_format(self, segment: Segment) -> None:
        """A demuxer that is in the middle of one format cannot go on with another."""
        if self.segments and segment.initialization != self._initialization:
            raise FetchError(f"{self._url} changes its format: the stream must be opened anew")

    def _load_initialization(self, segment: Segment) -> None:
        """Have what must come before all segments."""
        if segment.initialization is not None and segment.initialization != self._initialization:
            self._beginning = self._load_part(segment.initialization)
            self._initialization = segment.initialization

    def _load_part(self, part: Part) -> bytes:
        deadline_s = self._deadline_s(min(max(self._answer_s, 2 * self._target_s), _MOST_LOAD_S))
        url = self._resolved(part.uri)
        with self._client.get(url, deadline_s=deadline_s, byte_range=part.byte_range) as response:
            most = (
                MAX_SEGMENT_BYTES if part.byte_range is None else min(part.byte_range[1], MAX_SEGMENT_BYTES)
            )
            data = response.read_all(most, deadline_s)
        if part.byte_range is not None and len(data) != part.byte_range[1]:
            raise FetchError(f"{url} gave {len(data)} bytes of a range of {part.byte_range[1]}")
        return data

    def _deadline_s(self, seconds: float) -> float:
        deadline_s = time.monotonic() + seconds
        return deadline_s if self._open_by_s is None else min(deadline_s, self._open_by_s)

    def _resolved(self, uri: str) -> StreamUrl:
        try:
            url = join_url(self._url, uri)
        except RefusedAddressError as error:
            raise RefusedAddressError(
                f"{self._url} is a playlist, and an entry of it is refused: {error}"
            ) from error
        require_no_downgrade(self._url, url)
        if url.scheme not in ("http", "https"):
            raise RefusedAddressError(f"{self._url} leads to {url}: refused, segments come by http or https")
        return url

    def _failed(self, error: FetchError) -> None:
        self._failures += 1
        self._cancel.require_going()
        if self._failures >= _FAILURES_IN_A_ROW:
            raise error


def _duration_s(segments: deque[Segment]) -> float:
    return sum(segment.duration_s for segment in segments)


def _last(segments: tuple[Segment, ...], least_s: float) -> tuple[Segment, ...]:
    """The last segments that play at least ``least_s`` together."""
    total_s = 0.0
    for index in range(len(segments) - 1, -1, -1):
        total_s += segments[index].duration_s
        if total_s >= least_s:
            return segments[index:]
    return segments
