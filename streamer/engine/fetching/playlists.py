"""Short lists that point to a stream: M3U, PLS and XSPF. Only whole URLs of streams are taken from them."""

from __future__ import annotations

import re
from typing import Final
from xml.parsers import expat

from streamer.engine.fetching.urls import StreamUrl, parse_url
from tidzam_platform.errors import FetchError, RefusedAddressError

MAX_DEPTH: Final = 3  # of playlists that name playlists
MAX_PLAYLIST_BYTES: Final = 1 << 18
MAX_ENTRIES: Final = 100
MAX_TRIED: Final = 4  # of the streams that a list names, one after the other

_M3U_TYPES: Final = (
    "audio/x-mpegurl",
    "audio/mpegurl",
    "application/x-mpegurl",
    "application/mpegurl",
    "application/vnd.apple.mpegurl",
)
_TEXT_HEAD_BYTES: Final = 512
_MAX_XML_DEPTH: Final = 32
_NOT_TEXT: Final = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
_BLANK: Final = b" \t\r\n\x0b\x0c"
_BOM: Final = b"\xef\xbb\xbf"
_PLS_FILE: Final = re.compile(r"file([0-9]{1,9})[ \t]*=[ \t]*(.*)", re.IGNORECASE)
_XSPF: Final = re.compile(rb"<(?:[A-Za-z]+:)?playlist[\s>]")
_HLS_TAG: Final = re.compile(
    r"^#EXT-X-(?:TARGETDURATION|STREAM-INF|MEDIA-SEQUENCE|VERSION|MEDIA)\b", re.MULTILINE
)


def playlist_kind(head: bytes, content_type: str, path: str) -> str | None:
    """Which kind of playlist an answer is: ``m3u``, ``pls``, ``xspf`` or None.

    Args:
        head: its first bytes.
        content_type: what the server calls it, believed only of text.
        path: of its URL.
    """
    text = head.removeprefix(_BOM).lstrip(_BLANK)
    if text[:7].upper() == b"#EXTM3U":
        return "m3u"
    if text[:10].lower() == b"[playlist]":
        return "pls"
    if text.startswith(b"<") and _XSPF.search(text):
        return "xspf"
    if not is_text(head) or text.startswith(b"<"):
        return None
    said_to_be = content_type in _M3U_TYPES or path.lower().endswith((".m3u", ".m3u8"))
    if said_to_be or text[:8].lower().startswith((b"http://", b"https://")):
        return "m3u"
    return None


def is_text(head: bytes) -> bool:
    """Whether ``head`` looks like text: no audio container that we open begins without control characters."""
    return bool(head) and not _NOT_TEXT.search(head[:_TEXT_HEAD_BYTES])


def decode_playlist(data: bytes) -> str:
    """The text of a playlist: UTF-8, else Latin-1."""
    data = data.removeprefix(_BOM)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def is_hls(text: str) -> bool:
    """Whether an M3U is a playlist of HTTP Live Streaming (RFC 8216)."""
    return _HLS_TAG.search(text) is not None


def playlist_urls(kind: str, data: bytes, source: StreamUrl) -> list[StreamUrl]:
    """The streams that a playlist names, in its order.

    Args:
        kind: ``m3u``, ``pls`` or ``xspf``.
        data: the playlist.
        source: where it came from, for messages.

    Raises:
        RefusedAddressError: an entry is no whole URL of a stream: a local file for instance. The whole list is
            refused then.
        FetchError: it names nothing, too much, or is damaged.
    """
    if len(data) > MAX_PLAYLIST_BYTES:
        raise FetchError(f"{source} is a playlist of more than {MAX_PLAYLIST_BYTES} bytes")
    readers = {"m3u": _m3u_entries, "pls": _pls_entries}
    entries = _xspf_entries(data) if kind == "xspf" else readers[kind](decode_playlist(data))
    if not entries:
        raise FetchError(f"{source} is a playlist that names no stream")
    if len(entries) > MAX_ENTRIES:
        raise FetchError(
            f"{source} is a playlist of more than {MAX_ENTRIES} entries: name one of its streams"
        )
    urls = []
    for entry in entries:
        try:
            urls.append(parse_url(entry))
        except RefusedAddressError as error:
            raise RefusedAddressError(
                f"{source} is a playlist, and an entry of it is refused: {error}"
            ) from error
    return urls


def _m3u_entries(text: str) -> list[str]:
    lines = (line.strip() for line in re.split(r"\r\n|\r|\n", text))
    return [line for line in lines if line and not line.startswith("#")]


def _pls_entries(text: str) -> list[str]:
    found = {}
    for line in re.split(r"\r\n|\r|\n", text):
        match = _PLS_FILE.fullmatch(line.strip())
        if match is not None:
            found[int(match[1])] = match[2].strip()
    return [found[number] for number in sorted(found) if found[number]]


def _xspf_entries(data: bytes) -> list[str]:
    """The texts of ``playlist/trackList/track/location`` (XSPF version 1)."""
    path: list[str] = []
    found: list[str] = []
    wanted = ["playlist", "trackList", "track", "location"]

    def start(name: str, _attributes: dict[str, str]) -> None:
        path.append(name.rpartition("|")[2])
        if len(path) > _MAX_XML_DEPTH:
            raise FetchError("an XSPF playlist is nested too deeply")
        if path == wanted:
            found.append("")

    def end(_name: str) -> None:
        path.pop()

    def text(data: str) -> None:
        if path == wanted:
            found[-1] += data

    def refuse(*_: object) -> None:
        raise FetchError("an XSPF playlist with a document type declaration is refused")

    parser = expat.ParserCreate(namespace_separator="|")
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise FetchError(f"an XSPF playlist is damaged: {error}") from error
    except (ValueError, LookupError) as error:  # an encoding that it names and Python does not know
        raise FetchError(f"an XSPF playlist cannot be read: {error}") from error
    return [location.strip() for location in found if location.strip()]
