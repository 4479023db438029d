"""What every reader of labels yields."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LabelledFile:
    """One file with what somebody heard in it.

    Attributes:
        path: the audio file.
        class_paths: the classes present in the whole file, ascending, at least one.
        group: files of one group are never split between sides; None lets the file be a group of its own.
        where: place in the label file, for messages.
    """

    path: Path
    class_paths: tuple[str, ...]
    group: str | None
    where: str
