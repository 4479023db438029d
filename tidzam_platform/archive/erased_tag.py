"""What was erased of a recording, kept in its own comments: whoever indexes it anew knows it too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

ERASED_TAG: Final = "TIDZAM_ERASED"
_SPAN: Final = re.compile(r"([0-9]{1,9}\.[0-9]{1,6})-([0-9]{1,9}\.[0-9]{1,6})")
_SPANS_PER_COMMENT: Final = 400  # readers leave out longer comments
_CLOSE_S: Final = 1e-6

Span = tuple[float, float]
"""Begin and end within a file, in s."""


def comments_of(spans: Iterable[Span]) -> list[str]:
    """``KEY=value``, as many as it takes."""
    texts = [f"{start_s:.6f}-{end_s:.6f}" for start_s, end_s in spans]
    parts = [texts[first : first + _SPANS_PER_COMMENT] for first in range(0, len(texts), _SPANS_PER_COMMENT)]
    return [f"{ERASED_TAG}={'; '.join(part)}" for part in parts]


def spans_of(tags: Mapping[str, str]) -> tuple[Span, ...]:
    """What the tags of a file (keys in lower case) say; what makes no sense is left out."""
    found = _SPAN.findall(tags.get(ERASED_TAG.lower(), ""))
    return joined((float(start), float(end)) for start, end in found)


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """In order, those that touch made one; empty ones left out."""
    result: list[Span] = []
    for start_s, end_s in sorted(span for span in spans if span[1] > span[0]):
        if result and start_s <= result[-1][1] + _CLOSE_S:
            result[-1] = (result[-1][0], max(result[-1][1], end_s))
        else:
            result.append((start_s, end_s))
    return tuple(result)


def covers(spans: Iterable[Span], wanted: Span) -> bool:
    """Whether ``wanted`` lies within what ``spans`` cover, but for rounding."""
    return any(
        start_s <= wanted[0] + _CLOSE_S * 2 and wanted[1] <= end_s + _CLOSE_S * 2
        for start_s, end_s in joined(spans)
    )
