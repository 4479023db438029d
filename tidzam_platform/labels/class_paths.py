"""Class paths: ``birds-american_crow``; ``-`` goes one level down, ``_`` separates words."""

from __future__ import annotations

import re
from typing import Final

from tidzam_platform.errors import InvalidNameError

SEPARATOR: Final = "-"
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


def join_label(label: str, parent_label: str | None) -> str:
    """Class path of a label with its parent: (``bird``, ``animal``) gives ``animal-bird``.

    A class that is its own parent stays single, and so does one without a parent.
    """
    if not parent_label or parent_label == label:
        return valid_class_path(label)
    return valid_class_path(f"{parent_label}{SEPARATOR}{label}")
