"""The time axis of damaged, cut, chained and live Ogg files, without decoding them."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.audio.conftest import SECONDS, OggFile
from tests.audio.made import encode, noise
from tests.audio.ogg_bytes import changed, granule, make_page, packets, split_pages
from tidzam_platform.audio.limits import MAX_HOLE_S, MAX_LOST_START_S
from tidzam_platform.audio.ogg.timeline import Timeline, read_timeline
from tidzam_platform.errors import AudioError, DecodingError, EmptyAudioError

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


@pytest.mark.parametrize("kind", KINDS)
def test_an_undamaged_file_has_its_length_and_no_hole(ogg_files: dict[str, OggFile], kind: str) -> None:
    file = ogg_files[kind]
    timeline = _read(file.path.read_bytes())
    assert timeline.seconds == SECONDS
    assert timeline.holes == ()
    assert not timeline.truncated
    assert len(timeline.stretches) == 1
    assert (timeline.codec, timeline.channels) == (kind.removeprefix("ogg"), 1)


@pytest.mark.parametrize("kind", KINDS)
@given(removed=st.sets(st.integers(0, 20)))
@example(removed={0})
@example(removed={18})
@example(removed={0, 1, 2, 5, 19, 20})
@settings(max_examples=150)
def test_whatever_pages_are_removed_the_holes_are_where_they_were(
    ogg_files: dict[str, OggFile], kind: str, removed: set[int]
) -> None:
    file = ogg_files[kind]
    removed = {index for index in removed if index < len(file.audio)}
    kept = [index for index in range(len(file.audio)) if index not in removed]
    pages = [*file.headers, *(file.audio[index] for index in kept)]
    ends = max((file.interval(index)[1] for index in kept), default=0)
    if kind == "vorbis" and len(kept) == 1 and len(packets(file.audio[kept[0]])) == 1:
        return  # one Vorbis packet alone gives no sound
    if not kept:
        with pytest.raises(EmptyAudioError):
            _read(*pages)
        return
    timeline = _read(*pages)
    assert round(timeline.seconds * file.rate_hz) == ends
    assert timeline.truncated == (len(file.audio) - 1 not in kept)
    found, expected = _holes_in_ticks(timeline), _missing(file, removed)
    assert len(found) == len(expected)
    for (found_start, found_end), (start, end) in zip(found, expected, strict=True):
        assert found_start == start
        # The packet after a loss gives no sound where the codec needs the one before.
        assert end <= found_end <= end + file.slack


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=100)
def test_a_flipped_byte_costs_its_page_and_no_more(
    ogg_files: dict[str, OggFile], kind: str, data: st.DataObject
) -> None:
    file = ogg_files[kind]
    index = data.draw(st.integers(0, len(file.audio) - 2))
    place = data.draw(st.integers(0, len(file.audio[index]) - 1))
    damaged = bytearray(file.audio[index])
    damaged[place] ^= data.draw(st.integers(1, 255))
    timeline = _read(*file.headers, *file.audio[:index], bytes(damaged), *file.audio[index + 1 :])
    assert timeline.seconds == SECONDS
    assert not timeline.truncated
    ((start, end),) = _holes_in_ticks(timeline)
    expected_start, expected_end = file.interval(index)
    assert start == expected_start
    assert expected_end <= end <= expected_end + file.slack


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=100)
def test_wherever_a_file_is_cut_it_gives_its_prefix(
    ogg_files: dict[str, OggFile], kind: str, data: st.DataObject
) -> None:
    file = ogg_files[kind]
    whole = file.path.read_bytes()
    first_audio_end = len(b"".join(file.headers)) + len(file.audio[0])
    size = data.draw(st.integers(first_audio_end, len(whole) - 1))
    timeline = _read(whole[:size])
    length = len(b"".join(file.headers))
    complete = -1
    for page in file.audio:
        length += len(page)
        complete += length <= size
    assert round(timeline.seconds * file.rate_hz) == file.interval(complete)[1]
    assert timeline.truncated
    assert timeline.holes == ()


@pytest.mark.parametrize("kind", KINDS)
@given(garbage=st.binary(min_size=1, max_size=300), place=st.integers(0, 19))
@settings(max_examples=50)
def test_garbage_between_pages_costs_nothing(
    ogg_files: dict[str, OggFile], kind: str, garbage: bytes, place: int
) -> None:
    file = ogg_files[kind]
    timeline = _read(garbage, *file.headers, *file.audio[: place + 1], garbage, *file.audio[place + 1 :])
    assert timeline.seconds == SECONDS
    assert timeline.holes == ()
    assert len(timeline.stretches) == 1


@given(data=st.binary(max_size=3000))
def test_any_bytes_have_a_time_axis_or_a_typed_error(data: bytes) -> None:
    with contextlib.suppress(AudioError):
        _read(data)


@given(data=st.data())
@settings(max_examples=200)
def test_valid_pages_of_any_content_have_a_bounded_time_axis_or_a_typed_error(data: st.DataObject) -> None:
    head = b"OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0"
    pages = [make_page([head], granule=0, sequence=0, flags=FIRST)]
    for _ in range(data.draw(st.integers(0, 8))):
        bodies = data.draw(st.lists(st.binary(max_size=300), max_size=5))
        pages.append(
            make_page(
                bodies,
                granule=data.draw(st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 20_000)),
                sequence=data.draw(st.integers(0, 2**32 - 1) | st.integers(0, 8)),
                serial=data.draw(st.sampled_from([1, 1, 1, 2])),
                flags=data.draw(st.integers(0, 7)),
            )
        )
    try:
        timeline = _read(*pages)
    except AudioError:
        return
    assert 0 < timeline.seconds < 8 * (MAX_HOLE_S + MAX_LOST_START_S)
    reached = 0.0
    for stretch in timeline.stretches:
        assert reached <= stretch.start_s < stretch.end_s
        assert stretch.skip_ticks >= 0
        reached = stretch.end_s
    assert timeline.seconds == reached


@pytest.mark.parametrize("kind", KINDS)
def test_chained_files_follow_each_other(ogg_files: dict[str, OggFile], kind: str) -> None:
    file = ogg_files[kind]
    one = file.path.read_bytes()
    two = b"".join(changed(page, serial=99) for page in split_pages(one))
    timeline = _read(one, two, one)
    assert timeline.seconds == 3 * SECONDS
    assert timeline.holes == ()
    assert not timeline.truncated
    assert [stretch.start_s for stretch in timeline.stretches] == [0, SECONDS, 2 * SECONDS]


def test_a_hole_in_a_later_link_lies_on_the_time_axis_of_the_file(ogg_files: dict[str, OggFile]) -> None:
    file = ogg_files["opus"]
    timeline = _read(file.path.read_bytes(), *file.headers, *file.audio[:5], *file.audio[7:])
    start, end = file.interval(5)[0], file.interval(6)[1]
    assert timeline.holes == ((SECONDS + start / 48000, SECONDS + end / 48000),)
    assert timeline.seconds == 2 * SECONDS


def test_a_chain_of_different_codecs_and_rates_is_one_time_axis(
    tmp_path: Path, ogg_files: dict[str, OggFile]
) -> None:
    slow = encode(noise(2.0, rate_hz=16000), tmp_path / "slow", "vorbis", rate_hz=16000)
    timeline = _read(slow.read_bytes(), ogg_files["opus"].path.read_bytes())
    assert (timeline.codec, timeline.rate_hz) == ("vorbis", 16000)
    assert timeline.seconds == 2.0 + SECONDS


def test_a_chain_that_changes_its_channels_is_refused(tmp_path: Path, ogg_files: dict[str, OggFile]) -> None:
    stereo = encode(noise(1.0, channels=2), tmp_path / "stereo", "opus")
    with pytest.raises(DecodingError, match=r"from 1 to 2 channels at 4\.000 s"):
        _read(ogg_files["opus"].path.read_bytes(), stereo.read_bytes())


def test_a_link_without_its_end_makes_what_follows_unsure(ogg_files: dict[str, OggFile]) -> None:
    file = ogg_files["opus"]
    timeline = _read(*file.headers, *file.audio[:10], file.path.read_bytes())
    assert timeline.truncated
    assert timeline.seconds == file.interval(9)[1] / 48000 + SECONDS


def test_audio_whose_headers_are_lost_makes_the_file_cut(ogg_files: dict[str, OggFile]) -> None:
    file = ogg_files["opus"]
    stray = [changed(page, serial=77) for page in file.audio]
    timeline = _read(file.path.read_bytes(), *stray)
    assert timeline.seconds == SECONDS
    assert timeline.truncated
    with pytest.raises(DecodingError, match="headers are lost"):
        _read(*stray)


def test_vorbis_without_its_setup_header_cannot_be_decoded(ogg_files: dict[str, OggFile]) -> None:
    file = ogg_files["vorbis"]
    with pytest.raises(DecodingError, match="headers are lost"):
        _read(file.headers[0], *file.audio)


@pytest.mark.parametrize("kind", ["opus", "oggflac"])
def test_a_lost_comment_header_loses_the_comments_only(ogg_files: dict[str, OggFile], kind: str) -> None:
    file = ogg_files[kind]
    timeline = _read(file.headers[0], *file.audio)
    assert timeline.seconds == SECONDS
    assert timeline.holes == ()
    assert timeline.tags == {}


@pytest.mark.parametrize("kind", KINDS)
def test_time_0_of_a_live_capture_is_its_first_sample(ogg_files: dict[str, OggFile], kind: str) -> None:
    file = ogg_files[kind]
    offset = 3600 * file.rate_hz
    # A server sends the headers of the stream's start and then the pages of now, renumbered or not.
    for skipped in (0, 5000):
        live = [
            changed(page, granule=granule(page) + offset, sequence=len(file.headers) + skipped + number)
            for number, page in enumerate(file.audio)
        ]
        timeline = _read(*file.headers, *live)
        assert timeline.holes == ()
        assert abs(timeline.seconds - SECONDS) * file.rate_hz <= file.slack
        assert not timeline.truncated


def test_a_capture_numbered_without_a_gap_begins_at_its_first_sample(ogg_files: dict[str, OggFile]) -> None:
    file = ogg_files["opus"]
    live = [changed(page, granule=granule(page) + 48000) for page in file.audio]
    timeline = _read(*file.headers, *live)
    assert timeline.holes == ()
    assert timeline.seconds == SECONDS


@pytest.mark.parametrize("kind", KINDS)
def test_pages_that_come_twice_are_heard_once(ogg_files: dict[str, OggFile], kind: str) -> None:
    file = ogg_files[kind]
    timeline = _read(*file.headers, *file.audio[:8], *file.audio[5:8], *file.audio[8:])
    assert timeline.seconds == SECONDS
    assert sum(end - start for start, end in timeline.holes) * file.rate_hz <= file.slack


def test_a_clock_that_is_set_back_neither_loses_audio_nor_makes_a_hole(ogg_files: dict[str, OggFile]) -> None:
    file = ogg_files["opus"]
    back = granule(file.audio[9])
    later = [changed(page, granule=granule(page) - back) for page in file.audio[10:]]
    timeline = _read(*file.headers, *file.audio[:10], *later)
    assert timeline.seconds == SECONDS
    assert timeline.holes == ()
    assert timeline.truncated


@pytest.mark.parametrize("place", [10, -1])
def test_a_jump_beyond_any_loss_is_a_clock_that_was_set(ogg_files: dict[str, OggFile], place: int) -> None:
    file = ogg_files["opus"]
    later = [changed(page, granule=granule(page) + 2**60) for page in file.audio[place:]]
    timeline = _read(*file.headers, *file.audio[:place], *later)
    # On a page of its own the cut at the end is not known.
    assert SECONDS <= timeline.seconds < SECONDS + 0.02
    assert timeline.holes == ()
    assert timeline.truncated


def test_positions_rounded_to_milliseconds_are_no_holes(ogg_files: dict[str, OggFile]) -> None:
    file = ogg_files["opus"]
    rounded = [
        changed(page, granule=granule(page) + (37 * number) % 49 - 24)
        for number, page in enumerate(file.audio[:-1])
    ]
    timeline = _read(*file.headers, *rounded, file.audio[-1])
    assert timeline.holes == ()
    assert abs(timeline.seconds - SECONDS) < 0.001


@pytest.mark.parametrize("ticks", [488, -488, 800])
def test_a_page_misplaced_by_less_than_a_packet_is_no_hole(ogg_files: dict[str, OggFile], ticks: int) -> None:
    file = ogg_files["opus"]
    misplaced = changed(file.audio[8], granule=granule(file.audio[8]) + ticks)
    timeline = _read(*file.headers, *file.audio[:8], misplaced, *file.audio[9:])
    assert timeline.holes == ()
    assert timeline.seconds == SECONDS
    assert len(timeline.stretches) == 1


def test_a_clock_that_runs_fast_slides_time_by_less_than_a_packet(ogg_files: dict[str, OggFile]) -> None:
    file = ogg_files["opus"]
    fast = [changed(page, granule=granule(page) + 200 * number) for number, page in enumerate(file.audio)]
    timeline = _read(*file.headers, *fast)
    assert timeline.holes
    assert abs(timeline.seconds - (SECONDS + 200 * (len(fast) - 1) / 48000)) < 0.02


def test_numbers_of_pages_do_not_make_holes(ogg_files: dict[str, OggFile]) -> None:
    file = ogg_files["opus"]
    renumbered = [changed(page, sequence=1000 + 3 * number) for number, page in enumerate(file.audio)]
    timeline = _read(*file.headers, *renumbered)
    assert timeline.holes == ()
    assert timeline.seconds == SECONDS


def test_a_shortest_packet_lost_alone_is_seen() -> None:
    head = b"OpusHead\x01\x01\0\0\x80\xbb\0\0\0\0\0"
    packet = bytes([16 << 3]) + b"x" * 10  # 2.5 ms
    pages = [make_page([head], granule=0, sequence=0, flags=FIRST)]
    pages += [make_page([packet], granule=120 * number, sequence=number) for number in range(1, 50)]
    pages.append(make_page([packet], granule=120 * 50, sequence=50, flags=LAST))
    timeline = _read(*pages[:20], *pages[21:])
    assert _holes_in_ticks(timeline) == [(120 * 19, 120 * 20)]
