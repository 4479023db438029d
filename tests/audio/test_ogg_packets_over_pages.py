"""Packets that go on over pages: what a lost page costs."""

from __future__ import annotations

import io

import pytest

from tests.audio.conftest import OggFile
from tests.audio.ogg_bytes import changed, granule, make_page
from tidzam_platform.audio.ogg.timeline import Timeline, read_timeline

KINDS = ("opus", "vorbis", "oggflac")
CONTINUED, FIRST, LAST = 1, 2, 4


def _read(*pages: bytes) -> Timeline:
    return read_timeline(io.BytesIO(b"".join(pages)))


def _holes_in_ticks(timeline: Timeline) -> list[tuple[int, int]]:
    return [(round(start * timeline.rate_hz), round(end * timeline.rate_hz)) for start, end in timeline.holes]


def _missing(file: OggFile, removed: set[int]) -> list[tuple[int, int]]:
    """The holes that removing these audio pages must leave: those before the last page that is kept."""
    last_kept = max(index for index in range(len(file.audio)) if index not in removed)
    holes: list[tuple[int, int]] = []
    for index in sorted(removed):
        begin, end = file.interval(index)
        if index > last_kept or end <= begin:
            continue
        if holes and holes[-1][1] == begin:
            begin = holes.pop()[0]
        holes.append((begin, end))
    return holes


class TestPacketsOverPages:
    """Packets of 20 ms that begin on one page and end on the next."""

    head = b"OpusHead\x01\x01\0\0\x80\xbb\0\0\0\0\0"
    packet = bytes([1 << 3]) + b"x" * 509  # 510 bytes: two whole segments, then one of 0

    def pages(self, count: int) -> list[bytes]:
        """Page n ends packet n and begins packet n + 1."""
        pages = [make_page([self.head], granule=0, sequence=0, flags=FIRST)]
        for number in range(1, count + 1):
            rest = [] if number == 1 else [self.packet[255:]]
            last = number == count
            begun = [] if last else [self.packet[:255]]
            whole = [self.packet] if number == 1 else []
            pages.append(
                make_page(
                    [*rest, *whole, *begun],
                    granule=960 * number,
                    sequence=number,
                    flags=(CONTINUED if rest else 0) | (LAST if last else 0),
                    open_end=not last,
                )
            )
        return pages

    def test_whole(self) -> None:
        timeline = _read(*self.pages(20))
        assert timeline.seconds == 20 * 0.02
        assert timeline.holes == ()
        assert len(timeline.stretches) == 1

    @pytest.mark.parametrize("lost", range(2, 19))
    def test_a_lost_page_costs_both_its_packets(self, lost: int) -> None:
        pages = self.pages(20)
        timeline = _read(*pages[:lost], *pages[lost + 1 :])
        assert timeline.seconds == pytest.approx(20 * 0.02)
        assert _holes_in_ticks(timeline) == [(960 * (lost - 1), 960 * (lost + 1))]
        assert timeline.stretches[-1].run.drop_continued

    def test_a_jump_within_a_packet_costs_that_packet(self) -> None:
        pages = self.pages(20)
        later = [changed(page, granule=granule(page) + 9600) for page in pages[10:]]
        timeline = _read(*pages[:10], *later)
        assert timeline.seconds == pytest.approx(20 * 0.02 + 0.2)
        assert _holes_in_ticks(timeline) == [(960 * 9, 960 * 10 + 9600)]
        assert timeline.stretches[-1].run.drop_continued

    def test_a_page_in_the_midst_of_a_packet_costs_that_packet(self) -> None:
        long = bytes([1 << 3]) + b"y" * (3 * 255 - 1)
        parts = [long[:255], long[255:510], long[510:]]
        pages = [
            make_page([self.head], granule=0, sequence=0, flags=FIRST),
            make_page([self.packet, parts[0]], granule=960, sequence=1, open_end=True),
            make_page([parts[1]], granule=-1, sequence=2, flags=CONTINUED, open_end=True),
            make_page([parts[2], self.packet], granule=3 * 960, sequence=3, flags=CONTINUED),
            make_page([self.packet], granule=4 * 960, sequence=4, flags=LAST),
        ]
        assert _read(*pages).holes == ()
        timeline = _read(*pages[:2], *pages[3:])
        assert _holes_in_ticks(timeline) == [(960, 2 * 960)]
        assert timeline.seconds == pytest.approx(4 * 0.02)
