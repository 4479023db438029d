"""Ogg pages: found in any bytes, checked, written."""

from __future__ import annotations

import io
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.audio.ogg_bytes import make_page, split_pages, with_checksum
from tidzam_platform.audio.ogg.packets import PacketJoiner
from tidzam_platform.audio.ogg.pages import CONTINUED, Page, PageReader, write_packet_pages, write_page
from tidzam_platform.errors import DecodingError

BODIES = st.lists(st.binary(max_size=600), max_size=8)


def _read(data: bytes) -> tuple[list[Page], bool]:
    reader = PageReader(io.BytesIO(data))
    return list(reader), reader.cut


@given(st.lists(BODIES, min_size=1, max_size=6))
def test_pages_with_a_right_checksum_are_read_as_they_were_written(pages: list[list[bytes]]) -> None:
    written = [make_page(bodies, granule=number, sequence=number) for number, bodies in enumerate(pages)]
    found, cut = _read(b"".join(written))
    assert [page.granule for page in found] == list(range(len(pages)))
    assert [page.body for page in found] == [b"".join(bodies) for bodies in pages]
    assert not cut
    assert found[-1].end == len(b"".join(written))


@given(st.binary(max_size=2000), st.integers(0, 7), st.integers(-1, 2**62))
def test_the_fast_checksum_is_that_of_the_reference_table(body: bytes, flags: int, granule: int) -> None:
    lacing = b"\xff" * (len(body) // 255) + bytes([len(body) % 255])
    page = write_page(flags=flags, granule=granule, serial=7, sequence=9, lacing=lacing, body=body)
    assert page == with_checksum(page)


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_bytes_between_pages_are_skipped_and_noted(before: bytes, between: bytes) -> None:
    one, two = (make_page([b"x" * 50], granule=number, sequence=number) for number in (1, 2))
    found, cut = _read(before + one + between + two)
    assert [page.granule for page in found] == [1, 2]
    assert [page.after_damage for page in found] == [bool(before), bool(between)]
    assert not cut


@given(st.data())
def test_a_page_with_any_changed_byte_is_dropped_and_no_other(data: st.DataObject) -> None:
    pages = [make_page([bytes([number]) * 40], granule=number, sequence=number) for number in range(3)]
    place = data.draw(st.integers(0, len(pages[1]) - 1))
    flip = data.draw(st.integers(1, 255))
    damaged = bytearray(pages[1])
    damaged[place] ^= flip
    found, _ = _read(pages[0] + bytes(damaged) + pages[2])
    assert [page.granule for page in found] == [0, 2]


@given(st.integers(1, 66))
def test_a_file_that_ends_within_a_page_is_said_to_be_cut(missing: int) -> None:
    data = make_page([b"a" * 40], granule=1, sequence=0) + make_page([b"b" * 40], granule=2, sequence=1)
    found, cut = _read(data[:-missing])
    assert [page.granule for page in found] == [1]
    assert cut == (missing < 68)


@given(st.binary(max_size=3000))
def test_any_bytes_are_read_to_the_end(data: bytes) -> None:
    _read(data)
    _read(b"OggS" + data)


def test_a_file_full_of_false_pages_is_given_up_in_bounded_time() -> None:
    false_page = b"OggS\0" + bytes(21) + b"\xff"  # promises 255 segments, of which many are long
    data = (false_page * 12 + b"\xff" * 200) * 20_000
    begun_s = time.monotonic()
    with pytest.raises(DecodingError, match="damaged beyond use"):
        _read(data)
    assert time.monotonic() - begun_s < 30


@given(st.integers(0, 200_000))
def test_a_header_packet_of_any_length_is_written_on_as_many_pages_as_it_needs(length: int) -> None:
    packet = bytes(number % 251 for number in range(length))
    pages = write_packet_pages(packet, first=True, serial=3, sequence=5)
    assert [with_checksum(page) for page in pages] == pages
    joiner = PacketJoiner()
    packets = []
    for number, page in enumerate(_read(b"".join(pages))[0]):
        assert page.sequence == 5 + number
        assert bool(page.flags & CONTINUED) == (number > 0)
        packets += joiner.take(page, drop_first=False, keep_bytes=1 << 20)
    assert packets == [packet]
    assert not joiner.is_open


@given(st.lists(st.binary(max_size=1200), min_size=1, max_size=12), st.integers(1, 5))
def test_packets_are_joined_across_pages_and_kept_to_a_bound(
    bodies: list[bytes], segments_a_page: int
) -> None:
    lacing = b"".join(b"\xff" * (len(body) // 255) + bytes([len(body) % 255]) for body in bodies)
    stream = b"".join(bodies)
    joiner = PacketJoiner()
    joined = []
    for begin in range(0, len(lacing), segments_a_page):
        part = lacing[begin : begin + segments_a_page]
        body, stream = stream[: sum(part)], stream[sum(part) :]
        page = Page(0, 0, 0, 1, begin, part, body)
        joined += joiner.take(page, drop_first=False, keep_bytes=400)
    assert joined == [body[:400] for body in bodies]


def test_the_helper_of_these_tests_splits_what_it_makes() -> None:
    pages = [make_page([b"a" * 300, b""], granule=1, sequence=0), make_page([], granule=2, sequence=1)]
    assert split_pages(b"".join(pages)) == pages
