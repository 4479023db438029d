"""Who may call: browsers that were led here by another site's page may not.

A page can make a browser send requests to loopback, by its address or, with a name that its owner lets point there
(DNS rebinding), even read the answers. Such a request carries that name in ``Host``, or that page's site in ``Origin``.
A numeric address cannot be rebound, so it is taken from anyone.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from serving.gateway.refusals import HttpRefusalError, bad_request

_HOST: Final = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")
_READING: Final = ("GET", "HEAD", "OPTIONS")


def require_known_caller(
    method: str,
    host: str | None,
    origin: str | None,
    allowed_hosts: Collection[str],
    allowed_origins: Collection[str] = (),
) -> None:
    """Check ``Host`` of every request, and ``Origin`` of those that do something.

    Args:
        method: of HTTP.
        host: the header as it was sent.
        origin: the header as it was sent, None from programs that are no browsers.
        allowed_hosts: names that lead here, beside ``localhost`` and numeric addresses.
        allowed_origins: of sites whose pages may do things here, whole (``https://map.example.org``).

    Raises:
        HttpRefusalError: no host, or not one (400); another name than ours (421); another site's page (403).
    """
    match = _HOST.fullmatch(host or "")
    if match is None:
        raise bad_request("the Host header is missing, or is no host")
    if not _is_ours(match["name"], allowed_hosts):
        raise HttpRefusalError(
            421,
            "unknown_host",
            f"{match['name']} is not a name of this server: add it to its setting allowed_hosts, or use its address",
        )
    if origin is None or method in _READING or is_allowed_origin(origin, allowed_origins):
        return
    try:
        came_from = urlsplit(origin).netloc.lower()
    except ValueError:  # an open bracket, or characters that no address has
        came_from = ""
    name = (_HOST.fullmatch(came_from) or {"name": ""})["name"]
    if came_from != (host or "").lower() and name not in {known.lower() for known in allowed_hosts}:
        raise HttpRefusalError(403, "foreign_origin", "a page of another site may not do this")


def is_allowed_origin(origin: str, allowed_origins: Collection[str]) -> bool:
    """Whether an origin is one of those, whole: scheme, name and port."""
    return origin.lower() in {known.rstrip("/").lower() for known in allowed_origins}


def _is_ours(name: str, allowed_hosts: Collection[str]) -> bool:
    bare = name.strip("[]").rstrip(".").lower()
    if bare == "localhost" or bare in {known.lower() for known in allowed_hosts}:
        return True
    try:
        ipaddress.ip_address(bare)
    except ValueError:
        return False
    return True
