"""The secret that whoever changes what is served must know."""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from pathlib import Path
from typing import Final

from serving.gateway.refusals import HttpRefusalError
from tidzam_platform.crash_points import reach
from tidzam_platform.errors import SettingsError
from tidzam_platform.files import fsync_folder, partial_path, remove_leavings

TOKEN_FILE: Final = "gateway_token"  # noqa: S105 - a name, no secret
_TOKEN_BYTES: Final = 32
_SCHEME: Final = "bearer"


def make_token(secrets_folder: Path) -> str:
    """The token of this home; made at the first call, in a file that only its owner may read (0600).

    Raises:
        SettingsError: others may read the file, it is empty, or it cannot be read or made.
    """
    path = secrets_folder / TOKEN_FILE
    try:
        secrets_folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        remove_leavings(secrets_folder)  # which a process that was killed may have left the token in
        if not path.exists():
            _create(path, secrets.token_urlsafe(_TOKEN_BYTES))
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise SettingsError(f"{path} may be read by others: remove it for a new one, and chmod 600 it")
        token = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the token {path} cannot be used: {error}") from error
    if not token:
        raise SettingsError(f"{path} is empty: remove it, and a new token is made at the next start")
    return token


def require_token(authorization: str | None, token: str) -> None:
    """Check the header ``Authorization: Bearer TOKEN``, in a time that does not tell how much of it was right.

    Raises:
        HttpRefusalError: it is missing or wrong (401).
    """
    scheme, _, given = (authorization or "").partition(" ")
    right = hmac.compare_digest(given.strip().encode(), token.encode())
    if scheme.lower() != _SCHEME or not right:
        raise HttpRefusalError(
            401,
            "unauthorized",
            "this changes what is served: send 'Authorization: Bearer TOKEN' with the token that lies in "
            f"secrets/{TOKEN_FILE} in the data folder",
            headers={"WWW-Authenticate": 'Bearer realm="tidzam"'},
        )


def _create(path: Path, token: str) -> None:
    """Make the file whole or not at all; of two processes that start at once one wins."""
    with partial_path(path.parent) as temporary:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(token + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            return
        reach("gateway.token_linked")
        fsync_folder(path.parent)
