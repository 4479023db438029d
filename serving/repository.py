"""The model repository: versions on disk, laid out as TensorFlow Serving reads them.

``models/tidzam/<version>/`` holds one SavedModel each and nothing else stands beside those folders; what is
being written lies in ``models/.partial/`` on the same file system until one rename makes it a version.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from serving.manifest import file_hashes, read_manifest, verify_manifest, write_manifest
from serving.signature import MODEL_NAME
from tidzam_platform.crash_points import reach
from tidzam_platform.errors import ModelRepositoryError
from tidzam_platform.files import fsync_folder, partial_path, remove_leavings

_VERSION: Final = re.compile(r"[1-9][0-9]{0,17}")  # TensorFlow Serving's versions are int64
_SAVED_MODEL: Final = "saved_model.pb"


class ModelRepository:
    """Versions of the model below ``models_folder``; a version is whole or not there, and never changes."""

    def __init__(self, models_folder: Path) -> None:
        self._root = models_folder

    @property
    def base_path(self) -> Path:
        """TensorFlow Serving's ``base_path``: one folder per version number and nothing else in it."""
        return self._root / MODEL_NAME

    def versions(self) -> list[int]:
        """Version numbers in ascending order; empty when nothing was ever published.

        Raises:
            ModelRepositoryError: the folder is there but cannot be read.
        """
        try:
            entries = list(os.scandir(self.base_path))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ModelRepositoryError(f"{self.base_path} cannot be read: {error.strerror}") from error
        return sorted(
            int(entry.name) for entry in entries if _VERSION.fullmatch(entry.name) and entry.is_dir()
        )

    def latest(self) -> int | None:
        """The highest version, or None when there is none."""
        return max(self.versions(), default=None)

    def path(self, version: int) -> Path:
        """Folder of ``version``; ModelRepositoryError if there is none."""
        path = self._place(version)
        if not path.is_dir():
            held = ", ".join(map(str, self.versions())) or "none"
            raise ModelRepositoryError(f"no version {version} in {self.base_path} (it holds {held})")
        return path

    def verify(self, version: int) -> None:
        """Check every file of ``version`` against its manifest; ModelRepositoryError if one differs."""
        verify_manifest(self.path(version))

    @contextlib.contextmanager
    def staging(self) -> Iterator[Path]:
        """Yield a fresh folder on the repository's file system; what is left of it afterwards is removed."""
        remove_leavings(self._root)
        folder = partial_path(self._root)
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def publish(self, version: int, staged: Path) -> Path:
        """Make ``staged`` (from ``staging``) the folder of ``version``, in one step; returns that folder.

        Every file is listed with its hash in the manifest and on the disk before the rename. Publishing what
        is already there is fine and changes nothing.

        Raises:
            ModelRepositoryError: ``staged`` holds no SavedModel, or the version exists with other content.
        """
        if not (staged / _SAVED_MODEL).is_file():
            raise ModelRepositoryError(f"{staged} holds no {_SAVED_MODEL}: export the model there first")
        target = self._place(version)
        if not self.base_path.exists():
            self.base_path.mkdir(parents=True, exist_ok=True)
            fsync_folder(self._root)
        write_manifest(staged)
        _fsync_tree(staged)
        reach("export.staged")
        try:
            staged.rename(target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise ModelRepositoryError(f"{staged} cannot become {target}: {error.strerror}") from error
            self.verify(version)
            if read_manifest(target) != file_hashes(staged):
                raise ModelRepositoryError(
                    f"{target} exists with other content: a version never changes, publish under a new number"
                ) from error
        fsync_folder(self.base_path)
        reach("export.published")
        return target

    def _place(self, version: int) -> Path:
        if not _VERSION.fullmatch(str(version)):
            raise ModelRepositoryError(f"versions are whole numbers from 1, not {version!r}")
        return self.base_path / str(version)


def _fsync_tree(folder: Path) -> None:
    """Bring every file and folder below ``folder``, and itself, to the disk."""
    for parent, _, files in os.walk(folder):
        for name in files:
            with (Path(parent) / name).open("rb") as handle:
                os.fsync(handle.fileno())
        fsync_folder(Path(parent))
