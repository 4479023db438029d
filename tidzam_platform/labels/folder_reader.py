"""Labels from folders: one folder a class, nested as in the original (``birds/birds-crow``) or by plain names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from tidzam_platform.errors import InvalidNameError, LabelError
from tidzam_platform.labels.class_paths import SEPARATOR, is_within, valid_label
from tidzam_platform.labels.labelled_file import LabelledFile

AUDIO_SUFFIXES: Final = frozenset(
    {
        ".wav",
        ".flac",
        ".ogg",
        ".opus",
        ".mp3",
        ".m4a",
        ".mp4",
        ".aac",
        ".aif",
        ".aiff",
        ".caf",
        ".au",
        ".webm",
        ".mka",
    }
)
_COUNTER = re.compile(r"[-_ .]*\d+$")


def read_label_folder(folder: Path) -> list[LabelledFile]:
    """All audio files below ``folder`` with the class that their folder names, in ascending order of path.

    Neighbours are kept together: files of one folder whose names differ only in a trailing number are one group.

    Raises:
        LabelError: no such folder, no audio in it, audio outside a class's folder, a folder's name is no class, or
            a symbolic link leads outside.
    """
    if not folder.is_dir():
        raise LabelError(f"{folder}: no such folder")
    root = folder.resolve()
    files = []
    for path in sorted(root.rglob("*")):
        if any(part.startswith(".") for part in path.relative_to(root).parts):
            continue
        _refuse_link_outside(root, path)
        if path.suffix.lower() in AUDIO_SUFFIXES and not path.is_dir():
            files.append(path)
    if not files:
        raise LabelError(f"{folder} holds no audio files ({', '.join(sorted(AUDIO_SUFFIXES))})")
    return [_labelled(root, path) for path in files]


def _refuse_link_outside(root: Path, path: Path) -> None:
    if not path.is_symlink():
        return
    try:
        target = path.resolve()
    except RuntimeError as error:  # Path.resolve's word for links that lead in a circle
        raise LabelError(f"{path} is a symbolic link that leads in a circle: remove it") from error
    if not target.is_relative_to(root):
        raise LabelError(
            f"{path} is a symbolic link to {target}, outside {root}: copy the files there, or import from {target}"
        )


def _labelled(root: Path, path: Path) -> LabelledFile:
    class_path = ""
    folders = path.relative_to(root).parts[:-1]
    if not folders:
        raise LabelError(f"{path} lies in no class's folder: put it into one named after what is heard")
    for name in folders:
        # birds/birds-crow names the whole path again, birds/crow only the next level
        class_path = (
            name if not class_path or is_within(name, class_path) else f"{class_path}{SEPARATOR}{name}"
        )
    try:
        valid_label(class_path)
    except InvalidNameError as error:
        raise LabelError(f"{path.parent}: {error}") from error
    # a name that is not UTF-8 holds surrogates, which no database takes
    name = path.stem.encode("utf-8", "backslashreplace").decode()
    stem = _COUNTER.sub("", name) or name
    return LabelledFile(path, (class_path,), f"{class_path}/{stem}"[:200], str(path))
