"""Playlists of HLS: what the RFC wants of who reads them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.engine.fetching.hls_playlists import (
    MasterPlaylist,
    MediaPlaylist,
    Part,
    choose_audio,
    parse_attributes,
    parse_hls,
)
from tidzam_platform.errors import FetchError


def media(text: str) -> MediaPlaylist:
    playlist = parse_hls(f"#EXTM3U\n#EXT-X-TARGETDURATION:6\n{text}")
    assert isinstance(playlist, MediaPlaylist)
    return playlist


def master(text: str) -> MasterPlaylist:
    playlist = parse_hls(f"#EXTM3U\n{text}")
    assert isinstance(playlist, MasterPlaylist)
    return playlist


def test_segments_have_numbers_lengths_and_marks() -> None:
    playlist = media(
        "#EXT-X-VERSION:3\n#EXT-X-MEDIA-SEQUENCE:41\n\n# a comment\n#EXTINF:5.5,A title, with a comma\na.ts\n"
        "#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2026-11-21T00:00:00Z\n#EXTINF: 6\nb.ts\n"
        "#EXT-X-GAP\n#EXTINF:4,\nc.ts\n"
    )
    assert not playlist.is_ended
    assert playlist.target_s == 6
    assert [
        (segment.part.uri, segment.sequence, segment.duration_s, segment.is_discontinuous, segment.is_gap)
        for segment in playlist.segments
    ] == [("a.ts", 41, 5.5, False, False), ("b.ts", 42, 6, True, False), ("c.ts", 43, 4, False, True)]
    assert media("#EXTINF:1,\na\n#EXT-X-ENDLIST").is_ended


def test_ranges_go_on_where_the_last_one_of_the_same_file_ended() -> None:
    playlist = media(
        "#EXTINF:1,\n#EXT-X-BYTERANGE:100@50\na.ts\n#EXTINF:1,\n#EXT-X-BYTERANGE:30\na.ts\n"
        "#EXTINF:1,\n#EXT-X-BYTERANGE:7@0\nb.ts\n#EXTINF:1,\n#EXT-X-BYTERANGE:1\na.ts\n#EXTINF:1,\nc.ts\n"
    )
    assert [segment.part.byte_range for segment in playlist.segments] == [
        (50, 100),
        (150, 30),
        (0, 7),
        (180, 1),
        None,
    ]


def test_what_comes_before_a_segment_and_how_it_is_encrypted_holds_until_it_changes() -> None:
    playlist = media(
        '#EXTINF:1,\na\n#EXT-X-MAP:URI="init.mp4",BYTERANGE="20@4"\n#EXTINF:1,\nb\n#EXTINF:1,\nc\n'
        '#EXT-X-KEY:METHOD=AES-128,URI="k"\n#EXT-X-MAP:URI="other.mp4"\n#EXTINF:1,\nd\n#EXT-X-KEY:METHOD=NONE\n'
        "#EXTINF:1,\ne\n"
    )
    first, other = Part("init.mp4", (4, 20)), Part("other.mp4")
    assert [segment.initialization for segment in playlist.segments] == [None, first, first, other, other]
    assert [segment.encryption for segment in playlist.segments] == [None, None, None, "AES-128", None]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no playlist",
        "#EXTM3U\n#EXTINF:1,\na.ts\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:x\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:0\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:99999\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:6\na.ts\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:nan,\na.ts\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:-1,\na.ts\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:-1\n#EXTINF:1,\na.ts\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-BYTERANGE:10\n#EXTINF:1,\na.ts\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-BYTERANGE:0@0\n#EXTINF:1,\na.ts\n",
        '#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MAP:BYTERANGE="1@0"\n#EXTINF:1,\na.ts\n',
        '#EXTM3U\n#EXT-X-DEFINE:NAME="x",VALUE="y"\n#EXT-X-TARGETDURATION:6\n#EXTINF:1,\n{$x}.ts\n',
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n",
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=x\na.m3u8\n",
        "#EXTM3U\n#EXT-X-STREAM-INF:=,=\na.m3u8\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:1,\n" + "a" * 10_000,
    ],
)
def test_damaged_playlists_are_failures(text: str) -> None:
    with pytest.raises(FetchError):
        parse_hls(text)


VIDEO = '#EXT-X-STREAM-INF:BANDWIDTH=100,CODECS="avc1.42e01e"\nvideo\n'
BOTH = '#EXT-X-STREAM-INF:BANDWIDTH=900,CODECS="avc1.42e01e,mp4a.40.2"\nboth\n'
AUDIO = '#EXT-X-STREAM-INF:CODECS="mp4a.40.5",BANDWIDTH=300\naudio\n'
UNKNOWN = "#EXT-X-STREAM-INF:BANDWIDTH=200\nunknown\n"
GROUP = '#EXT-X-STREAM-INF:BANDWIDTH=250,CODECS="avc1.42e01e,mp4a.40.2",AUDIO="tracks"\nwith-tracks\n'
OWN = '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="tracks",NAME="b, c",URI="second"\n'
DEFAULT = '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="tracks",NAME="d",DEFAULT=YES,URI="default"\n'
WITHIN = '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="tracks",NAME="d",DEFAULT=YES\n'
OTHER = '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="others",NAME="d",DEFAULT=YES,URI="other"\n'
SUBTITLES = '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="tracks",NAME="d",DEFAULT=YES,URI="subtitles"\n'


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        (BOTH + AUDIO, "audio"),
        (VIDEO + BOTH, "both"),
        (VIDEO + UNKNOWN, "unknown"),
        (UNKNOWN + BOTH, "both"),
        (GROUP + BOTH + OWN + DEFAULT + OTHER, "default"),
        (SUBTITLES + GROUP + BOTH + OTHER + OWN, "second"),
        (GROUP + WITHIN, "with-tracks"),
        (GROUP + OTHER, "with-tracks"),
    ],
)
def test_the_least_bandwidth_that_has_audio_is_chosen(text: str, chosen: str) -> None:
    assert choose_audio(master(text)) == chosen


def test_pictures_alone_are_no_audio() -> None:
    with pytest.raises(FetchError, match="no variant with audio"):
        choose_audio(master(VIDEO))


def test_attributes_may_hold_commas_in_quotes() -> None:
    assert parse_attributes('A=1,B-2="x, y=z",C=0x1F , D=1920x1080') == {
        "A": "1",
        "B-2": "x, y=z",
        "C": "0x1F",
        "D": "1920x1080",
    }


LINES = st.sampled_from(
    (
        *("#EXT-X-TARGETDURATION:6", "#EXT-X-MEDIA-SEQUENCE:7", "#EXTINF:2.5,x", "a.ts", "#EXT-X-ENDLIST"),
        *(
            "#EXT-X-BYTERANGE:5@5",
            "#EXT-X-BYTERANGE:5",
            "#EXT-X-DISCONTINUITY",
            '#EXT-X-MAP:URI="i"',
            "#EXT-X-GAP",
        ),
        *(
            "#EXT-X-KEY:METHOD=NONE",
            "#EXT-X-KEY:",
            "#EXT-X-STREAM-INF:BANDWIDTH=5",
            '#EXT-X-MEDIA:TYPE=AUDIO,URI="u"',
        ),
    )
)


@given(st.lists(LINES | st.text(max_size=20), max_size=25))
def test_any_lines_are_a_playlist_or_a_failure(lines: list[str]) -> None:
    with contextlib.suppress(FetchError):
        playlist = parse_hls("\n".join(["#EXTM3U", *lines]))
        if isinstance(playlist, MediaPlaylist):
            numbers = [segment.sequence for segment in playlist.segments]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else True
            assert all(segment.duration_s >= 0 for segment in playlist.segments)
        else:
            choose_audio(playlist)
