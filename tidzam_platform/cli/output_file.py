"""The option that names a file to write: what cannot be written is said before the work, not after hours of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click


class OutputFile(click.Path):
    """A file to be made, or replaced; or what is written to as a file, such as a pipe."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path; fails where its folder is not there, or where one of both may not be written to."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if not path.parent.is_dir():
            self.fail(
                f"{path}: there is no folder {path.parent}; make it first (mkdir -p), or write elsewhere",
                param,
                ctx,
            )
        if not os.access(path if path.exists() and not path.is_file() else path.parent, os.W_OK):
            self.fail(
                f"{path}: the folder {path.parent} or the file may not be written to; give yourself the right to it, "
                "or write elsewhere",
                param,
                ctx,
            )
        return path
