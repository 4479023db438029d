"""What is known of a token: everything but the token itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from tidzam_platform.access.roles import Role
from tidzam_platform.clock import format_utc, parse_utc
from tidzam_platform.errors import TidzamError, TokenError

MAX_NAME_CHARACTERS: Final = 64
_LAYOUT: Final = 1  # of the file


@dataclass(frozen=True)
class Token:
    """A token without its secret.

    Attributes:
        id: eight hexadecimal digits by which it is told and revoked; no secret.
        name: whose it is; different for each token that is kept.
        role: what it is good for.
        sha256: hexadecimal SHA-256 of the secret. Secrets are 256 random bits, so nothing slower is needed.
        created: UTC.
        expires: UTC from which on it is good for nothing; None: never.
        last_used: UTC, to the hour; None: never.
    """

    id: str
    name: str
    role: Role
    sha256: str
    created: datetime
    expires: datetime | None = None
    last_used: datetime | None = None

    def is_expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires is not None and now >= self.expires


def hash_secret(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def valid_token_name(name: str) -> str:
    """``name`` if a token can have it; TokenError otherwise."""
    if not name.strip() or len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
        raise TokenError(f"the name of a token is 1 to {MAX_NAME_CHARACTERS} printable characters")
    return name


def write_tokens(tokens: Iterable[Token]) -> bytes:
    """The file's bytes: JSON."""
    listed = [
        {
            "id": token.id,
            "name": token.name,
            "role": token.role.value,
            "sha256": token.sha256,
            "created": format_utc(token.created),
            "expires": _or_none(token.expires),
            "last_used": _or_none(token.last_used),
        }
        for token in tokens
    ]
    return json.dumps({"layout": _LAYOUT, "tokens": listed}, indent=1).encode() + b"\n"


def read_tokens(data: bytes) -> tuple[Token, ...]:
    """The tokens in the file's bytes.

    Raises:
        TokenError: it is not such a file, or of another version of Tidzam.
    """
    try:
        document: Any = json.loads(data)
        layout, listed = document["layout"], document["tokens"]
        tokens = tuple(map(_token, listed)) if layout == _LAYOUT else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, TidzamError) as error:
        raise TokenError(f"no list of tokens: {error}") from error
    if tokens is None:
        raise TokenError(f"no list of tokens that this version of Tidzam can read: its layout is {layout!r}")
    return tokens


def _token(one: dict[str, Any]) -> Token:
    return Token(
        str(one["id"]),
        str(one["name"]),
        Role(one["role"]),
        str(one["sha256"]),
        parse_utc(one["created"]),
        _time_or_none(one["expires"]),
        _time_or_none(one["last_used"]),
    )


def _or_none(moment: datetime | None) -> str | None:
    return None if moment is None else format_utc(moment)


def _time_or_none(text: str | None) -> datetime | None:
    return None if text is None else parse_utc(text)
