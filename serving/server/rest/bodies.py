"""The body of a request, unpacked, within its limit."""

from __future__ import annotations

import zlib
from typing import Final

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

from serving.server.refusals import invalid_argument

_GZIP: Final = 31  # zlib's window bits for gzip and nothing else


def read_body(request: Request, max_bytes: int) -> bytes:
    """All bytes of the body, gzip undone if ``Content-Encoding`` names it, as TensorFlow Serving does.

    Raises:
        RefusalError: INVALID_ARGUMENT; it is packed in another way, or is no gzip.
        RequestEntityTooLarge: it is larger than ``max_bytes``.
    """
    body = request.get_data(cache=False)
    if len(body) > max_bytes:
        raise too_large(max_bytes)
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise invalid_argument(
            f"Content-Encoding {encoding[:100]!r} is not known: send plain JSON, or gzip of it"
        )
    return _unpacked(body, max_bytes)


def too_large(max_bytes: int) -> RequestEntityTooLarge:
    """The HTTP error of a body beyond ``max_bytes``."""
    return RequestEntityTooLarge(
        f"the body of a request has at most {max_bytes} bytes: send fewer windows in one request"
    )


def _unpacked(body: bytes, max_bytes: int) -> bytes:
    gzip = zlib.decompressobj(_GZIP)
    try:
        text = gzip.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise invalid_argument(f"the body is no gzip, although Content-Encoding says so: {error}") from error
    if len(text) > max_bytes:
        raise too_large(max_bytes)
    if not gzip.eof or gzip.unused_data:
        raise invalid_argument("the body is not one whole gzip member, although Content-Encoding says so")
    return text
