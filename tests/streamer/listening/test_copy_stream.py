"""Bytes of a source for everyone who listens to it."""

from __future__ import annotations

import io
import subprocess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.engine.encoding import PageSplitter
from streamer.engine.listening.copy_stream import MAX_WAITING_BYTES, CopyStream
from tests.audio.ogg_bytes import make_page, split_pages
from tests.streamer.listening.made import RATE_HZ, loudest_hz, ogg_tone
from tests.support.parts import require_part
from tidzam_platform.audio.ogg.pages import FIRST, LAST, Page, PageReader
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


def _pages(data: bytes) -> list[Page]:
    """Those of ``data``, which has nothing else; their checksums are right."""
    pages = list(PageReader(io.BytesIO(data)))
    assert not any(page.after_damage for page in pages)
    assert (pages[-1].end if pages else 0) == len(data)
    return pages


@given(cut=st.integers(0, 5000), serial=st.sampled_from([7, 8]))
def test_who_listens_while_the_source_is_connected_again_gets_one_chained_stream(
    cut: int, serial: int
) -> None:
    before, after = _opus(7)[:cut], _opus(serial, pages=5)
    stream = CopyStream("ogg")
    listener = stream.open()
    stream.publish(before)
    stream.pause()
    assert stream.is_away
    stream.begin_again()
    assert not stream.is_away
    stream.publish(after)
    pages = _pages(listener.take())
    given_again = _pages(after)
    old, new = pages[: -len(given_again)], pages[-len(given_again) :]
    assert [page.serial for page in old] == [7] * len(old)
    assert len({page.serial for page in pages}) == (2 if old else 1), "players tell it from the one before"
    assert [page.flags & FIRST for page in new] == [FIRST] + [0] * (len(new) - 1)
    assert [(page.granule, page.sequence, page.lacing, page.body) for page in new] == [
        (page.granule, page.sequence, page.lacing, page.body) for page in given_again
    ]
    if serial == 8:
        assert [page.serial for page in new] == [8] * len(new), "it is not changed without need"
    if old:
        assert [page.flags & LAST for page in old] == [0] * (len(old) - 1) + [LAST], "it has its end"
        assert (old[-1].lacing, old[-1].sequence) == (b"", len(old) - 1)
        assert old[-1].granule == max(page.granule for page in old)
    late = stream.open()
    assert b"OpusHead" in late.take()


def test_a_stream_that_has_its_end_gets_no_other_one() -> None:
    ended = _opus(7) + make_page([SILENCE], granule=4800 * 21, sequence=22, serial=7, flags=LAST)
    stream = CopyStream("ogg")
    listener = stream.open()
    stream.publish(ended)
    stream.begin_again()
    assert listener.take() == ended


def test_who_comes_after_the_reconnection_gets_nothing_of_the_old_stream() -> None:
    stream = CopyStream("ogg")
    stream.publish(_opus(7))
    stream.begin_again()
    listener = stream.open()
    stream.publish(_opus(7))
    pages = _pages(listener.take())
    assert len(pages) == len(_pages(_opus(7)))
    assert pages[0].flags & FIRST


def test_however_often_a_source_comes_back_with_the_same_number_each_part_has_its_own() -> None:
    stream = CopyStream("ogg")
    listener = stream.open()
    for _ in range(200):
        stream.publish(_opus(7, pages=1))
        stream.begin_again()
    beginnings = [page.serial for page in _pages(listener.take()) if page.flags & FIRST]
    assert len(beginnings) == len(set(beginnings)) == 200


def test_a_damaged_page_is_not_made_to_look_whole() -> None:
    stream = CopyStream("ogg")
    stream.publish(_opus(7))
    stream.begin_again()
    listener = stream.open()
    damaged = bytearray(_opus(7, pages=1))
    damaged[-1] ^= 1
    stream.publish(bytes(damaged))
    heard = listener.take()
    assert len(heard) == len(damaged)
    assert len(list(PageReader(io.BytesIO(heard)))) == len(split_pages(bytes(damaged))) - 1


@pytest.mark.parametrize("codec", ["libopus", "libvorbis", "flac"])
def test_a_player_hears_both_parts(codec: str) -> None:
    require_part("ffmpeg")
    stream = CopyStream("ogg")
    listener = stream.open()
    first = ogg_tone(codec, 500, 3)
    stream.publish(first[: len(first) * 2 // 3])
    stream.pause()
    stream.begin_again()
    stream.publish(ogg_tone(codec, 900, 3))
    data = listener.take()
    assert len(read_timeline(io.BytesIO(data)).stretches) >= 2
    command = "ffmpeg -hide_banner -loglevel error -f ogg -i pipe:0 -f f32le -ac 1 -ar 48000 pipe:1"
    decoded = subprocess.run(command.split(), input=data, capture_output=True, check=True, timeout=60)
    audio = np.frombuffer(decoded.stdout, np.float32)
    assert loudest_hz(audio[RATE_HZ // 2 : RATE_HZ]) == pytest.approx(500, abs=4)
    assert loudest_hz(audio[-RATE_HZ:]) == pytest.approx(900, abs=4)
    assert 4.2 < len(audio) / RATE_HZ < 5.5, "two thirds of the first, all of the second"
    quiet = np.abs(audio[: len(audio) // 4800 * 4800].reshape(-1, 4800)).max(axis=1) < 0.02
    assert np.count_nonzero(quiet[1:-1]) <= 1, "no gap but that of the cut"


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
