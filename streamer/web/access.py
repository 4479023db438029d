"""Who asks, and whether they may."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from serving.gateway.access_token import unauthorized
from serving.gateway.refusals import HttpRefusalError
from tidzam_platform.access import MAX_SECRET_CHARACTERS, Role, Token, TokenStore, bearer_secret
from tidzam_platform.errors import TokenError

ANONYMOUS: Final = "anonymous"


class Caller(NamedTuple):
    """Whoever sent a request.

    Attributes:
        name: of the token, ``anonymous`` without one; the mixer's log tells it.
        role: None for who may nothing.
        token_id: None without a token.
    """

    name: str
    role: Role | None
    token_id: str | None


class Gatekeeper:
    """Knows callers by their tokens, and those without one.

    Args:
        tokens: of the home.
        anonymous_may_listen: whether who shows no token has the role listen, or none.
    """

    def __init__(self, tokens: TokenStore, *, anonymous_may_listen: bool) -> None:
        self._tokens = tokens
        self._anonymous = Caller(ANONYMOUS, Role.LISTEN if anonymous_may_listen else None, None)

    def by_header(self, authorization: str | None) -> Caller:
        """Who sent the header ``Authorization``.

        Raises:
            HttpRefusalError: the token in it is not good (401).
        """
        try:
            secret = bearer_secret(authorization)
            return self._anonymous if secret is None else _caller(self._tokens.verify(secret))
        except TokenError as error:
            raise unauthorized(str(error)) from error

    def by_auth(self, auth: Any, authorization: str | None) -> Caller:
        """Who connected with Socket.IO's ``auth`` object, ``{"token": ...}``, or else with that header.

        Raises:
            HttpRefusalError: ``auth`` is something else, or the token is not good (401).
        """
        if auth is None or auth == {}:
            return self.by_header(authorization)
        secret = auth.get("token") if isinstance(auth, dict) else None
        if not isinstance(secret, str) or len(secret) > MAX_SECRET_CHARACTERS:
            raise unauthorized('auth is {"token": "..."}, or is left out')
        try:
            return _caller(self._tokens.verify(secret))
        except TokenError as error:
            raise unauthorized(str(error)) from error

    def again(self, caller: Caller) -> Caller:
        """The same caller later: its token may have been revoked since, or have expired (HttpRefusalError, 401)."""
        if caller.token_id is None:
            return caller
        try:
            return _caller(self._tokens.still_good(caller.token_id))
        except TokenError as error:
            raise unauthorized(str(error)) from error

    def require(self, caller: Caller, role: Role) -> None:
        """HttpRefusalError where the caller may not what ``role`` may: 401 without a token, 403 with a lesser one."""
        if caller.role is not None and caller.role.covers(role):
            return
        if caller.token_id is None:
            raise unauthorized(
                f"this wants a token of role {role.value}: `./tidzam token create --role {role.value}` makes one"
            )
        raise HttpRefusalError(
            403, "forbidden", f"this wants role {role.value}; the token {caller.name} has {caller.role}"
        )


def _caller(token: Token) -> Caller:
    return Caller(token.name, token.role, token.id)
