"""Segment- and event-based figures of sound events.

As Mesaros, Heittola, Virtanen 2016 (Metrics for Polyphonic Sound Event Detection) define them and sed_eval computes
them: counts are summed over all tracks, then made figures of each class; what was never heard has precision 0
(sed_eval's ``empty_system_output_handling="zero_score"``).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tidzam_platform.errors import LabelError

ONSET_COLLAR_S: Final = 0.5
OFFSET_SHARE: Final = 0.5  # of the reference event's length
SEGMENT_S: Final = 1.0

Stretch = tuple[float, float]
"""Start and end, s."""


@dataclass(frozen=True, order=True)
class TimedLabel:
    """A class that sounds from ``onset_s`` to ``offset_s``, in seconds from the start of its track.

    Raises:
        LabelError: it begins before the track, ends before it begins, or a time is not a number.
    """

    onset_s: float
    offset_s: float
    class_path: str

    def __post_init__(self) -> None:
        if not 0 <= self.onset_s <= self.offset_s < math.inf:
            raise LabelError(
                f"{self.class_path!r} cannot last from {self.onset_s} to {self.offset_s} s: "
                "times count from 0 and an event ends after it begins"
            )

    def touches(self, stretch: Stretch) -> bool:
        """Whether both have a moment in common."""
        return self.onset_s < stretch[1] and stretch[0] < self.offset_s


@dataclass(frozen=True)
class Track:
    """One channel of one recording: what sounds there, what was heard, and stretches that are not scored.

    Heard events that touch an ignored stretch and no reference event are left out of all figures.
    """

    reference: tuple[TimedLabel, ...]
    heard: tuple[TimedLabel, ...]
    ignored: tuple[Stretch, ...] = ()


@dataclass(frozen=True)
class CountedFigures:
    """Figures in [0, 1] and the counts (of events, or of segments) that they come from."""

    precision: float
    recall: float
    f1: float
    reference: int
    heard: int
    matched: int


@dataclass(frozen=True)
class EventFigures:
    """Figures of each class that sounds or was heard.

    ``macro_f1`` is the plain mean of F1 over the classes that have reference events, None if none has; ``micro``
    counts all classes together.
    """

    macro_f1: float | None
    micro: CountedFigures
    per_class: dict[str, CountedFigures]


def event_based(
    tracks: Iterable[Track],
    *,
    onset_collar_s: float = ONSET_COLLAR_S,
    offset_collar_s: float | None = None,
    offset_share: float = OFFSET_SHARE,
) -> EventFigures:
    """Figures of events: one is found if an event of its class was heard with its onset within the collar.

    Each event has one partner at most, and as many as possible have one (a maximum bipartite matching).

    Args:
        tracks: what sounds and what was heard.
        onset_collar_s: how far the onsets may be apart, this value included.
        offset_collar_s: if given, the offsets must be within this collar, or within ``offset_share`` of the
            reference event's length if that is more.
        offset_share: see there; 0.5 in the paper.
    """
    reference, heard, matched = Counter[str](), Counter[str](), Counter[str]()
    for track in tracks:
        wanted, found = _by_class(track.reference), _by_class(_scored(track))
        reference.update({name: len(times) for name, times in wanted.items()})
        heard.update({name: len(times) for name, times in found.items()})
        for name in wanted.keys() & found.keys():
            fits = np.abs(wanted[name][:, :1] - found[name][:, 0]) <= onset_collar_s
            if offset_collar_s is not None:
                length = wanted[name][:, 1:] - wanted[name][:, :1]
                late = np.abs(wanted[name][:, 1:] - found[name][:, 1])
                fits &= late <= np.maximum(offset_collar_s, offset_share * length)
            matched[name] += _pairs(fits)
    return _figures(reference, heard, matched)


def segment_based(tracks: Iterable[Track], *, segment_s: float = SEGMENT_S) -> EventFigures:
    """Figures of segments: a class is active in each segment that one of its events touches.

    Segments that an ignored stretch touches are not scored either.

    Args:
        tracks: what sounds and what was heard.
        segment_s: length of a segment, from the start of the track.
    """
    reference, heard, matched = Counter[str](), Counter[str](), Counter[str]()
    for track in tracks:
        times = [event.offset_s for event in (*track.reference, *track.heard)]
        segments = math.ceil(max(times, default=0) / segment_s)
        scored = ~_active(track.ignored, segments, segment_s)
        wanted, found = _by_class(track.reference), _by_class(_scored(track))
        for name in wanted.keys() | found.keys():
            sounds = _active(wanted.get(name, ()), segments, segment_s) & scored
            answered = _active(found.get(name, ()), segments, segment_s) & scored
            reference[name] += int(sounds.sum())
            heard[name] += int(answered.sum())
            matched[name] += int((sounds & answered).sum())
    return _figures(reference, heard, matched)


def _scored(track: Track) -> list[TimedLabel]:
    sounding = [(event.onset_s, event.offset_s) for event in track.reference]
    return [
        event
        for event in track.heard
        if not any(map(event.touches, track.ignored)) or any(map(event.touches, sounding))
    ]


def _by_class(events: Iterable[TimedLabel]) -> dict[str, NDArray[np.float64]]:
    """Onsets and offsets of each class, float64 ``[events, 2]``."""
    times: dict[str, list[Stretch]] = {}
    for event in events:
        times.setdefault(event.class_path, []).append((event.onset_s, event.offset_s))
    return {name: np.array(found) for name, found in times.items()}


def _pairs(fits: NDArray[np.bool_]) -> int:
    """Size of the maximum matching of rows and columns."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    return int((maximum_bipartite_matching(csr_array(fits), perm_type="column") >= 0).sum())


def _active(
    stretches: Sequence[Stretch] | NDArray[np.float64], segments: int, segment_s: float
) -> NDArray[np.bool_]:
    active = np.zeros(segments, bool)
    for start_s, end_s in stretches:
        active[math.floor(start_s / segment_s) : math.ceil(end_s / segment_s)] = True
    return active


def _figures(reference: Counter[str], heard: Counter[str], matched: Counter[str]) -> EventFigures:
    per_class = {
        name: _counted(reference[name], heard[name], matched[name])
        for name in sorted(reference.keys() | heard.keys())
    }
    tested = [one.f1 for one in per_class.values() if one.reference]
    micro = _counted(reference.total(), heard.total(), matched.total())
    return EventFigures(sum(tested) / len(tested) if tested else None, micro, per_class)


def _counted(reference: int, heard: int, matched: int) -> CountedFigures:
    return CountedFigures(
        precision=matched / heard if heard else 0.0,
        recall=matched / reference if reference else 0.0,
        f1=2 * matched / (reference + heard) if reference + heard else 0.0,
        reference=reference,
        heard=heard,
        matched=matched,
    )
