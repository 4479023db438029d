"""Bytes of a source for everyone who listens to it."""

from __future__ import annotations

import io
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.engine.encoding import PageSplitter
from streamer.engine.listening.copy_stream import MAX_WAITING_BYTES, CopyStream
from tests.audio.ogg_bytes import make_page, split_pages
from tests.support.parts import require_part
from tidzam_platform.audio.ogg.timeline import read_timeline

SILENCE = b"\xf8\xff\xfe"


def _opus(serial: int, pages: int = 20, *, comment: int = 10) -> bytes:
    """A stream whose comments go over pages where they are long."""
    head = b"OpusHead" + bytes([1, 1, 0, 0, 0x80, 0xBB, 0, 0, 0, 0, 0])
    tags = b"OpusTags" + (4).to_bytes(4, "little") + b"made" + (1).to_bytes(4, "little")
    tags += (comment + 2).to_bytes(4, "little") + b"A=" + b"x" * comment
    out = [make_page([head], granule=0, sequence=0, serial=serial, flags=2)]
    lacing = len(tags) // 255 + 1
    if lacing <= 255:
        out.append(make_page([tags], granule=0, sequence=1, serial=serial))
        sequence = 2
    else:
        first, rest = tags[: 255 * 255], tags[255 * 255 :]
        out.append(make_page([first], granule=-1, sequence=1, serial=serial, open_end=True))
        out.append(make_page([rest], granule=0, sequence=2, serial=serial, flags=1))
        sequence = 3
    out += [
        make_page([SILENCE] * 5, granule=4800 * (number + 1), sequence=sequence + number, serial=serial)
        for number in range(pages)
    ]
    return b"".join(out)


@given(
    cuts=st.lists(st.integers(0, 5000), max_size=20),
    comment=st.sampled_from([10, 300, 70_000]),
    joins_at=st.integers(0, 20),
)
def test_whoever_joins_an_ogg_stream_gets_its_headers_and_whole_pages(
    cuts: list[int], comment: int, joins_at: int
) -> None:
    data = _opus(7, comment=comment)
    stream = CopyStream("ogg")
    first = stream.open()
    late = None
    position = 0
    for number, cut in enumerate([*cuts, len(data)]):
        if number == joins_at:
            late = stream.open()
        stream.publish(data[position : position + cut])
        position = min(position + cut, len(data))
    late = late or stream.open()
    assert first.take() == data
    heard = late.take()
    pages = split_pages(heard)
    headers = 3 if comment == 70_000 else 2
    assert b"".join(pages[:headers]) == b"".join(split_pages(data)[:headers])
    assert data.endswith(b"".join(pages[headers:]))


def test_a_new_link_has_its_own_headers() -> None:
    stream = CopyStream("ogg")
    stream.publish(_opus(1))
    stream.publish(_opus(2))
    late = stream.open()
    stream.publish(make_page([SILENCE] * 5, granule=4800 * 21, sequence=22, serial=2))
    heard = late.take()
    assert {page.serial for page in PageSplitter().feed(heard)} == {2}
    (stretch,) = read_timeline(io.BytesIO(heard)).stretches
    assert stretch.end_s - stretch.start_s == pytest.approx(0.1)


def test_after_a_reconnection_nothing_of_the_old_stream_is_left() -> None:
    stream = CopyStream("ogg")
    stream.publish(_opus(1)[:-20])  # cut in a page
    stream.begin_again()
    listener = stream.open()
    stream.publish(_opus(2))
    assert listener.take() == _opus(2)


def test_other_containers_are_passed_on_as_they_come() -> None:
    stream = CopyStream("mp3")
    stream.publish(b"before")
    listener = stream.open()
    stream.publish(b"one")
    stream.publish(b"two")
    assert listener.take() == b"onetwo"
    assert listener.take() == b""


def test_who_takes_nothing_is_dropped_and_holds_up_nobody() -> None:
    stream = CopyStream("mp3")
    stuck, other = stream.open(), stream.open()
    for _ in range(MAX_WAITING_BYTES // 65_536 + 1):
        stream.publish(bytes(65_536))
        assert len(other.take()) == 65_536
    assert stuck.is_closed
    assert not other.is_closed
    assert (stream.listeners, stream.slow_readers) == (1, 1)


def test_when_the_source_is_gone_its_listeners_are_told() -> None:
    stream = CopyStream("mp3")
    listener = stream.open()
    stream.close()
    assert listener.is_closed
    assert stream.listeners == 0


@given(st.binary(max_size=2000), st.integers(1, 100))
def test_garbage_is_no_page_and_stops_nothing(garbage: bytes, piece: int) -> None:
    splitter = PageSplitter()
    for begin in range(0, len(garbage), piece):
        splitter.feed(garbage[begin : begin + piece])
    pages = splitter.feed(b"\0" * 70_000 + _opus(3, pages=2))
    assert b"".join(page.data for page in pages[-4:]) == _opus(3, pages=2)


def test_a_real_vorbis_stream_can_be_joined() -> None:
    require_part("ffmpeg")
    command = "ffmpeg -loglevel error -f lavfi -i sine=duration=3 -c:a libvorbis -page_duration 200000 -f ogg pipe:1"
    data = subprocess.run(command.split(), capture_output=True, check=True).stdout
    stream = CopyStream("ogg")
    half = len(data) // 2
    stream.publish(data[:half])
    late = stream.open()
    stream.publish(data[half:])
    timeline = read_timeline(io.BytesIO(late.take()))
    assert timeline.codec == "vorbis"
    assert 0.5 < timeline.stretches[-1].end_s - timeline.stretches[-1].start_s < 2.9
