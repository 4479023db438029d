"""The tokens of a home: given, looked up and taken back by any of its processes."""

from __future__ import annotations

import hmac
import logging
import secrets
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from tidzam_platform.access.initial import INITIAL_FILE, make_initial_token
from tidzam_platform.access.roles import Role
from tidzam_platform.access.secret_files import (
    changing,
    make_secrets_folder,
    replace_private,
    require_private,
)
from tidzam_platform.access.tokens import Token, hash_secret, read_tokens, valid_token_name, write_tokens
from tidzam_platform.clock import utc_now
from tidzam_platform.errors import SettingsError, TidzamError, TokenError

_LOG = logging.getLogger(__name__)

TOKENS_FILE: Final = "tokens.json"
INITIAL_ID: Final = "initial"
MAX_TOKENS: Final = 1000
_SECRET_BYTES: Final = 32
_PREFIX: Final = "tidzam_"  # so that one is recognised where it should not be
_COARSE: Final = timedelta(hours=1)  # of what is kept about use

_State = tuple[int, int, int]


class TokenStore:
    """Tokens in ``folder`` (``secrets/`` of the home); for any number of threads.

    A token that another process gave or took back counts from the next look on.

    Args:
        folder: made where it is missing.
        now: aware UTC.

    Raises:
        SettingsError: the folder or the initial token in it cannot be used. Each method raises it too, where the
            list of tokens cannot be read.
    """

    def __init__(self, folder: Path, now: Callable[[], datetime] = utc_now) -> None:
        make_secrets_folder(folder)
        self._folder, self._path, self._now = folder, folder / TOKENS_FILE, now
        secret = make_initial_token(folder)
        made = datetime.fromtimestamp((folder / INITIAL_FILE).stat().st_mtime, UTC)
        self._initial = Token(INITIAL_ID, INITIAL_ID, Role.OWN, hash_secret(secret), made)
        self._lock = threading.Lock()
        self._state: _State | None = None
        self._tokens: tuple[Token, ...] = ()

    def create(self, role: Role, name: str = "", expires: datetime | None = None) -> tuple[Token, str]:
        """Give a new token; returns it and its secret, which is kept nowhere: show it now, once.

        Raises:
            TokenError: the name is taken or none, the end lies in the past, or there are too many.
        """
        if expires is not None and expires <= self._now():
            raise TokenError("a token cannot expire in the past")
        secret = _PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
        identity = secrets.token_hex(4)
        token = Token(
            identity,
            valid_token_name(name or f"{role.value}-{identity}"),
            role,
            hash_secret(secret),
            self._now(),
            expires,
        )
        with changing(self._folder):
            known = self._read()
            if any(token.name == other.name or identity == other.id for other in (self._initial, *known)):
                raise TokenError(
                    f"there is a token named {token.name!r}: choose another name, or revoke that one"
                )
            if len(known) >= MAX_TOKENS:
                raise TokenError(f"there are {MAX_TOKENS} tokens, which is the limit: revoke some")
            self._write((*known, token))
        return token, secret

    def list(self) -> tuple[Token, ...]:
        """All tokens, the initial one first, then as they were given; expired ones too."""
        return (self._initial, *self._read())

    def revoke(self, which: str) -> Token:
        """Take the token of that id or name back, for all processes and from now on.

        Raises:
            TokenError: there is none, or it is the initial one.
        """
        if which == INITIAL_ID:
            raise TokenError(
                f"the initial token lies in {self._folder / INITIAL_FILE}: remove that file and start the processes "
                "again, and there is another"
            )
        with changing(self._folder):
            known = self._read()
            found = [token for token in known if which in (token.id, token.name)]
            if not found:
                raise TokenError(f"there is no token {which!r}: see `./tidzam token list`")
            self._write(tuple(token for token in known if token is not found[0]))
        return found[0]

    def verify(self, secret: str) -> Token:
        """The token of that secret, if it is good now.

        Raises:
            TokenError: it is unknown, revoked or expired.
        """
        given = hash_secret(secret)
        found: Token | None = None
        for token in self.list():  # all of them: the time that it takes says nothing
            if hmac.compare_digest(given, token.sha256):
                found = token
        if found is None:
            raise TokenError("this token is not known here, or was revoked")
        return self._in_time(found)

    def still_good(self, identity: str) -> Token:
        """The token of that id, for who showed its secret before; TokenError if it was revoked or expired since."""
        for token in self.list():
            if token.id == identity:
                return self._in_time(token)
        raise TokenError("this token was revoked")

    def _in_time(self, token: Token) -> Token:
        now = self._now()
        if token.is_expired(now):
            raise TokenError("this token has expired: ask for another")
        if token.id != INITIAL_ID and (token.last_used is None or now - token.last_used >= _COARSE):
            self._note_use(token.id, now)
        return token

    def _note_use(self, identity: str, now: datetime) -> None:
        hour = now.replace(minute=0, second=0, microsecond=0)
        try:
            with changing(self._folder):
                known = self._read()
                used = tuple(replace(one, last_used=hour) if one.id == identity else one for one in known)
                if used != known:
                    self._write(used)
        except (OSError, TidzamError) as error:  # nobody is refused because a disk is full
            _LOG.warning("the last use of the token %s could not be kept: %s", identity, error)

    def _read(self) -> tuple[Token, ...]:
        with self._lock:
            try:
                stat = self._path.stat()
                state = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
                if state != self._state:
                    require_private(self._path)
                    self._tokens, self._state = read_tokens(self._path.read_bytes()), state
            except FileNotFoundError:
                self._tokens, self._state = (), None
            except TokenError as error:
                raise SettingsError(f"{self._path} is {error}; put a backup back, or remove it") from error
            except OSError as error:
                raise SettingsError(f"{self._path} cannot be read: {error.strerror}") from error
            return self._tokens

    def _write(self, tokens: tuple[Token, ...]) -> None:
        replace_private(self._path, write_tokens(tokens))
