"""URLs of streams: what is taken, and what never leaves this module, passwords above all."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import quote, unquote, urljoin

from tidzam_platform.errors import RefusedAddressError

MAX_URL_LENGTH: Final = 4096
# icecast:// is http to the port that Icecast listens on.
_SCHEMES: Final = {
    "http": ("http", 80),
    "https": ("https", 443),
    "icecast": ("http", 8000),
    "rtsp": ("rtsp", 554),
}
_WHOLE: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>/[^?#]*)?(?P<query>\?[^#]*)?(?:#.*)?"
)
_AUTHORITY: Final = re.compile(
    r"(?:(?P<userinfo>[^@]*)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?"
)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")  # half of a pair, from bytes that were no UTF-8
# Left as they are, everything else is percent-encoded: RFC 3986 section 3.3, and a percent sign that encodes nothing.
_SAFE: Final = "%/:;=@!$&'()*+,~?[]"
_MAX_SHOWN: Final = 60


@dataclass(frozen=True)
class Login:
    """User and password of a URL, and the only server that they are sent to."""

    origin: tuple[str, str, int]
    user: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True)
class StreamUrl:
    """A URL that was taken.

    ``str()`` of it is for logs and messages: it has neither user nor password, nor the query, which often holds a
    token.

    Attributes:
        scheme: ``http``, ``https`` or ``rtsp``.
        host: a name in lower case or an address in numbers, without brackets.
        port: 1 to 65535.
        path: begins with ``/``, percent-encoded ASCII.
        query: with its question mark, or empty.
        login: user and password, None if there are none.
    """

    scheme: str
    host: str
    port: int
    path: str
    query: str = field(default="", repr=False)
    login: Login | None = None

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: one server."""
        return self.scheme, self.host.rstrip("."), self.port

    @property
    def target(self) -> str:
        """Path and query, as they stand in a request."""
        return self.path + self.query

    @property
    def host_and_port(self) -> str:
        """For a ``Host`` header: an IPv6 address in brackets, no port where it goes without saying."""
        host = f"[{self.host}]" if ":" in self.host else self.host.rstrip(".")
        return host if self.port == _SCHEMES[self.scheme][1] else f"{host}:{self.port}"

    @property
    def whole(self) -> str:
        """All of it but user and password. Not for logs: the query may be a secret."""
        return f"{self.scheme}://{self.host_and_port}{self.target}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host_and_port}{self.path}{'?...' if self.query else ''}"


def parse_url(text: str) -> StreamUrl:
    """Take a URL apart.

    Raises:
        RefusedAddressError: it is none, or of a kind that is not fetched. Messages hold nothing of it that could be a
            password.
    """
    if len(text) > MAX_URL_LENGTH:
        raise RefusedAddressError(
            f"a URL of {len(text)} characters is refused: {MAX_URL_LENGTH} are the most"
        )
    if _CONTROL.search(text):
        raise RefusedAddressError("a URL with control characters (line ends, tabs, null) is refused")
    if _SURROGATE.search(text):
        raise RefusedAddressError("a URL with bytes that are no UTF-8 is refused: percent-encode them")
    if "\\" in text:
        raise RefusedAddressError("a URL with a backslash is refused: write / or %5C")
    whole = _WHOLE.fullmatch(text)
    if whole is None:
        raise RefusedAddressError(
            f"{_shown_beginning(text)} is no URL: write it like http://host:8000/stream"
        )
    scheme = whole["scheme"].lower()
    if scheme not in _SCHEMES:
        raise RefusedAddressError(
            f"a URL of {_shown(scheme)}:// is refused: {', '.join(_SCHEMES)} are taken, "
            "files by their path (docs/fetching.md)"
        )
    authority = _AUTHORITY.fullmatch(whole["authority"])
    if authority is None:
        raise RefusedAddressError(
            f"a {scheme} URL without a proper host is refused: a host is a name in ASCII (write xn-- names out), an "
            "IPv4 address, or an IPv6 address in brackets, and may be followed by a port"
        )
    scheme, default_port = _SCHEMES[scheme]
    port = int(authority["port"] or default_port)
    if not 1 <= port <= 65535:
        raise RefusedAddressError(f"port {port} is refused: ports are 1 to 65535")
    host = _host(authority["host"].lower())
    url = StreamUrl(scheme, host, port, _encoded(whole["path"] or "/"), _encoded(whole["query"] or ""))
    userinfo = authority["userinfo"]
    if not userinfo:
        return url
    user, _, password = userinfo.partition(":")
    login = Login(url.origin, unquote(user), unquote(password))
    if _CONTROL.search(login.user + login.password):
        raise RefusedAddressError(f"{url} has a user or password with control characters: refused")
    return StreamUrl(url.scheme, url.host, url.port, url.path, url.query, login)


def join_url(base: StreamUrl, reference: str) -> StreamUrl:
    """The URL that ``reference`` (of a redirect or a playlist) leads to from ``base``.

    A user and password that stand in it are left out: who writes the reference does not say who we are.

    Raises:
        RefusedAddressError: as :func:`parse_url`.
    """
    # urljoin drops line ends and tabs silently; what it is given must already be clean.
    if len(reference) > MAX_URL_LENGTH or _CONTROL.search(reference) or "\\" in reference:
        raise RefusedAddressError(
            f"{base} leads to a URL that is too long or has control characters or backslashes: refused"
        )
    try:
        joined = urljoin(base.whole, reference)
    except ValueError as error:  # an open bracket
        raise RefusedAddressError(f"{base} leads to something that is no URL: refused") from error
    url = parse_url(joined)
    return StreamUrl(url.scheme, url.host, url.port, url.path, url.query)


def _host(written: str) -> str:
    if not written.startswith("["):
        if not written.strip("."):
            raise RefusedAddressError("a host of nothing but dots is refused")
        return written
    try:
        return str(IPv6Address(written[1:-1]))
    except ValueError as error:
        raise RefusedAddressError(f"{_shown(written)} is no IPv6 address: refused") from error


def _encoded(text: str) -> str:
    return quote(text, safe=_SAFE)


def _shown(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def _shown_beginning(text: str) -> str:
    """What may be shown of something that is no URL: nothing after it could have a password in it."""
    return repr(_shown(text.partition(":")[0])) if ":" in text and "@" not in text.partition(":")[0] else "it"
