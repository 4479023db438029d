"""What a process is started with, in a file for its owner alone: arguments can be read by everyone, files cannot.

A file is named by the process and a revision, which grows when the process must start again to be as it should be:
Supervisor sees that its command line changed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tidzam_platform.files import whole_file
from tidzam_platform.operations.supervision.table import ProcessDefinition

_FILE: Final = re.compile(r"(?P<name>[a-z0-9-]+)\.(?P<revision>[0-9]{1,9})\.json")


class LaunchFiles:
    """The files below ``folder``, which nobody but its owner may open. Callers hold the lock of the supervision."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(
        self, definition: ProcessDefinition, environment: Mapping[str, str], working_folder: Path
    ) -> Path:
        """Write the file of a process; its revision stays the same where command and settings do.

        Args:
            definition: of the process.
            environment: variables beside those that Supervisor has; every ``TIDZAM_*`` of the process is among them.
            working_folder: where it runs.
        """
        decides = {"command": list(definition.command), "settings": dict(definition.settings)}
        document = {**decides, "environment": dict(environment), "folder": str(working_folder)}
        revision, before = self._newest(definition.name)
        if before is None or any(before.get(key) != value for key, value in decides.items()):
            revision += 1
        path = self._folder / f"{definition.name}.{revision}.json"
        if before != document:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with whole_file(path) as temporary:
                handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(document, file, indent=1)
        return path

    def forget_old(self) -> None:
        """Remove revisions that a newer one has replaced."""
        newest: dict[str, int] = {}
        found = self._found()
        for name, revision in found:
            newest[name] = max(revision, newest.get(name, 0))
        for name, revision in found:
            if revision < newest[name]:
                (self._folder / f"{name}.{revision}.json").unlink(missing_ok=True)

    def _newest(self, name: str) -> tuple[int, dict[str, Any] | None]:
        """The newest revision of a process and what it holds; None where there is none that can be read."""
        revision = max((revision for one, revision in self._found() if one == name), default=0)
        with contextlib.suppress(OSError, ValueError):
            content = json.loads((self._folder / f"{name}.{revision}.json").read_bytes())
            if isinstance(content, dict):
                return revision, content
        return revision, None

    def _found(self) -> list[tuple[str, int]]:
        try:
            names = [path.name for path in self._folder.iterdir()]
        except FileNotFoundError:
            return []
        matches = filter(None, map(_FILE.fullmatch, names))
        return [(match["name"], int(match["revision"])) for match in matches]
