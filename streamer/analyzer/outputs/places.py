"""Where outputs keep their queues, and what they call this Tidzam."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

_FOLDER: Final = Path("spool") / "outputs"
ENDING: Final = ".queue"
_IDENTITY_LENGTH: Final = 8


def queue_folder(home: Path) -> Path:
    """The folder of all queues of a home."""
    return home / _FOLDER


def queue_file(home: Path, name: str) -> Path:
    """The queue of the output ``name``, whether it is there or not."""
    return queue_folder(home) / f"{name}{ENDING}"


def identity_of(home: Path) -> str:
    """A few letters that tell this home from others."""
    return hashlib.sha256(str(home.absolute()).encode()).hexdigest()[:_IDENTITY_LENGTH]
