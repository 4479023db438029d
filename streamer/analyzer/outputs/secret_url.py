"""URLs that are secrets: who knows one may send there, so people are shown nothing of it but its origin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Discriminator, Tag

from streamer.analyzer.outputs.secret import Secret
from streamer.analyzer.outputs.specification import WebUrl
from streamer.engine.fetching.urls import StreamUrl, parse_url
from tidzam_platform.errors import OutputError, RefusedAddressError


def _kind_of(given: object) -> str:
    return "secret" if isinstance(given, dict | Secret) else "text"


WebUrlOrSecret = Annotated[
    Annotated[WebUrl, Tag("text")] | Annotated[Secret, Tag("secret")], Discriminator(_kind_of)
]
"""A URL as it is, or ``{file = ...}`` or ``{env = ...}`` that holds one."""


@dataclass(frozen=True, repr=False)
class SecretUrl(StreamUrl):
    """A URL of which ``str`` and ``repr`` give the origin alone."""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host_and_port}"

    def __repr__(self) -> str:
        return f"SecretUrl({str(self)!r})"


def read_url(secret: Secret) -> SecretUrl:
    """The URL that a secret holds now.

    Raises:
        OutputError: it cannot be read, or is no http or https URL without user and password.
    """
    try:
        url = parse_url(secret.read().strip())
    except RefusedAddressError:
        url = None
    if url is None or url.scheme not in ("http", "https") or url.login is not None:
        # Not more, and not the error that says more: it may hold parts of the secret.
        raise OutputError(f"{secret.where} shall hold a http or https URL without user and password")
    return SecretUrl(url.scheme, url.host, url.port, url.path, url.query)
