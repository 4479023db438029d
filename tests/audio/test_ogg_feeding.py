"""A run is written for the decoder as a valid stream of its own, whatever surrounds it in the file."""

from __future__ import annotations

import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.audio.conftest import OggFile
from tests.audio.ogg_bytes import flags, granule, packets, repaginated, split_pages, with_checksum
from tidzam_platform.audio.ogg.feeding import stream_of_run
from tidzam_platform.audio.ogg.timeline import read_timeline

CONTINUED, FIRST, LAST = 1, 2, 4


def _packets_of_a_valid_stream(data: bytes) -> list[bytes]:
    """All packets, after checking what RFC 3533 asks of a stream."""
    pages = split_pages(data)
    found: list[bytes] = []
    unfinished: bytes | None = None
    reached = 0
    for number, page in enumerate(pages):
        assert with_checksum(page) == page
        assert int.from_bytes(page[18:22], "little") == number
        assert page[14:18] == pages[0][14:18]
        assert bool(flags(page) & FIRST) == (number == 0)
        assert not flags(page) & LAST
        assert bool(flags(page) & CONTINUED) == (unfinished is not None)
        lacing = page[27 : 27 + page[26]]
        position = 27 + page[26]
        ended = 0
        for value in lacing:
            unfinished = (unfinished or b"") + page[position : position + value]
            position += value
            if value < 255:
                found.append(unfinished)
                ended += 1
                unfinished = None
        if ended:
            assert granule(page) >= reached
            reached = granule(page)
        else:
            assert granule(page) == -1
    assert unfinished is None
    return found


@pytest.mark.parametrize("segments", [1, 2, 5, 200])
@given(removed=st.sets(st.integers(0, 400), min_size=1, max_size=6))
@example(removed={10, 12, 14, 16, 18, 20})
@settings(max_examples=25)
def test_every_run_is_a_valid_stream_of_packets_that_follow_each_other(
    ogg_files: dict[str, OggFile], segments: int, removed: set[int]
) -> None:
    file = ogg_files["opus"]
    original = [packet for page in file.audio for packet in packets(page)]
    long = [packet + bytes(300) for packet in original]  # padding is no part of what is tested here
    audio = repaginated(_with_packets(file.audio, long), ticks=960, segments=segments, first_sequence=2)
    data = b"".join([*file.headers, *(page for index, page in enumerate(audio) if index not in removed)])
    handle = io.BytesIO(data)
    timeline = read_timeline(handle)
    heard = []
    for stretch in timeline.stretches:
        head, tags, *run = _packets_of_a_valid_stream(
            b"".join(stream_of_run(handle, stretch.link, stretch.run))
        )
        assert head[10:12] == bytes(2)
        assert tags.startswith(b"OpusTags")
        first = stretch.run.start // 960
        assert run == long[first : first + len(run)]
        heard += run
        assert 0 <= first * 960 + len(run) * 960 - stretch.run.end < 960
    assert len(heard) >= len(long) - len(removed) * (segments + 2)


def _with_packets(pages: list[bytes], bodies: list[bytes]) -> list[bytes]:
    """One page after another of at most 60 of the packets; only their serial and last position are used."""
    remade = []
    for begin in range(0, len(bodies), 60):
        part = bodies[begin : begin + 60]
        lacing = b"".join(b"\xff" * (len(body) // 255) + bytes([len(body) % 255]) for body in part)
        header = pages[-1][:26] + bytes([len(lacing)])
        remade.append(header + lacing + b"".join(part))
    return remade


@pytest.mark.parametrize("kind", ["opus", "vorbis", "oggflac"])
def test_positions_begin_at_0_with_each_run(ogg_files: dict[str, OggFile], kind: str) -> None:
    file = ogg_files[kind]
    handle = io.BytesIO(b"".join([*file.headers, *file.audio[:5], *file.audio[9:]]))
    timeline = read_timeline(handle)
    assert len(timeline.stretches) == 2
    for stretch in timeline.stretches:
        pages = split_pages(b"".join(stream_of_run(handle, stretch.link, stretch.run)))
        positions = [granule(page) for page in pages]
        # The end mark is left out, so that the decoder trims nothing; the position stays.
        assert max(positions) == stretch.run.end - stretch.run.start
        assert 0 < min(position for position in positions if position) <= 0.5 * 48000
