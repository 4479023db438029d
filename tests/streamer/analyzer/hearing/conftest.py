"""A small engine, and a hearer that looks when a test says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamer.analyzer.hearing import AudioHistory, Hearer
from streamer.analyzer.windows import Geometry
from tests.streamer.analyzer.hearing.small_engine import Listener, SmallEngine
from tidzam_platform.analyzer_sections import AnalyzerSettings

GEOMETRY = Geometry(48_000, 1000, 400)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[SmallEngine]:
    with SmallEngine(tmp_path) as made:
        yield made


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def hear(tmp_path: Path, listener: Listener) -> Iterator[Callable[..., Hearer]]:
    """A hearer of the small engine; it hears nothing before ``look``."""
    made: list[Hearer] = []

    def new(
        *channels: str, geometry: Geometry | None = GEOMETRY, history: AudioHistory | None = None
    ) -> Hearer:
        hearer = Hearer(
            tmp_path,
            AnalyzerSettings(channels=channels or ("*",)),
            listener.on_moment,
            history,
            on_run_end=listener.on_run_end,
        )
        if geometry is not None:
            hearer.set_geometry(geometry)
        made.append(hearer)
        return hearer

    yield new
    for hearer in made:
        hearer.end()
