"""The rate ``auto``: the rarer a class among its siblings, the more of it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tidzam_platform.labels.class_paths import NO_SIGNAL, UNKNOWN, is_within, parent

_NO_CLASSES: Final = (UNKNOWN, NO_SIGNAL)


def auto_rate(class_path: str, counts: Mapping[str, int], at_least: int = 1) -> float:
    """Probability with which a window of ``class_path`` is kept, in [0, 1].

    As in the original Tidzam: ``1 - n(class) / max n(sibling classes)``, the class itself among them; 1 for a class
    with fewer than ``at_least`` clips, and always for ``unknown``. ``unknown`` and ``no_signal`` are nobody's siblings.

    Args:
        class_path: what the window is taken for.
        counts: clips by class, each counted for itself alone, not for the classes above it.
        at_least: 1 or more; 1 is the original's rule.
    """
    above = parent(class_path)
    siblings = (number for path, number in counts.items() if parent(path) == above and is_class(path))
    return rate_of(class_path, counts.get(class_path, 0), max(siblings, default=0), at_least)


def rate_of(class_path: str, own: int, most: int, at_least: int) -> float:
    """``auto_rate`` of a class with ``own`` clips, the most common of it and its siblings having ``most``."""
    if is_within(class_path, UNKNOWN) or own < at_least:
        return 1.0
    return 1.0 - own / most if most > own else 0.0


def is_class(path: str) -> bool:
    """Whether it is a class of a tree, not an answer where none was heard."""
    return not any(is_within(path, answer) for answer in _NO_CLASSES)
