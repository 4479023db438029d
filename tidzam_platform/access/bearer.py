"""The header ``Authorization: Bearer TOKEN``."""

from __future__ import annotations

from typing import Final

from tidzam_platform.errors import TokenError

MAX_SECRET_CHARACTERS: Final = 200
_SCHEME: Final = "bearer"


def bearer_secret(authorization: str | None) -> str | None:
    """The token in the header; None where there is no header.

    Raises:
        TokenError: the header is of another scheme, or holds nothing, or more than any token.
    """
    if authorization is None:
        return None
    scheme, _, given = authorization.partition(" ")
    secret = given.strip()
    if scheme.lower() != _SCHEME or not 0 < len(secret) <= MAX_SECRET_CHARACTERS:
        raise TokenError("the Authorization header holds no token: send 'Authorization: Bearer TOKEN'")
    return secret
