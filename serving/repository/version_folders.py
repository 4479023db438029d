"""Versions on the disk: each a folder that is whole, signed and never changes, or not there.

One that was damaged, or whose key is trusted no more, can be published again and is then replaced.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from serving.manifest import read_manifest
from serving.repository.keys import SigningKeys
from serving.repository.signed_version import sign_version, verify_version
from serving.signature import MODEL_NAME
from tidzam_platform.crash_points import reach
from tidzam_platform.errors import BusyError, ModelRepositoryError
from tidzam_platform.files import exclusive, fsync_folder, partial_path, remove_leavings

_LOG = logging.getLogger(__name__)
_VERSION: Final = re.compile(r"[1-9][0-9]{0,17}")  # TensorFlow Serving's versions are int64
_SAVED_MODEL: Final = "saved_model.pb"
_LOCK_WAIT_S: Final = 30.0  # others hold it while they check a version, seconds for a large one
_LOCK_RETRY_S: Final = 0.02


class VersionFolders:
    """Versions of the model below ``models_folder``, signed with keys below ``secrets_folder``."""

    def __init__(self, models_folder: Path, secrets_folder: Path) -> None:
        self._root = models_folder
        self._keys = SigningKeys(secrets_folder)

    @property
    def base_path(self) -> Path:
        """TensorFlow Serving's ``base_path``: one folder per version number and nothing else in it."""
        return self._root / MODEL_NAME

    @property
    def serving_folder(self) -> Path:
        """Labels and history, and the configuration files that model servers read."""
        return self._root / "serving"

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
        """The highest version, or None when there is none; see ``in_service`` for the one that counts."""
        return max(self.versions(), default=None)

    def path(self, version: int) -> Path:
        """Folder of ``version``; ModelRepositoryError if there is none."""
        path = self._place(version)
        if not path.is_dir():
            held = ", ".join(map(str, self.versions())) or "none"
            raise ModelRepositoryError(f"no version {version} in {self.base_path} (it holds {held})")
        return path

    def verify(self, version: int) -> None:
        """Check that a trusted key signed the manifest of ``version``, and every file against the manifest.

        Raises:
            ModelRepositoryError: it is not there, not signed, signed with a key that this home does not trust, or
                something about it was changed.
        """
        verify_version(self.path(version), version, self._keys)

    def is_fit(self, version: int) -> bool:
        """Whether ``version`` is there and ``verify`` finds nothing."""
        try:
            self.verify(version)
        except ModelRepositoryError:
            return False
        return True

    @contextlib.contextmanager
    def staging(self) -> Iterator[Path]:
        """Yield a fresh folder on the repository's file system; what is left of it afterwards is removed."""
        with contextlib.ExitStack() as held:
            with self._locked():
                folder = held.enter_context(partial_path(self._root))
                folder.mkdir()
            yield folder

    def publish(self, version: int, staged: Path) -> Path:
        """Make ``staged`` (from ``staging``) the folder of ``version``, in one step; returns that folder.

        Every file is listed with its hash in the manifest, the manifest is signed, and all is on the disk before
        the rename. Publishing what is already there is fine and changes nothing. One that is there and that ``verify``
        refuses is replaced, whatever it holds.

        Raises:
            ModelRepositoryError: ``staged`` holds no SavedModel, or the version exists, is fit, and has other content.
            BusyError: somebody else has been changing the repository for very long.
        """
        if not (staged / _SAVED_MODEL).is_file():
            raise ModelRepositoryError(f"{staged} holds no {_SAVED_MODEL}: export the model there first")
        target = self._place(version)
        if not self.base_path.exists():
            self.base_path.mkdir(parents=True, exist_ok=True)
            fsync_folder(self._root)
        sign_version(staged, version, self._keys)
        _fsync_tree(staged)
        reach("export.staged")
        with contextlib.ExitStack() as aside, self._locked():
            if not self.is_fit(version):
                if os.path.lexists(target):
                    aside.enter_context(self._set_aside(version))
                try:
                    staged.rename(target)
                except OSError as error:
                    raise ModelRepositoryError(
                        f"{staged} cannot become {target}: {error.strerror}"
                    ) from error
            elif read_manifest(target).sha256 != read_manifest(staged).sha256:
                raise ModelRepositoryError(
                    f"{target} exists with other content: a version never changes, publish under a new number"
                )
            fsync_folder(self.base_path)
        reach("export.published")
        return target

    def _place(self, version: int) -> Path:
        if not isinstance(version, int) or isinstance(version, bool) or not _VERSION.fullmatch(str(version)):
            raise ModelRepositoryError(f"versions are whole numbers from 1, not {version!r}")
        return self.base_path / str(version)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process, or thread, change something at a time; what killed ones left is removed first.

        Raises:
            BusyError: somebody else holds the lock for very long.
            ModelRepositoryError: the lock cannot be taken, e.g. on a read-only file system.
        """
        give_up_s = time.monotonic() + _LOCK_WAIT_S
        with contextlib.ExitStack() as held:
            while True:
                lock = exclusive(self.serving_folder / "state.lock", "a change of the model repository")
                try:
                    held.enter_context(lock)
                    break
                except BusyError:
                    if time.monotonic() > give_up_s:
                        raise
                    time.sleep(_LOCK_RETRY_S)
                except OSError as error:
                    raise ModelRepositoryError(
                        f"the model repository {self._root} cannot be changed: {error.strerror}"
                    ) from error
            try:
                remove_leavings(self._root)
            except OSError as error:  # somebody else's, who may not be here to mend it: it only takes space
                _LOG.warning("what was left in %s cannot be removed: %s", self._root, error)
            yield

    @contextlib.contextmanager
    def _set_aside(self, version: int) -> Iterator[None]:
        """Take a version out of service's sight in one step; at the end it is deleted."""
        with partial_path(self._root) as folder:
            try:
                self._place(version).rename(folder)
            except OSError as error:
                raise ModelRepositoryError(
                    f"{self._place(version)} cannot be removed: {error.strerror}"
                ) from error
            fsync_folder(self.base_path)
            reach("repository.set_aside")
            yield
        reach("repository.deleted")


def _fsync_tree(folder: Path) -> None:
    """Bring every file and folder below ``folder``, and itself, to the disk."""
    for parent, _, files in os.walk(folder):
        for name in files:
            with (Path(parent) / name).open("rb") as handle:
                os.fsync(handle.fileno())
        fsync_folder(Path(parent))
