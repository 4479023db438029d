"""Passwords, keys and tokens of outputs: named by a file or a variable, never written into the settings."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from tidzam_platform.access.secret_files import require_private
from tidzam_platform.errors import OutputError, SettingsError
from tidzam_platform.variables import PREFIX

FOLDER: Final = "folder"  # of the validation context: what relative paths are relative to
_MAX_BYTES: Final = 1 << 14
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def in_folder(path: Path | None, info: ValidationInfo) -> Path | None:
    """A path of a file of outputs: relative ones are relative to that file."""
    folder = (info.context or {}).get(FOLDER)
    return path if path is None or folder is None else Path(folder) / path.expanduser()


class Secret(BaseModel):
    """Where a secret is: ``{file = "..."}``, readable for its owner alone, or ``{env = "NAME"}``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Path | None = None
    env: str | None = Field(None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")

    _resolve = field_validator("file")(in_folder)

    @model_validator(mode="before")
    @classmethod
    def _is_no_text(cls, given: object) -> object:
        if isinstance(given, str):
            # Not repeated: it may be the secret itself.
            raise ValueError('name a file or a variable that holds it: {file = "..."} or {env = "..."}')  # noqa: TRY004 - pydantic wants it so
        return given

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.file is None) == (self.env is None):
            raise ValueError('write either {file = "..."} or {env = "..."}')
        if self.env is not None and self.env.upper().startswith(PREFIX):
            raise ValueError(f"variables that begin with {PREFIX} are settings: choose another name")
        return self

    @property
    def where(self) -> str:
        """For people."""
        return f"the file {self.file}" if self.file is not None else f"the variable {self.env}"

    def read(self) -> str:
        """What it is now; a file may be replaced while we run. Line ends at its end do not count.

        Raises:
            OutputError: it is not there, empty, of several lines, or others may read it.
        """
        where = self.where
        try:
            text = self._text()
        except SettingsError as error:
            raise OutputError(str(error)) from error
        except (OSError, UnicodeDecodeError) as error:
            because = getattr(error, "strerror", None) or error
            raise OutputError(f"{where} with the secret cannot be read: {because}") from error
        text = text.rstrip("\r\n")
        if not text:
            raise OutputError(f"{where} shall hold a secret, and is empty or not there")
        if _CONTROL.search(text):
            raise OutputError(f"{where} shall hold a secret of one line, and holds more")
        return text

    def _text(self) -> str:
        if self.file is None:
            return os.environ.get(self.env or "", "")
        require_private(self.file)
        with self.file.open("rb") as handle:
            return handle.read(_MAX_BYTES).decode()
