"""Class paths: ``birds-american_crow``; ``-`` goes one level down, ``_`` separates words."""

from __future__ import annotations

import re
from typing import Final

from tidzam_platform.errors import InvalidNameError

SEPARATOR: Final = "-"
UNKNOWN: Final = "unknown"
NO_SIGNAL: Final = "no_signal"
MAX_PATH_LENGTH: Final = 255
_SEGMENT = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*")


def valid_class_path(path: str) -> str:
    """Return ``path`` if it is a class path, else raise InvalidNameError."""
    if len(path) > MAX_PATH_LENGTH or not all(_SEGMENT.fullmatch(part) for part in path.split(SEPARATOR)):
        raise InvalidNameError(
            f"{path!r} is no class path: write lower-case words joined by '_', levels joined by '-', "
            "like birds-american_crow"
        )
    return path


def parent(path: str) -> str | None:
    """The class one level up, or None at the top: ``birds-american_crow`` gives ``birds``."""
    head, separator, _ = path.rpartition(SEPARATOR)
    return head if separator else None


def ancestors(path: str) -> list[str]:
    """All classes above ``path``, the top first: ``a-b-c`` gives ``[a, a-b]``."""
    parts = path.split(SEPARATOR)
    return [SEPARATOR.join(parts[:depth]) for depth in range(1, len(parts))]


def with_ancestors(paths: set[str]) -> list[str]:
    """``paths`` and every class above one of them, in ascending order."""
    return sorted(paths.union(*(ancestors(path) for path in paths)))


def is_within(path: str, ancestor: str) -> bool:
    """Whether ``path`` is ``ancestor`` or a descendant of it."""
    return path == ancestor or path.startswith(ancestor + SEPARATOR)


def valid_label(path: str) -> str:
    """Return ``path`` if it is a class path that a clip may be labelled with, else raise InvalidNameError.

    ``unknown`` and ``no_signal`` are answers of the decision, which no class may be taken for: nothing lies at or
    below ``unknown``; below ``no_signal`` there may be classes, like ``no_signal-silence``.
    """
    valid_class_path(path)
    if is_within(path, UNKNOWN):
        raise InvalidNameError(
            f"{path!r} cannot be a label: {UNKNOWN} is the answer where no class is sure. "
            "Name what is heard, e.g. other, or leave the clip out"
        )
    if path == NO_SIGNAL:
        raise InvalidNameError(
            f"{path!r} cannot be a label: it is the answer where it is too quiet. "
            f"Name a class below it, e.g. {NO_SIGNAL}{SEPARATOR}silence (label silence, parent {NO_SIGNAL})"
        )
    return path


def join_label(label: str, parent_label: str | None) -> str:
    """Class path, fit to label a clip, of a label with its parent: (``bird``, ``animal``) gives ``animal-bird``.

    A class that is its own parent stays single, and so does one without a parent.
    """
    if not parent_label or parent_label == label:
        return valid_label(label)
    return valid_label(f"{parent_label}{SEPARATOR}{label}")
