"""Rules, detections, moments and clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from streamer.analyzer.alerts import Alert, AlertRule, Alerts, ChannelState
from streamer.analyzer.windows import Geometry, Moment, Run, WindowKey
from tidzam_platform.analyzer_sections import OutputsSettings
from tidzam_platform.detections.detection import Detection

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
RATE_HZ = 1000
RUN = Run("pen", 0, Geometry(RATE_HZ, RATE_HZ, RATE_HZ // 2))


def detection(at_s: float, number: int = 0, **more: Any) -> Detection:
    """A fox ``at_s`` after noon."""
    start = NOON + timedelta(seconds=at_s)
    given: dict[str, Any] = {
        "id": f"{number}-{at_s}",
        "generation": 1,
        "channel": "pen:out_1",
        "start": start,
        "end": start + timedelta(seconds=1),
        "class_path": "mammals-fox",
        "score": 0.9,
    }
    return Detection(**given | more)


def rule(**more: Any) -> AlertRule:
    """About foxes, unless it is about microphones."""
    about = {} if "microphone" in more or "class" in more else {"class": "mammals-fox"}
    return AlertRule.model_validate({"name": "fox", **about, **more})


class Clock:
    """Both clocks: seconds from noon."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def utc(self) -> datetime:
        return NOON + timedelta(seconds=self.now_s)

    def monotonic(self) -> float:
        return self.now_s


class Site:
    """Alerts with clocks that stand until they are moved.

    Attributes:
        alerts: not started: ``pass_time`` looks at the microphones.
        told: all alerts.
        states: all changes of conditions.
    """

    def __init__(self, folder: Path, text: str = "", **settings: Any) -> None:
        file = folder / "alerts.toml"
        file.write_text(text)
        self.clock = Clock()
        self.told: list[Alert] = []
        self.states: list[ChannelState] = []
        self.alerts = Alerts(
            OutputsSettings(alerts_file=file, **settings),
            folder,
            self.told.append,
            on_state=self.states.append,
            utc=self.clock.utc,
            monotonic=self.clock.monotonic,
        )

    def pass_time(self, seconds: float, sounds: dict[int, str] | None = None, source: str = "pen") -> None:
        """Half a second at a time; channels (numbers) give ``sound``, ``zeros`` or ``clipped`` windows meanwhile."""
        for _ in range(round(seconds * 2)):
            self.clock.now_s += 0.5
            if sounds:
                self.alerts.hear(moment(sounds, source))
            self.alerts.look()

    def texts(self) -> list[str]:
        return [alert.text for alert in self.told]


def moment(sounds: dict[int, str], source: str = "pen") -> Moment:
    run = Run(source, 0, RUN.geometry)
    keys = tuple(WindowKey(run, number, 0, 0.0) for number in sounds)
    return Moment(keys, np.stack([audio(kind) for kind in sounds.values()]))


def audio(kind: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    tone = np.sin(np.arange(RATE_HZ) * 0.3).astype(np.float32)
    made = {"sound": 0.1 * tone, "zeros": np.zeros(RATE_HZ, np.float32), "clipped": np.clip(3 * tone, -1, 1)}
    return np.asarray(made[kind], np.float32)
