"""What an HTTP status means for a message: told, to be tried again, or refused for good."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from streamer.analyzer.outputs.http_sender import Answer
from tidzam_platform.errors import OutputError, OutputFaultError, OutputRefusedError

_UNAVAILABLE: Final = (408, 421, 425, 429, 502, 503, 504)
# What a person can mend: the address or who we say that we are. The message is not at fault.
_TO_MEND: Final = {
    401: "it wants another user, password or token: mend them",
    403: "it does not let us: look at user, password or token",
    404: "there is nothing at that address: mend the URL",
    405: "it takes no such request: mend the URL",
    407: "a proxy wants a password: none is used here",
    410: "there is nothing at that address any more: mend the URL",
}
_SECONDS: Final = re.compile(r"[0-9]{1,6}")


def require_taken(answer: Answer) -> None:
    """Return if the server took the message (2xx).

    Raises:
        OutputRefusedError: it never will (other 4xx).
        OutputFaultError: it failed at it (500 and the like).
        OutputError: it is busy or down, or something is to be mended first (401, 404, 429, 503, redirects, ...).
    """
    status = answer.status
    if 200 <= status < 300:
        return
    said = f"{answer.url} answers {status} {answer.head.reason}".rstrip()
    if 300 <= status < 400:
        raise OutputError(f"{said}: redirects are not followed, write the URL that it leads to")
    if status in _TO_MEND:
        raise OutputError(f"{said}; {_TO_MEND[status]}")
    if status in _UNAVAILABLE:
        raise OutputError(said, retry_after_s=_retry_after_s(answer))
    if status < 500:
        raise OutputRefusedError(said)
    raise OutputFaultError(said)


def json_of(answer: Answer) -> dict[str, Any]:
    """The JSON object that the answer holds; OutputError if it holds none."""
    try:
        content = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise OutputError(f"{answer.url} does not answer in JSON: is the URL right?") from error
    if not isinstance(content, dict):
        raise OutputError(f"{answer.url} does not answer with a JSON object: is the URL right?")
    return content


def _retry_after_s(answer: Answer) -> float | None:
    """``Retry-After`` where it is said in seconds."""
    said = (answer.head.get("retry-after") or "").strip()
    return float(said) if _SECONDS.fullmatch(said) else None
