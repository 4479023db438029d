"""A folder of made sounds: whole or absent, known as ours, and made anew where what it follows from changed."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tidzam_platform import crash_points, files
from tidzam_platform.errors import FolderInUseError

_COMPLETE: Final = "complete.json"

Progress = Callable[[int, int], None]
"""Called with the files written so far and the files in all."""


def make_once(
    folder: Path,
    what: str,
    parts: Sequence[str],
    parameters: Mapping[str, Any],
    write: Callable[[Path], None],
) -> None:
    """Let ``write`` make what is not in ``folder`` yet, or of other parameters or code, or has lost or cut files.

    Args:
        folder: absent, empty, or one where this was made before.
        what: is made, a word: its lock file is also the mark by which the folder is known as ours.
        parts: the folders that are made.
        parameters: all that it follows from beside the code of this package; JSON.
        write: makes all parts below the folder that it is given.

    Raises:
        FolderInUseError: the folder holds something else.
        BusyError: another process is making it there.
    """
    lock = f".made_{what}.lock"
    fingerprint = _fingerprint(parameters)
    if _is_complete(folder, parts, fingerprint):
        return
    _claim(folder, what, lock)
    with files.exclusive(folder / lock, f"making the {what} in {folder}"):
        if not _is_complete(folder, parts, fingerprint):
            _make(folder, parts, fingerprint, write)


def _fingerprint(parameters: Mapping[str, Any]) -> str:
    """Names what it follows from: its parameters and the code that makes it."""
    digest = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode())
    for module in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(module.read_bytes())
    return digest.hexdigest()


def _claim(folder: Path, what: str, lock: str) -> None:
    """Mark ``folder`` as ours, before anything of it can be replaced."""
    if folder.exists() and not folder.is_dir():
        raise FolderInUseError(f"{folder} is a file: name a folder for the made {what}")
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / lock).exists():
        other = next((entry for entry in folder.iterdir() if entry.name != lock), None)
        if other is not None:
            raise FolderInUseError(
                f"{folder} holds {other.name}, which is not of a made {what}: give an empty folder"
            )
        (folder / lock).touch()


def _make(folder: Path, parts: Sequence[str], fingerprint: str, write: Callable[[Path], None]) -> None:
    files.remove_leavings(folder)
    with files.partial_path(folder) as staging:
        write(staging)
        for leavings in list(staging.rglob(files.PARTIAL_FOLDER)):
            shutil.rmtree(leavings)
        crash_points.reach("made_site.staged")
        (folder / _COMPLETE).unlink(missing_ok=True)
        for part in parts:
            if (folder / part).exists():
                shutil.rmtree(folder / part)
            (staging / part).replace(folder / part)
            files.fsync_folder(folder)
            crash_points.reach("made_site.moved")
    complete = {"fingerprint": fingerprint, "bytes": _sizes(folder, parts)}
    files.write_whole(folder / _COMPLETE, json.dumps(complete, indent=1).encode())


def _sizes(folder: Path, parts: Sequence[str]) -> dict[str, int]:
    """Bytes of every file that was made, by its path within ``folder``."""
    return {
        str(path.relative_to(folder)): path.stat().st_size
        for part in parts
        for path in sorted((folder / part).rglob("*"))
        if path.is_file()
    }


def _is_complete(folder: Path, parts: Sequence[str], fingerprint: str) -> bool:
    """Whether what has that fingerprint stands there, no file lost or cut."""
    try:
        complete = json.loads((folder / _COMPLETE).read_bytes())
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return False
    return bool(complete == {"fingerprint": fingerprint, "bytes": _sizes(folder, parts)})
