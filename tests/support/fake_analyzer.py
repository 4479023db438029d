"""A small analyzer that hears nothing: the real control server over a real Unix socket, told what to say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np

from streamer.analyzer.told import DETECTION, RESULTS, detection_as_told, window_as_told
from streamer.analyzer.windows import Geometry, Run, WindowKey, WindowResult
from streamer.engine.control import ANALYZER, ControlServer, EventHub
from tests.support.waiting import wait_for
from tidzam_platform.classifiers.decision import Answer
from tidzam_platform.detections.detection import Detection
from tidzam_platform.names import split_channel

CLASSES: Final = ("birds", "birds-american_crow", "rain")
MORNING: Final = datetime(2026, 4, 1, 5, tzinfo=UTC)
_GEOMETRY: Final = Geometry(48_000, 48_000, 24_000)


class FakeAnalyzer:
    """What the web process asks of an analyzer, and what it is told. A context: it listens inside it.

    Attributes:
        classes: of the generation in service.
        events: what it tells.
        status: how it says that it stands.
    """

    def __init__(self, home: Path) -> None:
        self.classes = list(CLASSES)
        self.events = EventHub()
        self.status: dict[str, Any] = {"pid": 1}
        handlers: dict[str, Callable[..., dict[str, Any]]] = {
            "status": lambda: self.status,
            "counts": lambda: {
                "hearing_windows_total": {"marsh:out_1": 5},
                "asking_spooled_windows": 3,
                "detections_by_class_total": {"birds": 2, "rain": 1},
                "detections_by_channel_total": {"marsh:out_1": 2, "other": 1},
                "output_delivered_total": {"barn": 4},
                "clips_skipped": {"rate": 6},
            },
            "classes": lambda: {"generation": 3, "classes": self.classes},
        }
        self._server = ControlServer(home, handlers, self.events, endpoint=ANALYZER)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()

    def wait_followed(self) -> None:
        """Until somebody listens to its events."""
        wait_for(lambda: self.events.listeners > 0, "the analyzer's events are followed")

    def tell_windows(self, windows: Sequence[Mapping[str, Any]]) -> None:
        """Tell what was heard in one moment."""
        self.events.publish(RESULTS, windows=list(windows))

    def tell_detection(self, detection: Detection) -> None:
        """Tell a detection."""
        self.events.publish(DETECTION, **detection_as_told(detection))


def told_window(
    channel: str = "marsh:out_1",
    after_s: float = 0.0,
    heard: str = "birds-american_crow",
    scores: Sequence[float] = (0.8, 0.7, 0.1),
    *,
    start: datetime = MORNING,
    late: bool = False,
) -> dict[str, Any]:
    """A window as the real analyzer would tell it; it starts ``after_s`` seconds after ``start``."""
    source, number = split_channel(channel)
    begin = start + timedelta(seconds=after_s)
    run = Run(source, round(begin.timestamp() * 1_000_000) * 1000, _GEOMETRY)
    result = WindowResult(
        key=WindowKey(run, number, 0, 0.0),
        generation=3,
        answer=Answer(heard, 0.7),
        paths=CLASSES,
        scores=np.array(scores, np.float32),
        embedding=None,
        level_dbfs=-31.5,
        was_spooled=late,
    )
    return window_as_told(result)
