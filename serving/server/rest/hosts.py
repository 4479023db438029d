"""Which names in the Host header are ours: the guard against DNS rebinding.

A page in a browser may be of a name that its owner points at 127.0.0.1 after it was loaded: the browser then takes
a server on this machine for the page's own, and lets the page read what it answers. Such a request bears the page's
name in its Host header. So a server on loopback answers only to names of loopback and to numeric addresses, which
nobody can point elsewhere. A server that listens for other machines goes by names that it cannot know, and is open
to whoever reaches it anyway: there all names are good, as in TensorFlow Serving.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from serving.server.rest.statuses import JSON_TYPE, error_text

_HOST: Final = re.compile(r"(?:\[([^][]*)\]|([^][:]*))(?::[0-9]*)?")
_Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def is_own_host(header: str) -> bool:
    """Whether a Host header names loopback, or is an address in numbers; any port, empty as HTTP/1.0 has it."""
    match = _HOST.fullmatch(header.strip())
    if match is None:
        return False
    name = (match[1] or match[2]).lower()
    if name in ("", "localhost") or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class OwnHostOnly:
    """WSGI around ``application``: requests for other names are refused with 403."""

    def __init__(self, application: _Application) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a WSGI request."""
        host = environ.get("HTTP_HOST", "")
        if is_own_host(host):
            return self._application(environ, start_response)
        text = error_text(
            f"the Host header names {host[:100]!r}: this server listens on loopback and answers to localhost or an "
            "address; let a proxy in front of it set Host to localhost, or listen with --host on another address"
        ).encode()
        start_response("403 Forbidden", [("Content-Type", JSON_TYPE), ("Content-Length", str(len(text)))])
        # A body after HEAD would be taken for the beginning of the next answer.
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [text]
