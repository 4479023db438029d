"""Passing a source's own bytes on to listeners while they are decoded (``format: copy``)."""

from __future__ import annotations

import logging
from collections.abc import Callable

from streamer.engine.fetching.streams import READ_BYTES, ByteStream
from streamer.engine.sources.context import SourceHooks
from streamer.engine.sources.specification import SourceSpecification
from tidzam_platform.errors import SourceError

_LOG = logging.getLogger(__name__)

Publish = Callable[[bytes], None]


class CopiedStream(ByteStream):
    """A stream whose bytes go to ``publish`` as well, in the thread that reads them."""

    def __init__(self, stream: ByteStream, publish: Publish, on_close: Callable[[], None]) -> None:
        self.container, self.is_live, self.takes_input = stream.container, stream.is_live, stream.takes_input
        self._stream, self._publish, self._on_close = stream, publish, on_close

    def input_arguments(self) -> tuple[str, ...]:
        """See ``ByteStream``."""
        return self._stream.input_arguments()

    def read(self, max_bytes: int = READ_BYTES, deadline_s: float | None = None) -> bytes:
        """See ``ByteStream``."""
        data = self._stream.read(max_bytes, deadline_s)
        if data:
            self._publish(data)
        return data

    def metadata(self) -> dict[str, str]:
        """See ``ByteStream``."""
        return self._stream.metadata()

    def counts(self) -> dict[str, int]:
        """See ``ByteStream``."""
        return self._stream.counts()

    def close(self) -> None:
        """See ``ByteStream``; listeners hear no more of it until the source is connected again."""
        try:
            self._stream.close()
        finally:
            self._on_close()


def with_copy(
    stream: ByteStream, specification: SourceSpecification, hooks: SourceHooks
) -> tuple[ByteStream, str]:
    """The stream, passed on if the source asks for it.

    Returns:
        It, and why it cannot be passed on (empty where it is, or where nobody asked for it): its channels are heard
        all the same, encoded anew.
    """
    if specification.format != "copy":
        return stream, ""
    if not stream.takes_input:
        return stream, "what comes over rtsp has no bytes of its own that could be passed on"
    try:
        publish = hooks.on_copy_opened(specification.name, stream.container.name, specification)
    except SourceError as error:
        _LOG.warning("%s is not passed on as it is: %s", specification.name, error)
        return stream, str(error)
    if publish is None:
        return stream, "nobody passes streams on here (icecast.enabled)"
    return CopiedStream(stream, publish, lambda: hooks.on_copy_closed(specification.name)), ""
