"""What Icecast, its relays and its administrator are known by: ``secrets/icecast.json`` in the home."""

from __future__ import annotations

import base64
import hmac
import os
import secrets
import stat
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tidzam_platform.errors import SettingsError
from tidzam_platform.files import fsync_folder, partial_path, remove_leavings

CREDENTIALS_FILE: Final = "icecast.json"
_BYTES: Final = 24
_LEAST_LENGTH: Final = 16


class IcecastCredentials(BaseModel):
    """Generated once a home. ``relay``: Icecast to the engine; ``source``: unused, so that nobody else can push."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source_password: str = Field(min_length=_LEAST_LENGTH, repr=False)
    relay_user: str = Field(min_length=1)
    relay_password: str = Field(min_length=_LEAST_LENGTH, repr=False)
    admin_user: str = Field(min_length=1)
    admin_password: str = Field(min_length=_LEAST_LENGTH, repr=False)

    def allows_relay(self, authorization: str) -> bool:
        """Whether that is the header of our Icecast, in a time that does not tell how much of it was right."""
        expected = basic_authorization(self.relay_user, self.relay_password)
        return hmac.compare_digest(authorization.encode(), expected.encode())


def basic_authorization(user: str, password: str) -> str:
    """The value of the header ``Authorization`` (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def load_credentials(home: Path) -> IcecastCredentials:
    """Read the credentials of this home; they are made at the first call, in a file of their owner's alone (0600).

    Raises:
        SettingsError: others may read the file, it is damaged, or it cannot be read or made.
    """
    folder = home / "secrets"
    path = folder / CREDENTIALS_FILE
    try:
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        remove_leavings(folder)
        if not path.exists():
            _create(path)
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise SettingsError(f"{path} may be read by others: remove it for new ones, and chmod 600 it")
        return IcecastCredentials.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"Icecast's credentials {path} cannot be used: {error}") from error
    except ValidationError:  # its text would show them
        raise SettingsError(
            f"{path} is damaged: remove it, and new credentials are made at the next start"
        ) from None


def _create(path: Path) -> None:
    """Make the file whole or not at all; of two processes that start at once one wins."""
    made = IcecastCredentials(
        source_password=secrets.token_urlsafe(_BYTES),
        relay_user="tidzam-relay",
        relay_password=secrets.token_urlsafe(_BYTES),
        admin_user="tidzam",
        admin_password=secrets.token_urlsafe(_BYTES),
    )
    with partial_path(path.parent) as temporary:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(made.model_dump_json(indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            return
        fsync_folder(path.parent)
