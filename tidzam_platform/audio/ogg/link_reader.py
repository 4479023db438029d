"""Reads the pages of one stream and finds its runs."""

from __future__ import annotations

import math
from typing import Final

from tidzam_platform.audio.limits import MAX_HOLE_S, MAX_LOSSES, MAX_LOST_START_S, MAX_OVERLAP_S
from tidzam_platform.audio.ogg.codecs import HEAD_BYTES, StreamCodec
from tidzam_platform.audio.ogg.packets import PacketJoiner
from tidzam_platform.audio.ogg.pages import CONTINUED, LAST, Page
from tidzam_platform.audio.ogg.runs import Link, Run
from tidzam_platform.errors import DecodingError

# Remuxed streams carry granules rounded to milliseconds, and some encoders misplace a page by less than a packet.
# What is lost lasts a packet at least (2.5 ms in Opus): less than that is no loss if no page number is missing.
ROUNDING_S: Final = 0.002
MAX_MISPLACED_S: Final = 0.02
_MAX_HEADER_BYTES: Final = 1 << 24
_SEQUENCES: Final = 1 << 32


class _Pending:
    """The pages since the last known granule position."""

    def __init__(self, *, after_loss: bool) -> None:
        self.first_byte: int | None = None
        self.after_loss = after_loss  # a decoder must begin anew with them
        self.numbered = True  # by their numbers none is missing before or among them
        self.joined = False  # the first one begins with the rest of a packet that is known
        self.drops = False  # the first one begins with the rest of a packet that is lost
        self.ticks = 0  # of the packets that end on them
        self.leading: list[int] = []  # ticks of the first two packets

    def add(self, ticks: int) -> None:
        self.ticks += ticks
        if len(self.leading) < 2:
            self.leading.append(ticks)

    def begin_here(self, *, silent_first: bool) -> None:
        """Count only what a decoder gives that begins with these pages."""
        unheard = int(self.joined) + int(silent_first)
        self.ticks -= sum(self.leading[:unheard])
        self.leading = [0, 0]
        self.drops |= self.joined
        self.joined = False
        self.after_loss = True


