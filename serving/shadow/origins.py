"""Where the windows of a batch come from: told in the key of the request, so that it travels with both answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from serving.client.routes import Key

_LONGEST: Final = 255  # characters of a name; the catalog keeps no more


@dataclass(frozen=True)
class WindowOrigin:
    """Where one window was.

    Attributes:
        channel: ``<source>:out_<n>`` of live audio, ``<file>:<n>`` of a file; n from 1.
        start: of the window: ISO 8601 in UTC of live audio, ``12.500 s`` from the start of a file.
    """

    channel: str
    start: str


def origins_key(origins: Sequence[WindowOrigin]) -> str:
    """The key of a request for these windows, in their order: the same windows always have the same one."""
    return json.dumps([[origin.channel, origin.start] for origin in origins])


def read_origins(key: Key | None, rows: int) -> list[WindowOrigin]:
    """What ``origins_key`` wrote; of any other key, or of another number of rows, the key itself for each row."""
    text = key.decode("utf-8", "replace") if isinstance(key, bytes) else key or ""
    try:
        content = json.loads(text)
        origins = [WindowOrigin(_kept(channel), _kept(start)) for channel, start in content]
    except (ValueError, TypeError, RecursionError):
        origins = []
    return origins if len(origins) == rows else [WindowOrigin(_kept(text), "")] * rows


def _kept(text: str) -> str:
    """``text`` as every database takes it: no NUL, no lone surrogate (of a file name that is not UTF-8), its end."""
    if not isinstance(text, str):
        raise TypeError(text)
    clean = text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
    return clean[-_LONGEST:]
