"""Which detections of two generations mean the same sound. Nothing here reads or writes anything."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import merge

from tidzam_platform.detections.detection import Detection

SameClass = Callable[[str, str], bool]


@dataclass
class Match:
    """What became of detections that overlap on one channel; each stands in one list of its side.

    Attributes:
        kept_before: heard before, and now too.
        kept_after: heard now, and before too; one long detection may answer to several short ones.
        changed: heard before and now as another class.
        lost: heard before only.
        gained: heard now only.
    """

    kept_before: list[Detection] = field(default_factory=list)
    kept_after: list[Detection] = field(default_factory=list)
    changed: list[tuple[Detection, Detection]] = field(default_factory=list)
    lost: list[Detection] = field(default_factory=list)
    gained: list[Detection] = field(default_factory=list)


def equal_classes(before: str, after: str) -> bool:
    """Whether two class paths are one."""
    return before == after


def match(
    before: Iterable[Detection], after: Iterable[Detection], same_class: SameClass = equal_classes
) -> Iterator[Match]:
    """What became of each detection.

    On each channel: a detection is *kept* if one of the same class on the other side overlaps it in time. Of what is
    left, those that overlap are *changed*, one to one, the longest overlap first; the rest is *lost* or *gained*.
    Exchanging the two sides exchanges lost and gained and turns the changed ones round.

    Args:
        before: what one generation heard, by start.
        after: what the other one heard, by start.
        same_class: whether a class of ``before`` and one of ``after`` are the same.

    Yields:
        one match a stretch of sound without a pause, as soon as nothing that comes can change it: memory is bounded
        by such a stretch on every channel.
    """
    stretches: dict[str, _Stretch] = defaultdict(_Stretch)
    sides = [((one, False) for one in before), ((one, True) for one in after)]
    for one, is_after in merge(*sides, key=lambda item: item[0].start):
        stretch = stretches[one.channel]
        if stretch.end is not None and one.start >= stretch.end:
            yield _match(stretch, same_class)
            stretch = stretches[one.channel] = _Stretch()
        (stretch.after if is_after else stretch.before).append(one)
        stretch.end = one.end if stretch.end is None else max(stretch.end, one.end)
    for _, stretch in sorted(stretches.items()):
        yield _match(stretch, same_class)


@dataclass
class _Stretch:
    """Detections of one channel that overlap in a chain, by start."""

    before: list[Detection] = field(default_factory=list)
    after: list[Detection] = field(default_factory=list)
    end: datetime | None = None


def _match(stretch: _Stretch, same_class: SameClass) -> Match:
    overlaps = sorted(
        _overlaps(stretch.before, stretch.after),
        key=lambda found: (-found[0], *sorted((found[1].id, found[2].id))),
    )
    kept: set[str] = set()
    for _, one, other in overlaps:
        if same_class(one.class_path, other.class_path):
            kept |= {one.id, other.id}
    changed: list[tuple[Detection, Detection]] = []
    taken = set(kept)
    for _, one, other in overlaps:
        if one.id not in taken and other.id not in taken:
            taken |= {one.id, other.id}
            changed.append((one, other))
    return Match(
        kept_before=[one for one in stretch.before if one.id in kept],
        kept_after=[one for one in stretch.after if one.id in kept],
        changed=changed,
        lost=[one for one in stretch.before if one.id not in taken],
        gained=[one for one in stretch.after if one.id not in taken],
    )


def _overlaps(
    before: Sequence[Detection], after: Sequence[Detection]
) -> Iterator[tuple[timedelta, Detection, Detection]]:
    """Pairs that overlap, and by how much; both sides by start."""
    first = 0
    for one in before:
        while first < len(after) and after[first].end <= one.start:
            first += 1
        for other in after[first:]:
            if other.start >= one.end:
                break
            overlap = min(one.end, other.end) - max(one.start, other.start)
            if overlap > timedelta(0):
                yield overlap, one, other
