"""Windows, rules and audio made for tests of the recorder."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from streamer.analyzer.hearing.history import AudioHistory
from streamer.analyzer.windows import Geometry, Run, WindowKey, WindowResult
from tidzam_platform.classifiers.decision import Answer
from tidzam_platform.clips.rules import RecorderRuleSpec
from tidzam_platform.clips.rules_store import StoredRule

NOON_NS = 1_775_044_800_000_000_000  # 2026-04-01T12:00:00Z
RATE_HZ = 48_000
GEOMETRY = Geometry(RATE_HZ, RATE_HZ, RATE_HZ // 2)  # 1 s, every half
PATHS = ("birds", "birds-robin", "birds-crow", "rain", "human", "human-speech")
LEAVES = ("birds-robin", "birds-crow", "rain", "human-speech")


def rule(rule_id: int = 1, **spec: object) -> StoredRule:
    """A rule that no catalog knows."""
    return StoredRule(rule_id, RecorderRuleSpec.parse(spec), "ann", datetime(2026, 1, 1, tzinfo=UTC), None)


def run(source: str = "marsh", *, geometry: Geometry = GEOMETRY, later_s: float = 0) -> Run:
    return Run(source, NOON_NS + round(later_s * 1e9), geometry)


def window(
    number: int,
    answer: str = "birds-robin",
    score: float = 0.9,
    *,
    scores: Mapping[str, float] | None = None,
    channel: int = 1,
    of: Run | None = None,
    embedding: NDArray[np.float32] | None = None,
    generation: int = 1,
    ended_s: float | None = None,
) -> WindowResult:
    """The ``number``-th window of a channel: its answer has ``score``, the classes above it too, others ``scores``."""
    of = of or run()
    known = {answer: score, **({"birds": score} if answer.startswith("birds-") else {}), **(scores or {})}
    return WindowResult(
        key=WindowKey(
            of, channel, number * of.geometry.hop_frames, time.monotonic() if ended_s is None else ended_s
        ),
        generation=generation,
        answer=Answer(answer, score),
        paths=PATHS,
        scores=np.array([known.get(path, 0.01) for path in PATHS], np.float32),
        embedding=embedding,
        level_dbfs=-30.0,
        was_spooled=False,
    )


def sound(seconds: float, seed: int = 1) -> NDArray[np.int16]:
    """Noise, int16 ``[frames]`` at 48 kHz."""
    return np.random.default_rng(seed).integers(-20000, 20000, round(seconds * RATE_HZ)).astype(np.int16)


def hear(
    history: AudioHistory,
    samples: NDArray[np.int16],
    *,
    frame: int = 0,
    channel: int = 1,
    of: Run | None = None,
) -> None:
    """Let the history hear samples of a channel, from ``frame`` of the run on."""
    of = of or run()
    history.append(of.source, [channel], of.anchor_utc_ns, frame, (samples / np.float32(32768))[np.newaxis])


def history_of(samples: NDArray[np.int16], *, seconds: float = 200) -> AudioHistory:
    """A history that has heard channel 1 of the marsh."""
    history = AudioHistory(500_000_000)
    history.set_seconds(seconds)
    hear(history, samples)
    return history
