"""Audio from outside, safely: URLs and files that a person names are taken to lead anywhere, and are checked first.

What is taken and what is refused stands in docs/fetching.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from streamer.engine.fetching.addresses import Resolver, system_resolver
    from streamer.engine.fetching.cancellation import Cancellation
    from streamer.engine.fetching.local_files import LocalFile, allowed_folders, open_local
    from streamer.engine.fetching.opening import open_stream
    from streamer.engine.fetching.streams import ByteStream
    from streamer.engine.fetching.urls import StreamUrl, parse_url
else:  # the web process reads URLs, and fetches nothing
    __getattr__ = lazy_exports(
        __name__,
        {
            "ByteStream": "streams",
            "Cancellation": "cancellation",
            "LocalFile": "local_files",
            "Resolver": "addresses",
            "StreamUrl": "urls",
            "allowed_folders": "local_files",
            "open_local": "local_files",
            "open_stream": "opening",
            "parse_url": "urls",
            "system_resolver": "addresses",
        },
    )

__all__ = [
    "ByteStream",
    "Cancellation",
    "LocalFile",
    "Resolver",
    "StreamUrl",
    "allowed_folders",
    "open_local",
    "open_stream",
    "parse_url",
    "system_resolver",
]
