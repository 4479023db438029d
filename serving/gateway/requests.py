"""What all views do with a request before and after their own work."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from flask import Request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from serving.gateway.refusals import HttpRefusalError, refusal_of
from tidzam_platform.errors import TidzamError

_LOG = logging.getLogger(__name__)
_DISCONNECTED: Final = "waitress.client_disconnected"
_CODES: Final = {400: "bad_request", 413: "too_large"}  # as the gateway itself calls them


def gone(request: Request) -> Callable[[], bool]:
    """Whether the sender of ``request`` has hung up; other servers than waitress cannot say."""
    asked: Callable[[], bool] | None = request.environ.get(_DISCONNECTED)
    return (lambda: False) if asked is None else asked


def to_refusal(error: Exception) -> HttpRefusalError:
    """Any error of a view as the refusal that is told; what is a fault of ours is logged."""
    if isinstance(error, HttpRefusalError):
        return error
    if isinstance(error, TidzamError):
        refusal = refusal_of(error)
    elif isinstance(error, HTTPException) and error.code is not None:
        code = _CODES.get(error.code) or error.name.lower().replace(" ", "_")
        refusal = HttpRefusalError(error.code, code, _said(error))
        refusal.headers.update(
            {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
        )
    else:
        refusal = HttpRefusalError(500, "internal", "the gateway failed on this request; its log says why")
    if refusal.status >= 500:
        _LOG.error("a request failed: %s", error, exc_info=error if refusal.status == 500 else None)
    return refusal


def _said(error: HTTPException) -> str:
    """What a view said; else our own words, where Werkzeug's are meant for people who type addresses."""
    if isinstance(error, NotFound) and error.description == NotFound.description:
        return "there is nothing at this address; /api/v1/docs lists all that there is"
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        methods = ", ".join(sorted(error.valid_methods))
        return f"this method is not possible here; possible are {methods} (see /api/v1/docs)"
    return error.description or error.name
