"""Where the logs of trainings lie, and how many are kept."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final

KEPT_TRAININGS: Final = 20  # 2 MB each with 14 classes and 280 test clips
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{32}")


def replace_folder(root: Path, fingerprint: str) -> Path:
    """An empty folder for the logs of a training; what an unfinished one of the same fingerprint left is removed.

    Only the newest ``KEPT_TRAININGS`` folders are kept, and the oldest are removed; a folder of another kind of name
    is not ours and stays.

    Raises:
        OSError: the disk is full, something else stands there, or there is no right to it.
    """
    folder = root / fingerprint
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    others = [
        entry
        for entry in root.iterdir()
        if entry != folder and entry.is_dir() and _FINGERPRINT.fullmatch(entry.name)
    ]
    others.sort(key=lambda entry: entry.stat().st_mtime_ns, reverse=True)
    for oldest in others[KEPT_TRAININGS - 1 :]:
        shutil.rmtree(oldest)
    return folder
