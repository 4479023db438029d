"""How long packets last, and headers: checked against real encoders and against the tables of the standards."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.audio.made import encode, noise
from tests.audio.ogg_bytes import granule, packets, split_pages
from tidzam_platform.audio.ogg.codecs import HEAD_BYTES, StreamCodec, foreign_name, stream_codec
from tidzam_platform.audio.ogg.comments import MAX_VALUE_BYTES, read_comments
from tidzam_platform.audio.ogg.opus import OpusStream
from tidzam_platform.audio.ogg.vorbis import read_mode_flags

OPUS_HEAD = b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0"

# RFC 6716 table 2: duration of a frame in ms for the 32 configurations.
TABLE_2 = [10, 20, 40, 60] * 3 + [10, 20] * 2 + [2.5, 5, 10, 20] * 4


def _comment(*comments: bytes) -> bytes:
    listed = b"".join(len(comment).to_bytes(4, "little") + comment for comment in comments)
    return (3).to_bytes(4, "little") + b"abc" + len(comments).to_bytes(4, "little") + listed


def _opus() -> StreamCodec:
    codec = stream_codec(OPUS_HEAD)
    assert codec is not None
    return codec


@pytest.mark.parametrize("config", range(32))
def test_an_opus_packet_lasts_what_rfc_6716_says(config: int) -> None:
    frame = TABLE_2[config] * 48
    ticks = _opus().ticks
    assert ticks(bytes([config << 3])) == frame
    assert ticks(bytes([config << 3 | 4 | 1])) == 2 * frame
    assert ticks(bytes([config << 3 | 2])) == 2 * frame
    for count in range(64):
        # Flags for padding and variable size lie above the count; more than 120 ms is no packet (section 3.4, R5).
        expected = count * frame if count * frame <= 5760 else 0
        assert ticks(bytes([config << 3 | 3, 0xC0 | count])) == expected


@pytest.mark.parametrize("kind", ["opus", "vorbis", "oggflac"])
@pytest.mark.parametrize("rate_hz", [48000, 44100])
def test_the_packets_of_a_real_file_add_up_to_its_positions(tmp_path: Path, kind: str, rate_hz: int) -> None:
    path = encode(noise(3.0, channels=2, rate_hz=rate_hz), tmp_path / "a", kind, rate_hz=rate_hz)
    first, *rest = split_pages(path.read_bytes())
    codec = stream_codec(packets(first)[0])
    assert codec is not None
    assert (codec.channels, codec.rate_hz) == (2, 48000 if kind == "opus" else rate_hz)
    assert codec.name == ("flac" if kind == "oggflac" else kind)
    total = 0
    for page in rest[:-1]:
        for packet in packets(page):
            if not codec.take_header(packet):
                total += codec.ticks(packet[:HEAD_BYTES])
        assert total == granule(page)
    assert total > 0
    assert codec.is_ready()
    # The end of the last packet may be cut off.
    last = sum(codec.ticks(packet[:HEAD_BYTES]) for packet in packets(rest[-1]))
    assert total < granule(rest[-1]) <= total + last
    assert any("libopus" in value or "Lav" in value for value in codec.tags.values())


@pytest.mark.parametrize("rate_hz", [8000, 22050, 44100, 96000])
@pytest.mark.parametrize("quality", ["-1", "3", "10"])
def test_the_modes_of_vorbis_are_found_backwards(tmp_path: Path, rate_hz: int, quality: str) -> None:
    path = encode(
        noise(1.0, rate_hz=rate_hz), tmp_path / "a", "vorbis", rate_hz=rate_hz, options=("-q:a", quality)
    )
    headers = [packet for page in split_pages(path.read_bytes())[1:3] for packet in packets(page)]
    setup = next(packet for packet in headers if packet.startswith(b"\x05vorbis"))
    # libvorbis writes a short and a long mode, or at the lowest rates one of equal blocks.
    assert read_mode_flags(setup) in ([0, 1], [0])


@given(st.binary(max_size=400))
def test_any_setup_header_is_read_without_an_error(data: bytes) -> None:
    assert len(read_mode_flags(b"\x05vorbis" + data)) <= 64


@given(
    st.sampled_from([b"OpusHead", b"\x01vorbis", b"\x7fFLAC\x01\x00\x00\x01fLaC", b""]),
    st.binary(max_size=80),
)
def test_any_first_packet_is_a_codec_or_none(start: bytes, rest: bytes) -> None:
    codec = stream_codec(start + rest)
    if codec is not None:
        assert codec.channels >= 1
        assert codec.rate_hz >= 1
        assert len(codec.decoder_headers()) >= 2
        for head in (b"", b"\xff", rest[:HEAD_BYTES], b"\xff\xf8" + rest[:HEAD_BYTES]):
            assert 0 <= codec.ticks(head) <= 65536


def test_other_streams_are_named() -> None:
    assert stream_codec(b"Speex   1.2") is None
    assert foreign_name(b"Speex   1.2") == "Speex"
    assert foreign_name(b"?") == "an unknown codec"


def test_a_decoder_that_begins_anywhere_gets_no_pre_skip() -> None:
    codec = _opus()
    assert codec.pre_skip == 312
    head = codec.decoder_headers()[0]
    restarted = OpusStream.from_first_packet(head)
    assert restarted is not None
    assert restarted.pre_skip == 0
    assert head[:10] + head[12:] == OPUS_HEAD[:10] + OPUS_HEAD[12:]


def test_comments_have_lower_case_keys_and_no_pictures() -> None:
    data = _comment(
        "TITLE=Marsch über’s Moor".encode(),
        b"Artist=a",
        b"ARTIST=b",
        b"METADATA_BLOCK_PICTURE=AAAA",
        b"nonsense",
    )
    assert read_comments(data) == {"title": "Marsch über’s Moor", "artist": "a; b"}


def test_a_comment_as_long_as_a_picture_is_left_out() -> None:
    assert read_comments(_comment(b"a=" + b"x" * MAX_VALUE_BYTES, b"b=1")) == {"b": "1"}


@given(st.binary(max_size=300))
def test_any_comments_are_read_without_an_error(data: bytes) -> None:
    read_comments(data)
    read_comments(_comment(data))
