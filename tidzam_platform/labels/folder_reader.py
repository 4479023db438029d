"""Labels from folders: one folder a class, nested as in the original (``birds/birds-crow``) or by plain names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from tidzam_platform.errors import InvalidNameError, LabelError
from tidzam_platform.labels.class_paths import SEPARATOR, is_within, valid_class_path
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
        LabelError: no such folder, no audio in it, audio outside a class's folder, or a folder's name is no class.
    """
    if not folder.is_dir():
        raise LabelError(f"{folder}: no such folder")
    root = folder.resolve()
    files = sorted(
        path for path in root.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file()
    )
    files = [path for path in files if not any(part.startswith(".") for part in path.relative_to(root).parts)]
    if not files:
        raise LabelError(f"{folder} holds no audio files ({', '.join(sorted(AUDIO_SUFFIXES))})")
    return [_labelled(root, path) for path in files]


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
        valid_class_path(class_path)
    except InvalidNameError as error:
        raise LabelError(f"{path.parent}: {error}") from error
    stem = _COUNTER.sub("", path.stem) or path.stem
    return LabelledFile(path, (class_path,), f"{class_path}/{stem}"[:200], str(path))
