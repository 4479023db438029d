"""The token that a home has from its first start, of role own, in a file for its owner to read."""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path
from typing import Final

from tidzam_platform.access.secret_files import make_secrets_folder, require_private, write_private
from tidzam_platform.crash_points import reach
from tidzam_platform.errors import SettingsError
from tidzam_platform.files import fsync_folder, partial_path

INITIAL_FILE: Final = "own_token"
_EARLIER_FILE: Final = "gateway_token"  # its name when the gateway alone asked for it
_TOKEN_BYTES: Final = 32


def make_initial_token(folder: Path) -> str:
    """The initial token of the secrets folder; made at the first call, in a file that only its owner may read (0600).

    Raises:
        SettingsError: others may read the file, it is empty, or it cannot be read or made.
    """
    path = folder / INITIAL_FILE
    make_secrets_folder(folder)
    try:
        if not path.exists():
            _take_over(folder / _EARLIER_FILE, path)
        if not path.exists():
            _create(path, secrets.token_urlsafe(_TOKEN_BYTES))
        require_private(path)
        token = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the token {path} cannot be used: {error}") from error
    if not token:
        raise SettingsError(f"{path} is empty: remove it, and a new token is made at the next start")
    return token


def _take_over(earlier: Path, path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):  # nearly always; or another process was faster
        earlier.rename(path)


def _create(path: Path, token: str) -> None:
    """Make the file whole or not at all; of two processes that start at once one wins."""
    with partial_path(path.parent) as temporary:
        write_private(temporary, f"{token}\n".encode("ascii"))
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            return
        reach("access.token_linked")
        fsync_folder(path.parent)
