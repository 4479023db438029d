"""Requests that are refused: an exception on our side, an HTTP status and a reason on the wire."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from tidzam_platform.errors import (
    AudioError,
    BusyError,
    DecodingError,
    EmptyAudioError,
    ModelRepositoryError,
    ModelServerBusyError,
    ModelServerDeadlineError,
    ModelServerError,
    ModelServerUnavailableError,
    TidzamError,
    UnknownAudioFormatError,
)

RETRY_AFTER_S: Final = 5  # of every 503: hearing an upload takes seconds


class HttpRefusalError(Exception):
    """A request ends with this status.

    Attributes:
        status: of HTTP, 400 to 599.
        code: a word for programs; it stays the same when the message is reworded.
        message: what is wrong and how to mend it, for people.
        headers: beside those of every answer.
    """

    def __init__(
        self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})
        if status == 503:
            self.headers.setdefault("Retry-After", str(RETRY_AFTER_S))


def bad_request(message: str) -> HttpRefusalError:
    """The request is wrong in itself."""
    return HttpRefusalError(400, "bad_request", message)


def too_large(message: str) -> HttpRefusalError:
    """Too many bytes, seconds or channels."""
    return HttpRefusalError(413, "too_large", message)


# The first that fits counts, so a class stands before its base.
_ANSWERS: Final[tuple[tuple[type[TidzamError], int, str], ...]] = (
    (EmptyAudioError, 400, "empty_audio"),
    (UnknownAudioFormatError, 415, "unknown_format"),
    (DecodingError, 422, "damaged_audio"),
    (AudioError, 422, "unusable_audio"),
    (ModelServerUnavailableError, 503, "model_server_unavailable"),
    (ModelServerBusyError, 503, "model_server_busy"),
    (ModelServerDeadlineError, 504, "model_server_deadline"),
    (ModelServerError, 502, "model_server_failed"),
    (BusyError, 503, "busy"),
    (ModelRepositoryError, 409, "refused_by_repository"),
)


def refusal_of(error: TidzamError) -> HttpRefusalError:
    """How an error of ours is told over HTTP; 500 where the fault is the gateway's own."""
    for kind, status, code in _ANSWERS:
        if isinstance(error, kind):
            refusal = HttpRefusalError(status, code, str(error))
            if isinstance(error, ModelServerUnavailableError) and error.retry_after_s is not None:
                refusal.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
            return refusal
    return HttpRefusalError(500, "internal", "the gateway cannot do this; its log says why")
