"""Ogg files that hold more, less or something else than audio."""

from __future__ import annotations

import io

import pytest

from tests.audio.conftest import SECONDS, OggFile
from tests.audio.ogg_bytes import flags, make_page
from tidzam_platform.audio.ogg.timeline import Timeline, read_timeline
from tidzam_platform.errors import DecodingError, EmptyAudioError, UnknownAudioFormatError

CONTINUED, FIRST, LAST = 1, 2, 4  # RFC 3533, section 6


def _read(*pages: bytes) -> Timeline:
    return read_timeline(io.BytesIO(b"".join(pages)))


def test_streams_beside_the_audio_are_ignored(ogg_files: dict[str, OggFile]) -> None:
    file = ogg_files["opus"]
    other = make_page([b"\x80theora..."], granule=0, sequence=0, serial=55, flags=FIRST)
    frames = [make_page([b"picture"], granule=number, sequence=number, serial=55) for number in range(1, 22)]
    mixed = [page for pair in zip(file.audio, frames, strict=False) for page in pair]
    timeline = _read(other, *file.headers, *mixed)
    assert timeline.seconds == SECONDS
    assert timeline.holes == ()
    assert not timeline.truncated


def test_an_ogg_file_of_something_else_is_refused_by_name() -> None:
    theora = make_page([b"\x80theora..."], granule=0, sequence=0, flags=FIRST)
    with pytest.raises(UnknownAudioFormatError, match="Theora"):
        _read(theora)


def test_headers_without_audio_are_empty(ogg_files: dict[str, OggFile]) -> None:
    for file in ogg_files.values():
        with pytest.raises(EmptyAudioError):
            _read(*file.headers)


def test_a_file_with_losses_without_number_is_given_up() -> None:
    head = b"OpusHead\x01\x01\0\0\x80\xbb\0\0\0\0\0"
    pages = [make_page([head], granule=0, sequence=0, flags=FIRST)]
    pages += [make_page([b"\x08"], granule=1920 * number, sequence=number) for number in range(1, 5000)]
    with pytest.raises(DecodingError, match="damaged beyond use"):
        _read(*pages)


def test_the_helper_knows_the_last_page(ogg_files: dict[str, OggFile]) -> None:
    for file in ogg_files.values():
        assert flags(file.audio[-1]) & LAST
        assert len(file.audio) >= 19
