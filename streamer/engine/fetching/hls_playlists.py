"""Playlists of HTTP Live Streaming (RFC 8216): master playlists and media playlists."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tidzam_platform.errors import FetchError

MAX_HLS_BYTES: Final = 1 << 21  # a day of segments of 6 s needs half of it
MAX_SEGMENTS: Final = 50_000
MAX_TARGET_S: Final = 60
_MAX_LINE: Final = 8192

_ATTRIBUTE: Final = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^",\s][^",]*)(?:,|$)')
_INTEGER: Final = re.compile(r"[0-9]{1,15}")
_DURATION: Final = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,12})?)[ \t]*(?:,.*)?")
_BYTE_RANGE: Final = re.compile(r"([0-9]{1,15})(?:@([0-9]{1,15}))?")
# Codecs that a variant may name which carry audio (RFC 6381 names, up to the first dot).
_AUDIO_CODECS: Final = frozenset(
    ("mp4a", "ac-3", "ec-3", "ac-4", "opus", "flac", "alac", "mp3", "vorbis", "dtsc", "dtse", "dtsh", "dtsl")
)


@dataclass(frozen=True)
class Variant:
    """A version of the programme in a master playlist.

    Attributes:
        uri: of its media playlist.
        bandwidth: peak, bits per second.
        codecs: as written before their first dot, in lower case; empty if it names none.
        audio_group: name of the group that holds its audio; None if that is within itself.
    """

    uri: str
    bandwidth: int
    codecs: tuple[str, ...]
    audio_group: str | None


@dataclass(frozen=True)
class Rendition:
    """An audio track of its own in a master playlist; ``uri`` None: it lies within the variants."""

    group: str
    uri: str | None
    is_default: bool


@dataclass(frozen=True)
class MasterPlaylist:
    """The versions that there are."""

    variants: tuple[Variant, ...]
    renditions: tuple[Rendition, ...]


@dataclass(frozen=True)
class Part:
    """A resource, or a range of its bytes: ``byte_range`` is offset and length."""

    uri: str
    byte_range: tuple[int, int] | None = None


@dataclass(frozen=True)
class Segment:
    """A piece of audio.

    Attributes:
        part: where its bytes are.
        sequence: its media sequence number.
        duration_s: how long it plays.
        is_discontinuous: times, or the format, begin anew with it.
        initialization: what the demuxer must have read before it (EXT-X-MAP).
        encryption: method of its encryption, None if it is in the clear.
        is_gap: the server does not have it.
    """

    part: Part
    sequence: int
    duration_s: float
    is_discontinuous: bool
    initialization: Part | None
    encryption: str | None
    is_gap: bool


@dataclass(frozen=True)
class MediaPlaylist:
    """The segments that there are now.

    Attributes:
        target_s: no segment is longer, and new ones come about so often.
        is_ended: no others will come.
    """

    target_s: float
    segments: tuple[Segment, ...]
    is_ended: bool


def parse_hls(text: str) -> MasterPlaylist | MediaPlaylist:
    """Read a playlist; tags that are not known are left out, as the RFC wants it.

    Raises:
        FetchError: it is damaged, too large, or needs what is not supported.
    """
    lines = [line.strip() for line in re.split(r"\r\n|\r|\n", text)]
    if not lines or lines[0] != "#EXTM3U":
        raise FetchError("an HLS playlist does not begin with #EXTM3U")
    if any(len(line) > _MAX_LINE for line in lines):
        raise FetchError(f"an HLS playlist has a line of more than {_MAX_LINE} characters")
    if any(line.startswith("#EXT-X-DEFINE") for line in lines):
        raise FetchError("an HLS playlist with variables (EXT-X-DEFINE) is not supported")
    if any(line.startswith("#EXT-X-STREAM-INF") for line in lines):
        return _parse_master(lines)
    return _MediaParser().parse(lines)


def choose_audio(master: MasterPlaylist) -> str:
    """The URI of the media playlist with audio that needs the least bandwidth.

    A variant that names its codecs and has one of audio is believed. Else one that names none is tried.

    Raises:
        FetchError: all have nothing but pictures.
    """
    with_audio = [
        variant
        for variant in master.variants
        if variant.audio_group is not None or _AUDIO_CODECS.intersection(variant.codecs)
    ]
    unknown = [variant for variant in master.variants if not variant.codecs and variant.audio_group is None]
    candidates = with_audio or unknown
    if not candidates:
        raise FetchError("the HLS playlist has no variant with audio")
    chosen = min(candidates, key=lambda variant: variant.bandwidth)
    tracks = [track for track in master.renditions if track.group == chosen.audio_group]
    track = next((track for track in tracks if track.is_default), tracks[0] if tracks else None)
    return track.uri if track is not None and track.uri is not None else chosen.uri


def parse_attributes(text: str) -> dict[str, str]:
    """An attribute list (RFC 8216 section 4.2), quotes taken off; FetchError if it is damaged."""
    found = {}
    position = 0
    while position < len(text):
        match = _ATTRIBUTE.match(text, position)
        if match is None:
            raise FetchError("an HLS playlist has an attribute list that is none")
        found[match[1]] = match[2].strip('"').strip() if match[2].startswith('"') else match[2].strip()
        position = match.end()
        while position < len(text) and text[position] == " ":
            position += 1
    return found


def _parse_master(lines: list[str]) -> MasterPlaylist:
    variants, renditions = [], []
    attributes: dict[str, str] | None = None
    for line in lines:
        if line.startswith("#EXT-X-STREAM-INF:"):
            attributes = parse_attributes(line.partition(":")[2])
        elif line.startswith("#EXT-X-MEDIA:"):
            media = parse_attributes(line.partition(":")[2])
            if media.get("TYPE") == "AUDIO" and "GROUP-ID" in media:
                renditions.append(
                    Rendition(media["GROUP-ID"], media.get("URI"), media.get("DEFAULT") == "YES")
                )
        elif line and not line.startswith("#") and attributes is not None:
            variants.append(_variant(line, attributes))
            attributes = None
        if len(variants) + len(renditions) > MAX_SEGMENTS:
            raise FetchError("an HLS playlist has too many variants")
    if not variants:
        raise FetchError("an HLS playlist names no variant")
    return MasterPlaylist(tuple(variants), tuple(renditions))


def _variant(uri: str, attributes: dict[str, str]) -> Variant:
    codecs = tuple(
        codec.strip().partition(".")[0].lower()
        for codec in attributes.get("CODECS", "").split(",")
        if codec.strip()
    )
    return Variant(uri, _integer(attributes.get("BANDWIDTH", "0")), codecs, attributes.get("AUDIO"))


class _MediaParser:
    """Reads a media playlist line by line; what a tag says holds for the next segment or from there on."""

    def __init__(self) -> None:
        self._target_s: float | None = None
        self._sequence = 0
        self._segments: list[Segment] = []
        self._initialization: Part | None = None
        self._encryption: str | None = None
        self._end_of_range: dict[str, int] = {}
        self._is_ended = False
        self._forget_segment()

    def parse(self, lines: list[str]) -> MediaPlaylist:
        for line in lines:
            if line.startswith("#EXT"):
                name, _, value = line.partition(":")
                self._take_tag(name, value)
            elif line and not line.startswith("#"):
                self._take_uri(line)
        if self._target_s is None:
            raise FetchError("an HLS playlist has no EXT-X-TARGETDURATION")
        return MediaPlaylist(self._target_s, tuple(self._segments), self._is_ended)

    def _forget_segment(self) -> None:
        self._duration_s: float | None = None
        self._byte_range: str | None = None
        self._is_discontinuous = False
        self._is_gap = False

    def _take_tag(self, name: str, value: str) -> None:
        if name == "#EXTINF":
            match = _DURATION.fullmatch(value.strip())
            if match is None:
                raise FetchError("an HLS playlist has a segment without a duration")
            self._duration_s = float(match[1])
        elif name == "#EXT-X-TARGETDURATION":
            self._target_s = float(_integer(value.partition(".")[0]))
            if not 0 < self._target_s <= MAX_TARGET_S:
                raise FetchError(
                    f"an HLS playlist of segments of {self._target_s:g} s: 1 to {MAX_TARGET_S} s are taken"
                )
        elif name == "#EXT-X-MEDIA-SEQUENCE":
            self._sequence = _integer(value)
        elif name == "#EXT-X-BYTERANGE":
            self._byte_range = value
        elif name == "#EXT-X-DISCONTINUITY":
            self._is_discontinuous = True
        elif name == "#EXT-X-GAP":
            self._is_gap = True
        elif name == "#EXT-X-ENDLIST":
            self._is_ended = True
        elif name == "#EXT-X-MAP":
            self._take_map(parse_attributes(value))
        elif name == "#EXT-X-KEY":
            method = parse_attributes(value).get("METHOD", "unknown")
            self._encryption = None if method == "NONE" else method

    def _take_map(self, attributes: dict[str, str]) -> None:
        uri = attributes.get("URI")
        if not uri:
            raise FetchError("an HLS playlist has an EXT-X-MAP without a URI")
        written = attributes.get("BYTERANGE")
        # A map's range without an offset begins at 0; it is none of the ranges of segments.
        self._initialization = Part(uri, None if written is None else _byte_range(written, 0))

    def _take_uri(self, uri: str) -> None:
        if self._duration_s is None:
            raise FetchError("an HLS playlist has a segment without a duration")
        if len(self._segments) >= MAX_SEGMENTS:
            raise FetchError(f"an HLS playlist has more than {MAX_SEGMENTS} segments")
        byte_range = None
        if self._byte_range is not None:
            byte_range = _byte_range(self._byte_range, self._end_of_range.get(uri))
            self._end_of_range[uri] = sum(byte_range)
        self._segments.append(
            Segment(
                part=Part(uri, byte_range),
                sequence=self._sequence + len(self._segments),
                duration_s=self._duration_s,
                is_discontinuous=self._is_discontinuous,
                initialization=self._initialization,
                encryption=self._encryption,
                is_gap=self._is_gap,
            )
        )
        self._forget_segment()


def _byte_range(written: str, begin: int | None) -> tuple[int, int]:
    """Offset and length of ``<length>[@<offset>]``; without an offset it begins at ``begin``."""
    match = _BYTE_RANGE.fullmatch(written.strip())
    if match is None or int(match[1]) == 0:
        raise FetchError("an HLS playlist has a byte range that is none")
    offset = begin if match[2] is None else int(match[2])
    if offset is None:
        raise FetchError("an HLS playlist has a byte range of which nobody knows where it begins")
    return offset, int(match[1])


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text.strip()):
        raise FetchError("an HLS playlist has a number that is none")
    return int(text)
