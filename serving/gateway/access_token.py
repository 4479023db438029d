"""What changes what is served wants a token of role own (docs/tokens.md)."""

from __future__ import annotations

from serving.gateway.refusals import HttpRefusalError
from tidzam_platform.access import INITIAL_FILE, Role, Token, TokenStore, bearer_secret
from tidzam_platform.errors import TokenError


def require_owner(authorization: str | None, tokens: TokenStore) -> Token:
    """Check the header ``Authorization: Bearer TOKEN``; returns whose it is.

    Raises:
        HttpRefusalError: it is missing or no good token (401), or the token's role does not go so far (403).
    """
    try:
        secret = bearer_secret(authorization)
        token = None if secret is None else tokens.verify(secret)
    except TokenError as error:
        raise unauthorized(str(error)) from error
    if token is None:
        raise unauthorized(
            "this changes what is served: send 'Authorization: Bearer TOKEN' with a token of role own, e.g. the one "
            f"that lies in secrets/{INITIAL_FILE} in the data folder"
        )
    if not token.role.covers(Role.OWN):
        raise HttpRefusalError(
            403,
            "forbidden",
            f"this changes what is served: a token of role {token.role.value} may not, own may",
        )
    return token


def unauthorized(message: str) -> HttpRefusalError:
    """Who asks must show a token."""
    return HttpRefusalError(
        401, "unauthorized", message, headers={"WWW-Authenticate": 'Bearer realm="tidzam"'}
    )
