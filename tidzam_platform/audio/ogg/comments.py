"""Comments (tags) of Opus, Vorbis and FLAC streams: RFC 7845 section 5.2, Vorbis I section 5."""

from __future__ import annotations

from typing import Final

MAX_VALUE_BYTES: Final = 1 << 14  # longer ones are pictures
MAX_COMMENTS: Final = 1000
PICTURE: Final = "metadata_block_picture"


def read_comments(data: bytes) -> dict[str, str]:
    """Tags of a comment header, the codec's own prefix taken off; keys in lower case.

    Comments that make no sense, that are pictures, or that lie beyond the end are left out: audio does not depend
    on them. Of several with one key the values are joined by ``"; "``.
    """
    tags: dict[str, str] = {}
    position = 4 + _length_at(data, 0)  # the vendor string
    count = _length_at(data, position)
    position += 4
    for _ in range(min(count, MAX_COMMENTS)):
        length = _length_at(data, position)
        position += 4
        if position + length > len(data):
            break
        key, equals, value = data[position : position + min(length, MAX_VALUE_BYTES + 1)].partition(b"=")
        position += length
        if not equals or not key.isascii() or length > MAX_VALUE_BYTES:
            continue
        name = key.decode("ascii").lower()
        if name == PICTURE:
            continue
        text = value.decode("utf-8", errors="replace")
        tags[name] = f"{tags[name]}; {text}" if name in tags else text
    return tags


def write_comments() -> bytes:
    """A comment header without comments, the codec's own prefix left to be put before it."""
    vendor = b"tidzam"
    return len(vendor).to_bytes(4, "little") + vendor + bytes(4)


def _length_at(data: bytes, position: int) -> int:
    return int.from_bytes(data[position : position + 4], "little")
