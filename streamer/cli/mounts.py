"""Asking Icecast for a mount."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from typing import Final
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

from tidzam_platform.errors import FetchError

SILENT_S: Final = 30.0
_MOST_NAMES: Final = 20


def open_mount(mount: str, channels: Sequence[str]) -> HTTPResponse:
    """Begin to listen; whoever reads from the answer waits ``SILENT_S`` at most.

    Args:
        mount: an address that the engine gave.
        channels: the names of all that there are, for the message where it is refused.

    Raises:
        FetchError: Icecast refuses it, or does not answer.
    """
    opener = build_opener(ProxyHandler({}))  # Icecast is on this machine: no proxy is between
    try:
        response = opener.open(mount, timeout=SILENT_S)
    except HTTPError as error:
        with error:
            code = error.code
        raise FetchError(_refusal(mount, code, channels)) from error
    except (OSError, HTTPException) as error:
        raise FetchError(
            f"Icecast does not answer at {mount} ({error}); `./tidzam check engine` says more"
        ) from error
    assert isinstance(response, HTTPResponse)  # noqa: S101 - of http
    return response


def _refusal(mount: str, code: int, channels: Sequence[str]) -> str:
    if code != HTTPStatus.NOT_FOUND:
        return f"Icecast refuses {mount} with {code}; logs/icecast.log says more"
    named = ", ".join(channels[:_MOST_NAMES]) or "none"
    more = f" and {len(channels) - _MOST_NAMES} more" if len(channels) > _MOST_NAMES else ""
    return (
        f"Icecast has nothing at {mount} (404): the channel is gone, or came less than 3 s ago, or "
        f"icecast.max_encoders are taken; channels there are: {named}{more}"
    )
