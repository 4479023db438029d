"""Whatever happens to sources, graph and hearer: every window is right, on the grid, once, and none is missing."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.analyzer.hearing import Hearer
from streamer.analyzer.windows import Geometry
from tests.streamer.analyzer.hearing.small_engine import (
    Listener,
    SmallEngine,
    SmallSource,
    expected_row,
    whole_windows,
)
from tidzam_platform.analyzer_sections import AnalyzerSettings

NAMES = ("marsh", "pond", "lake")
MOST_CYCLE = 2048

geometries = st.tuples(st.integers(200, 1800), st.integers(100, 1200)).map(
    lambda sizes: Geometry(48_000, *sizes)
)
names = st.sampled_from(NAMES)
flow = st.tuples(st.just("flow"), st.integers(1, MOST_CYCLE), st.integers(1, 5))
steps = st.one_of(
    flow,
    flow,
    flow,
    flow,
    st.tuples(st.just("write"), names, st.integers(1, 5000)),
    st.tuples(st.just("cycle"), st.integers(1, MOST_CYCLE)),
    st.tuples(st.just("miss"), st.integers(1, MOST_CYCLE)),
    st.tuples(st.just("look")),
    st.tuples(st.just("look")),
    st.tuples(st.just("anchor"), names),
    st.tuples(st.just("seek"), names),
    st.tuples(st.just("pause"), names, st.sampled_from([True, True, False])),
    st.tuples(st.just("add"), names, st.integers(1, 4)),
    st.tuples(st.just("remove"), names),
)


class Site:
    """A small engine and a hearer, told step by step what happens."""

    def __init__(self, home: Path, geometry: Geometry) -> None:
        self.engine = SmallEngine(home)
        self.listener = Listener()
        self.geometry = geometry
        self.hearer = Hearer(
            home, AnalyzerSettings(), self.listener.on_moment, on_run_end=self.listener.on_run_end
        )
        self.hearer.set_geometry(geometry)
        self.look()

    def look(self) -> None:
        self.hearer.look()
        self.engine.note_look()
        self.looked_frame = self.engine.rings.written_frames

    def look_in_a_while(self) -> None:
        """What is no window yet is read after half a second, or an eighth of the rings, at the latest."""
        self.look()
        for _ in range(3):
            self.engine.cycle(MOST_CYCLE)
        self.look()

    def do(self, step: tuple[str, ...]) -> None:
        match step:
            case ("look",):
                self.look()
            case "flow", int(frames), int(count):
                for _ in range(count):
                    self._write_to_all(frames)
                    self.engine.cycle(frames)
            case "cycle", int(frames):
                self.engine.cycle(frames)
            case "miss", int(frames):
                self._write_to_all(frames)
                self.engine.cycle(frames, recorded=False)
            case "add", str(name), int(channels) if name not in self.engine.sources:
                self.engine.add(name, channels)
            case what, str(name), *more if name in self.engine.sources:
                self._do_to(what, name, more)

    def _write_to_all(self, frames: int) -> None:
        for name in self.engine.sources:
            self.engine.write(name, frames)

    def _do_to(self, what: str, name: str, more: list[object]) -> None:
        match what, *more:
            case "write", int(frames):
                self.engine.write(name, frames)
            case ("anchor",):
                self.engine.anchor(name)
            case ("seek",):
                self.engine.seek(name)
            case "pause", bool(playing):
                self.engine.sources[name].ring.playing = playing
            case ("remove",):
                self.engine.remove(name)

    def close(self) -> None:
        self.hearer.end()
        self.engine.__exit__()

    def sources(self) -> list[SmallSource]:
        return [*self.engine.sources.values(), *self.engine.gone]

    def source_of(self, name: str, utc_ns: int) -> SmallSource:
        (source,) = [one for one in self.sources() if one.name == name and utc_ns in one.anchors.values()]
        return source

    def heard(self, source: SmallSource) -> Counter[tuple[int, int]]:
        """How many channels of each window came; every one was what it should be."""
        found: Counter[tuple[int, int]] = Counter()
        longest = dict.fromkeys(source.anchors.values(), self.geometry.window_frames)
        frames = [*sorted(source.anchors), source.ring.written_frames]
        for at, end in pairwise(frames):
            longest[source.anchors[at]] = min(end - at, self.geometry.window_frames)
        for key, row in self.listener.windows.items():
            if key.run.source == source.name and key.run.anchor_utc_ns in source.anchors.values():
                assert key.start_frame % self.geometry.hop_frames == 0
                expected = expected_row(source, key, longest[key.run.anchor_utc_ns])
                np.testing.assert_array_equal(row, expected)
                found[key.run.anchor_utc_ns, key.start_frame] += 1
        return found


@settings(max_examples=80, deadline=None)
@given(geometry=geometries, script=st.lists(steps, min_size=25, max_size=60))
def test_every_whole_window_comes_once_and_is_what_the_source_gave(
    tmp_path_factory: pytest.TempPathFactory, geometry: Geometry, script: list[tuple[str, ...]]
) -> None:
    site = Site(tmp_path_factory.mktemp("home"), geometry)
    try:
        for name in NAMES[:2]:
            site.do(("add", name, 2))
        for step in script:
            # It is never so late that the rings overwrite something: that is another test.
            if site.engine.rings.written_frames - site.looked_frame > 5 * MOST_CYCLE:
                site.look()
            site.do(step)
        site.look_in_a_while()
        window, hop = geometry.window_frames, geometry.hop_frames
        for source in site.sources():
            must = whole_windows(source, window, hop, source.seen_frame)
            heard = site.heard(source)
            assert all(heard[key] == source.channels for key in must), "each whole window, in each channel"
            if not source.removed:
                assert set(heard) == set(must)
        assert site.hearer.counts()["lost_frames"] == 0
        assert site.hearer.counts()["windows"] == len(site.listener.windows)
    finally:
        site.close()


@settings(max_examples=60, deadline=None)
@given(
    geometry=geometries,
    script=st.lists(
        st.one_of(
            st.tuples(st.just("flow"), st.integers(1, MOST_CYCLE), st.integers(1, 20)),
            st.tuples(st.just("look")),
            st.tuples(st.just("anchor"), st.just("marsh")),
            st.tuples(st.just("miss"), st.integers(1, MOST_CYCLE)),
        ),
        min_size=3,
        max_size=30,
    ),
)
def test_each_window_that_should_be_is_heard_or_counted_as_left_out(
    tmp_path_factory: pytest.TempPathFactory, geometry: Geometry, script: list[tuple[str, ...]]
) -> None:
    """The hearer may be so late that rings and tables are overwritten many times."""
    site = Site(tmp_path_factory.mktemp("home"), geometry)
    window, hop = geometry.window_frames, geometry.hop_frames
    try:
        source = site.engine.add("marsh", 2)
        site.engine.play("marsh", 1)  # it is heard from its first sample on
        site.look()
        for step in script:
            site.do(step)
        site.engine.play("marsh", 5000)
        site.engine.anchor("marsh")
        site.engine.play("marsh", 5000)
        site.look_in_a_while()
        heard = site.heard(source)
        left_out = sum(site.hearer.counts()["windows_left_out"].values())
        frames = sorted(source.anchors)
        runs = list(zip(frames, [*frames[1:], source.ring.written_frames], strict=True))
        should = [
            (source.anchors[at], start)
            for at, end in runs
            for start in range(
                0, max(end - at - window, 0 if end < source.ring.written_frames else -1) + 1, hop
            )
        ]
        assert len(heard) <= len(set(should))
        assert set(heard) <= set(should)
        assert len(heard) * 2 + left_out == len(should) * 2
    finally:
        site.close()
