"""Segments of the spool that could not be read, kept for a person to see as long as there is room."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

from streamer.analyzer.asking.segment import aside_files

_LOG = logging.getLogger(__name__)


class AsideFiles:
    """Those in a folder, oldest first. Not for several threads at once."""

    def __init__(self, folder: Path) -> None:
        self._files: dict[Path, int] = {}
        for path in aside_files(folder):
            self.add(path)

    def __len__(self) -> int:
        return len(self._files)

    @property
    def size_bytes(self) -> int:
        """Of all of them."""
        return sum(self._files.values())

    def add(self, path: Path) -> None:
        """One more; of unknown size if the disk does not say."""
        size = 0
        with contextlib.suppress(OSError):
            size = path.stat().st_size
        self._files[path] = size

    def remove_oldest(self) -> bool:
        """Remove the oldest to make room; False if there is none."""
        if not self._files:
            return False
        path = next(iter(self._files))
        del self._files[path]
        try:
            path.unlink(missing_ok=True)
            path.with_suffix(".done").unlink(missing_ok=True)
        except OSError as error:
            _LOG.warning("%s cannot be removed: %s", path, error.strerror or error)
        else:
            _LOG.warning("%s, which could not be read, made room in the spool", path)
        return True