class LinkReader:
    """Takes the pages of a stream in the order of the file."""

    def __init__(self, codec: StreamCodec, first_page: Page) -> None:
        self.codec = codec
        self.serial = first_page.serial
        self.has_packets = False  # of audio, decodable or not
        self._sequence = first_page.sequence
        self._joiner = PacketJoiner()
        self._pending = _Pending(after_loss=True)
        self._lost_start = False  # something is missing before the first audio
        self._unsure = False
        self._ended = False
        self._shift = 0  # from granules as written to positions
        self._origin = 0
        self._reached = 0  # the farthest position
        self._grid = 0  # common divisor of all packets' ticks
        self._shortest = 0  # ticks of the shortest packet
        self._runs: list[Run] = []

    def note_damage(self) -> None:
        """Bytes that are no page lie before the next one."""
        self._lost_start |= not self._runs

    def add(self, page: Page) -> None:
        """Take the next page of the stream.

        Raises:
            DecodingError: too many losses to be worth decoding.
        """
        step = (page.sequence - self._sequence) % _SEQUENCES
        if self._is_replay(page, step):
            self._lose()
            return
        self._sequence = page.sequence
        self._lost_start |= step != 1 and not self._runs
        continued = bool(page.flags & CONTINUED)
        joined = continued and self._joiner.is_open and step == 1
        if continued != joined or (self._joiner.is_open and not joined):
            self._lose()
        pending = self._pending
        pending.numbered &= step == 1
        if pending.first_byte is None:
            pending.first_byte, pending.joined, pending.drops = page.offset, joined, continued and not joined
        ended = self._take_packets(page, drop_first=continued and not joined)
        self._ended |= bool(page.flags & LAST)
        if not self.has_packets and (ended or not self._joiner.is_open):
            self._pending = _Pending(after_loss=True)  # headers: audio begins on a page of its own
        elif self.has_packets and page.granule >= 0:
            self._settle(page, page.granule + self._shift, last=bool(page.flags & LAST))

    def finish(self) -> Link:
        """What was found. A packet that began and did not end counts for nothing."""
        return Link(self.serial, self.codec, tuple(self._runs), self._origin, self._unsure or not self._ended)

    def _tolerance(self, *, numbered: bool) -> int:
        """By how many ticks a page may be off its place without a loss."""
        rounding = round(ROUNDING_S * self.codec.rate_hz)
        most = round(MAX_MISPLACED_S * self.codec.rate_hz)
        return min(max(self._shortest - rounding, rounding), most) if numbered else rounding

    def _is_replay(self, page: Page, step: int) -> bool:
        """Whether the page is numbered like an earlier one, and also ends where we were already."""
        numbered_before = step == 0 or step > _SEQUENCES // 2
        return (
            numbered_before
            and bool(self._runs)
            and page.granule + self._shift <= self._reached + self._tolerance(numbered=False)
        )

    def _lose(self) -> None:
        self._joiner.lose()
        self._pending = _Pending(after_loss=True)
        self.codec.restart()

    def _take_packets(self, page: Page, *, drop_first: bool) -> int:
        """Count the packets that end on the page; returns how many."""
        keep_bytes = HEAD_BYTES if self.has_packets else _MAX_HEADER_BYTES
        packets = self._joiner.take(page, drop_first=drop_first, keep_bytes=keep_bytes)
        for packet in packets:
            if not self.has_packets:
                if self.codec.take_header(packet):
                    continue
                self.has_packets = True
            ticks = self.codec.ticks(packet[:HEAD_BYTES])
            self._pending.add(ticks)
            self._grid = math.gcd(self._grid, ticks)
            if ticks and (ticks < self._shortest or not self._shortest):
                self._shortest = ticks
        return len(packets)

    def _settle(self, page: Page, granule: int, *, last: bool) -> None:
        """A granule position is known: the pending pages continue the run, or begin a new one."""
        pending = self._pending
        if not pending.after_loss:
            run = self._runs[-1]
            off = granule - pending.ticks - run.end
            if abs(off) <= self._tolerance(numbered=pending.numbered) or (last and off < 0):
                # The end of the last packets may be cut off (RFC 7845 section 4.4), but no whole page.
                run.end = max(granule, run.end) if last and off < 0 else run.end + pending.ticks
                run.end_byte = page.end
                self._reached = max(self._reached, run.end)
                self._pending = _Pending(after_loss=False)
                return
            pending.begin_here(silent_first=self.codec.first_packet_is_silent)
        if pending.ticks and pending.first_byte is not None:  # else a decoder gives nothing yet
            self._begin_run(page, pending, pending.first_byte, granule, last=last)
            self._pending = _Pending(after_loss=False)

    def _begin_run(self, page: Page, pending: _Pending, first_byte: int, granule: int, *, last: bool) -> None:
        start = granule - pending.ticks
        if not self._runs:
            start = self._place_origin(start, last=last, lost=self._lost_start or pending.drops)
        elif not -MAX_OVERLAP_S <= (start - self._reached) / self.codec.rate_hz <= MAX_HOLE_S:
            self._unsure = True
            self._shift += self._reached - start
            granule += self._reached - start
            start = self._reached
        elif last and start > self._reached:
            start = self._on_grid(start, self._runs[0].start)
        if len(self._runs) >= MAX_LOSSES:
            raise DecodingError(f"more than {MAX_LOSSES} losses: damaged beyond use")
        end = max(granule, start) if last else start + pending.ticks
        self._runs.append(Run(first_byte, page.end, start, end, self._shift, pending.drops))
        self._reached = max(self._reached, end)

    def _place_origin(self, start: int, *, last: bool, lost: bool) -> int:
        """Say which position is time 0; returns the position of the first tick."""
        if start < 0:
            # A stream on one page may be cut at its end. Else what Vorbis gives before 0 is not to be heard.
            start = start if self.codec.first_packet_is_silent and not last else 0
            zero = 0
        elif lost and start <= MAX_LOST_START_S * self.codec.rate_hz:
            zero = 0
            start = self._on_grid(start, 0) if last else start
        else:
            zero = start
        self._origin = zero + self.codec.pre_skip
        self._reached = self._origin
        return start

    def _on_grid(self, start: int, base: int) -> int:
        """Where the packets on a last page begin that ends at a known position.

        Their end may be cut off, so that counting back from it begins too early; but packets lie on a grid.
        """
        return start + (base - start) % max(self._grid, 1)
