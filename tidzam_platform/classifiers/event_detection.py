"""Events by rules: hysteresis, filled gaps, least length. One window at a time, with bounded memory.

In this order: **hysteresis** decides what each window is; **gap filling** gives the windows between two pieces of one
sound to that sound; windows are **merged** to events; events that are **too short** are left out. Gaps are filled
before short events are dropped, so that a sound is not lost piece by piece. With no rule set, events are those of
``EventMerger``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from tidzam_platform.classifiers.decision import NO_SIGNAL, UNKNOWN, Answer
from tidzam_platform.classifiers.events import Edges, Event, EventMerger
from tidzam_platform.errors import SettingsError
from tidzam_platform.labels.class_paths import is_within


@dataclass(frozen=True)
class EventRules:
    """How answers become events. ``unknown`` and ``no_signal`` are no sounds: no rule but ``edges`` is for them.

    Attributes:
        on_threshold: a window whose answer scores less begins no event, and counts as ``unknown``; None asks no more
            than the decision did.
        off_threshold: an event goes on while its class scores at least this, although the answer is ``unknown`` or a
            class above it; another class or ``no_signal`` ends it. None: ``on_threshold``, by the answer alone.
        fill_frames: a gap up to this long between two pieces of one sound is filled, if only ``unknown``,
            ``no_signal`` or a class above it was heard there; never over missing windows.
        minimum_frames: shorter events, measured by their ``edges``, are left out.
        edges: see ``events``.

    Raises:
        SettingsError: a value makes no sense.
    """

    on_threshold: float | None = None
    off_threshold: float | None = None
    fill_frames: int = 0
    minimum_frames: int = 0
    edges: Edges = "window"

    def __post_init__(self) -> None:
        for name in ("on_threshold", "off_threshold"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise SettingsError(f"{name} of events is {value}; it must be in [0, 1]")
        if (
            self.on_threshold is not None
            and self.off_threshold is not None
            and self.off_threshold > self.on_threshold
        ):
            raise SettingsError(
                f"off_threshold {self.off_threshold} lies above on_threshold {self.on_threshold}: an event would "
                "end as it begins"
            )
        if self.edges not in get_args(Edges):
            raise SettingsError(f"edges of events are 'window' or 'hop', not {self.edges!r}")
        for name in ("fill_frames", "minimum_frames"):
            if getattr(self, name) < 0:
                raise SettingsError(f"{name} of events is {getattr(self, name)}; it must be at least 0")


class EventDetector:
    """Takes the answers of one channel in order of time, gives events as they are settled.

    An event is settled at the latest by the first window that lies more than ``fill_frames`` after it, or by
    ``finish``.
    """

    def __init__(self, channel: int, window_frames: int, hop_frames: int, rules: EventRules) -> None:
        self._rules = rules
        self._hysteresis = _Hysteresis(rules)
        self._filler = _GapFiller(rules.fill_frames // hop_frames)
        self._merger = EventMerger(channel, window_frames, hop_frames, edges=rules.edges)
        self._hop_frames = hop_frames
        self._last_frame: int | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no sound is open: what comes does not depend on what was."""
        return self._hysteresis.is_idle and self._filler.is_idle

    def add(self, start_frame: int, answer: Answer, scores: Mapping[str, float] | None = None) -> list[Event]:
        """Take the answer of the window at ``start_frame``; returns the events that are settled now.

        Args:
            start_frame: first sample of the window.
            answer: what it was taken for.
            scores: of the window's classes, for ``off_threshold``; without them an answer of another class ends the
                event.
        """
        settled = []
        if self._last_frame is not None and start_frame > self._last_frame + self._hop_frames:
            self._hysteresis.reset()
            settled += self._merge(self._filler.flush())
        self._last_frame = start_frame
        decided = self._hysteresis.decide(answer, scores or {})
        return settled + self._merge(self._filler.push(start_frame, decided))

    def finish(self) -> list[Event]:
        """The events that are still open; the detector is as new afterwards."""
        self._hysteresis.reset()
        self._last_frame = None
        return self._merge(self._filler.flush()) + self._long_enough(self._merger.finish())

    def _merge(self, windows: list[tuple[int, Answer]]) -> list[Event]:
        return [
            event
            for start_frame, answer in windows
            for event in self._long_enough(self._merger.add(start_frame, answer))
        ]

    def _long_enough(self, event: Event | None) -> list[Event]:
        if event is None:
            return []
        length = event.end_frame - event.start_frame
        return [event] if length >= self._rules.minimum_frames or not _is_sound(event.class_path) else []


class _Hysteresis:
    """An event begins at one score and ends at a lower one, so that it does not flutter between."""

    def __init__(self, rules: EventRules) -> None:
        self._on = rules.on_threshold or 0.0
        self._off = rules.off_threshold
        self._open: str | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no event is open."""
        return self._open is None

    def reset(self) -> None:
        """Forget the event that is open."""
        self._open = None

    def decide(self, answer: Answer, scores: Mapping[str, float]) -> Answer:
        """What the window counts as."""
        held = self._open
        if held is not None and self._off is not None and _is_unsure_of(answer.class_path, held):
            score = answer.score if answer.class_path == held else scores.get(held, 0.0)
            if score >= self._off:
                return Answer(held, score)
        is_on = _is_sound(answer.class_path) and answer.score >= self._on
        self._open = answer.class_path if is_on else None
        return answer if is_on or answer.class_path == NO_SIGNAL else Answer(UNKNOWN, answer.score)


class _GapFiller:
    """Holds windows back after a sound, until it is known whether the sound comes back in time."""

    def __init__(self, most_windows: int) -> None:
        self._most_windows = most_windows
        self._sound: str | None = None
        self._held: list[tuple[int, Answer]] = []

    @property
    def is_idle(self) -> bool:
        """Whether there is no sound that could come back in time."""
        return self._sound is None

    def push(self, start_frame: int, answer: Answer) -> list[tuple[int, Answer]]:
        """Take a window that follows the one before; returns the windows that are decided now."""
        if self._sound is not None and answer.class_path == self._sound:
            filled = [(start, Answer(self._sound, 0.0)) for start, _ in self._held]
            self._held = []
            return [*filled, (start_frame, answer)]
        if (
            self._sound is not None
            and len(self._held) < self._most_windows
            and (answer.class_path == NO_SIGNAL or _is_unsure_of(answer.class_path, self._sound))
        ):
            self._held.append((start_frame, answer))
            return []
        decided = [*self.flush(), (start_frame, answer)]
        self._sound = answer.class_path if _is_sound(answer.class_path) else None
        return decided

    def flush(self) -> list[tuple[int, Answer]]:
        """The windows held back, as they were; what follows them does not continue the sound."""
        held, self._held, self._sound = self._held, [], None
        return held


def _is_sound(class_path: str) -> bool:
    return class_path not in (UNKNOWN, NO_SIGNAL)


def _is_unsure_of(class_path: str, sound: str) -> bool:
    """Whether an answer leaves it open that ``sound`` is heard: ``unknown``, the sound or a class above it."""
    return class_path == UNKNOWN or is_within(sound, class_path)
