"""The engine and its channels come and go; who is there is heard without a pause."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from streamer.analyzer.hearing import Hearer
from streamer.analyzer.windows import Geometry
from streamer.engine.rings import ENGINE_RATE_HZ, BlockReader, Samples
from tests.streamer.analyzer.hearing.conftest import GEOMETRY
from tests.streamer.analyzer.hearing.small_engine import NS_PER_S, Listener, SmallEngine, numbered
from tests.streamer.sources.clocks import Clock
from tidzam_platform.analyzer_sections import AnalyzerSettings
from tidzam_platform.clock import format_utc

Hear = Callable[..., Hearer]
WINDOW, HOP = GEOMETRY.window_frames, GEOMETRY.hop_frames


def starts(listener: Listener, channel: str) -> list[int]:
    return [start for _, start, _ in listener.of(channel)]


def grid(frames: int, first: int = 0) -> list[int]:
    """The windows of so many frames of a run, if it is heard from ``first`` on."""
    return [start for start in range(0, frames - WINDOW + 1, HOP) if start >= first]


def test_each_channel_gives_its_own_samples_on_the_grid(
    engine: SmallEngine, hear: Hear, listener: Listener
) -> None:
    hearer = hear()
    hearer.look()
    source = engine.add("marsh", 3)
    engine.play("marsh", 10_000, period=512)
    hearer.look()
    for number in (1, 2, 3):
        windows = listener.of(f"marsh:out_{number}")
        assert [start for _, start, _ in windows] == grid(10_000)
        for run, start, row in windows:
            assert run.anchor_utc_ns == source.anchors[0]
            assert run.time_of(0).timestamp() * NS_PER_S == pytest.approx(source.anchors[0])
            np.testing.assert_array_equal(row, numbered(source.serial, start, WINDOW, 3)[:, number - 1])
    assert not listener.ended
    status = hearer.status()
    assert status["channels"]["marsh:out_2"]["windows"] == len(grid(10_000))
    assert status["channels"]["marsh:out_2"]["heard"]
    assert status["channels"]["marsh:out_2"]["time"] == format_utc(
        run.time_zero + timedelta(seconds=10_000 / ENGINE_RATE_HZ)
    )
    assert status["engine"] == ""


def test_only_channels_that_are_described_are_heard(
    engine: SmallEngine, hear: Hear, listener: Listener
) -> None:
    hearer = hear("marsh:out_2", "pond:*")
    hearer.look()
    for name in ("marsh", "marsh-2", "pond"):
        engine.add(name, 3)
    for name in ("marsh", "marsh-2", "pond"):
        engine.play(name, 3000)
    hearer.look()
    heard = {key.channel for key in listener.windows}
    assert heard == {"marsh:out_2", "pond:out_1", "pond:out_2", "pond:out_3"}


def test_all_windows_of_a_moment_come_together(engine: SmallEngine, hear: Hear, listener: Listener) -> None:
    hearer = hear()
    hearer.look()
    for name in ("marsh", "pond", "lake"):
        engine.add(name, 4)
    for _ in range(2):
        for name in ("marsh", "pond", "lake"):
            engine.write(name, 1000)
        engine.cycle(1000)
        hearer.look()
    assert [len(moment.keys) for moment in listener.moments] == [12, 24]
    assert {key.start_frame for key in listener.moments[1].keys} == {400, 800}


def test_a_window_says_when_its_last_sample_came(engine: SmallEngine, hear: Hear, listener: Listener) -> None:
    hearer = hear()
    hearer.look()
    engine.add("marsh")
    engine.play("marsh", 3000)
    hearer.look()
    ended = {key.start_frame: key.ended_s for key in listener.windows}
    assert ended[400] - ended[0] == pytest.approx(HOP / ENGINE_RATE_HZ)
    assert ended[2000] - ended[0] == pytest.approx(2000 / ENGINE_RATE_HZ)


def test_nothing_is_heard_before_it_is_known_how_windows_are_cut(
    engine: SmallEngine, hear: Hear, listener: Listener
) -> None:
    hearer = hear(geometry=None)
    engine.add("marsh")
    engine.play("marsh", 3000)
    hearer.look()
    assert not hearer.status()["is_hearing"]
    assert hearer.status()["rate_hz"] is None
    hearer.set_geometry(GEOMETRY)
    hearer.look()
    engine.play("marsh", 3000)
    hearer.look()
    assert starts(listener, "marsh:out_1") == grid(6000, first=3000)


def test_another_geometry_begins_new_runs_on_the_same_anchor(
    engine: SmallEngine, hear: Hear, listener: Listener
) -> None:
    hearer = hear()
    hearer.look()
    source = engine.add("marsh")
    engine.play("marsh", 3100)
    hearer.look()
    (before,) = {key.run for key in listener.windows}
    other = Geometry(24_000, 700, 700)
    hearer.set_geometry(other)
    hearer.look()
    assert listener.ended == [(before, (1,))]
    engine.play("marsh", 7000)
    hearer.look()
    engine.play("marsh", 4000)  # a resampler lags behind
    hearer.look()
    after = [key for key in listener.windows if key.run != before]
    assert {key.run.geometry for key in after} == {other}
    assert {key.run.anchor_utc_ns for key in after} == {source.anchors[0]}
    assert [key.start_frame for key in after][:4] == [2100, 2800, 3500, 4200]
    assert hearer.counts()["windows_left_out"] == {"lost": 0, "missed": 0, "skipped": 0}


def test_a_source_that_joins_is_heard_from_its_first_sample_and_one_that_goes_to_its_last(
    engine: SmallEngine, hear: Hear, listener: Listener
) -> None:
    hearer = hear()
    hearer.look()
    engine.add("marsh", 2)
    for step in range(12):
        if step == 3:
            engine.add("pond", 2)
        if step == 8:
            engine.remove("pond")
        for name in list(engine.sources):
            assert engine.write(name, 900) == 900
        engine.cycle(900)
        if step % 5 == 0:
            hearer.look()
    hearer.look()
    for number in (1, 2):
        assert starts(listener, f"marsh:out_{number}") == grid(12 * 900), "nobody waits for the other"
        assert starts(listener, f"pond:out_{number}") == grid(5 * 900)
    assert [(run.source, numbers) for run, numbers in listener.ended] == [("pond", (1, 2))]
    assert not hearer.status()["channels"]["pond:out_1"]["heard"]


def test_a_channel_that_goes_alone_leaves_the_others_of_its_source(
    engine: SmallEngine, hear: Hear, listener: Listener
) -> None:
    hearer = hear()
    hearer.look()
    source = engine.add("marsh", 3)
    engine.play("marsh", 1500)
    hearer.look()
    engine.leave("marsh", 2)
    engine.play("marsh", 3000)
    hearer.look()
    assert starts(listener, "marsh:out_1") == starts(listener, "marsh:out_3") == grid(4500)
    assert starts(listener, "marsh:out_2") == grid(1500)
    (row,) = [row for _, start, row in listener.of("marsh:out_3") if start == 1200]
    np.testing.assert_array_equal(row, numbered(source.serial, 1200, WINDOW, 3)[:, 2])
    assert [numbers for _, numbers in listener.ended] == [(2,)]


def test_slots_that_are_given_to_others_are_theirs_from_then_on(
    engine: SmallEngine, hear: Hear, listener: Listener
) -> None:
    hearer = hear()
    hearer.look()
    for turn in range(12):  # all slots are used again and again
        name = f"marsh-{turn}"
        source = engine.add(name, 4)
        hearer.look()
        engine.play(name, 2000)
        if turn % 3:
            hearer.look()
        engine.remove(name)
        if not turn % 3:
            hearer.look()
        assert starts(listener, f"{name}:out_4") == grid(2000)
        np.testing.assert_array_equal(
            listener.of(f"{name}:out_4")[1][2], numbered(source.serial, HOP, WINDOW, 4)[:, 3]
        )
    assert sum(hearer.counts()["windows_left_out"].values()) == 0


def test_what_plays_already_is_heard_from_the_next_window_on(
    engine: SmallEngine, hear: Hear, listener: Listener
) -> None:
    engine.add("marsh")
    engine.add("pond", heard=False)
    for name in ("marsh", "pond"):
        engine.write(name, 5000)
    engine.cycle(1700)
    hearer = hear()
    hearer.look()
    engine.cycle(1700)
    engine.hear("pond")
    engine.cycle(1600)
    hearer.look()
    assert starts(listener, "marsh:out_1") == grid(5000, first=1700)
    assert starts(listener, "pond:out_1") == grid(5000, first=3400)
    assert sum(hearer.counts()["windows_left_out"].values()) == 0


def test_samples_of_a_slot_that_was_taken_away_while_it_played_are_not_believed(
    engine: SmallEngine, hear: Hear, listener: Listener
) -> None:
    """The slot is not written any more, the source plays on; what stands in the ring is of long ago."""
    hearer = hear()
    hearer.look()
    engine.add("marsh", 2)
    engine.play("marsh", 25_000)  # more than the rings hold
    hearer.look()
    lost = starts(listener, "marsh:out_1")
    engine.leave("marsh", 1)
    engine.leave("marsh", 2)
    engine.play("marsh", 3000)
    hearer.look()
    assert starts(listener, "marsh:out_1") == lost
    assert len(listener.ended) == 1


def test_a_source_whose_ring_is_replaced_begins_anew_in_the_same_slots(
    engine: SmallEngine, hear: Hear, listener: Listener
) -> None:
    hearer = hear()
    hearer.look()
    engine.add("marsh")
    engine.play("marsh", 2000)
    hearer.look()
    old = engine.sources["marsh"]
    new = engine.add("marsh")
    engine.play("marsh", 2000)
    hearer.look()
    runs = [run.anchor_utc_ns for run, _, _ in listener.of("marsh:out_1")]
    assert runs == [old.anchors[0]] * len(grid(2000)) + [new.anchors[0]] * len(grid(2000))
    old.ring.close()


@pytest.mark.parametrize(("unplayed", "expected"), [(0, [0]), (1, [])])
def test_a_source_that_was_shorter_than_a_window_gives_one_if_it_was_played_to_its_end(
    engine: SmallEngine, hear: Hear, listener: Listener, unplayed: int, expected: list[int]
) -> None:
    hearer = hear()
    hearer.look()
    source = engine.add("marsh")
    hearer.look()
    engine.play("marsh", 700)
    engine.write("marsh", unplayed)
    hearer.look()
    engine.remove("marsh")
    hearer.look()
    assert starts(listener, "marsh:out_1") == expected
    for _, _, row in listener.of("marsh:out_1"):
        np.testing.assert_array_equal(row[:700], numbered(source.serial, 0, 700, 1)[:, 0])
        assert not row[700:].any()
    assert len(listener.ended) == 1


def test_a_slot_without_its_ring_is_not_taken_for_one_that_never_had_one(
    engine: SmallEngine, listener: Listener, tmp_path: Path
) -> None:
    clock = Clock()
    hearer = Hearer(
        tmp_path,
        AnalyzerSettings(),
        listener.on_moment,
        on_run_end=listener.on_run_end,
        monotonic=clock.monotonic,
    )
    hearer.set_geometry(GEOMETRY)
    hearer.look()
    engine.add("marsh")
    engine.play("marsh", 2000)
    hearer.look()
    source = engine.sources.pop("marsh")
    engine.publish()
    for _ in range(4):
        clock.pass_s(1)
        engine.cycle(2000)
        hearer.look()
    assert starts(listener, "marsh:out_1") == grid(2000)
    assert len(listener.ended) == 1
    source.ring.close()
    hearer.end()


def test_what_was_copied_while_the_channels_changed_is_read_again(
    engine: SmallEngine, hear: Hear, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    hearer = hear()
    hearer.look()
    engine.add("marsh", 2)
    engine.play("marsh", 5000)
    read = BlockReader.read
    changes: list[int] = []

    def read_and_change(reader: BlockReader, max_frames: int) -> Samples:
        samples = read(reader, max_frames)
        if len(changes) < 3:
            changes.append(1)
            engine.add(f"pond-{len(changes)}")
        return samples

    monkeypatch.setattr(BlockReader, "read", read_and_change)
    hearer.look()
    assert len(changes) == 3
    assert starts(listener, "marsh:out_1") == starts(listener, "marsh:out_2") == grid(5000)


def test_samples_of_which_nobody_knows_any_more_what_they_were_are_lost(
    engine: SmallEngine, hear: Hear, listener: Listener
) -> None:
    """The table of a source holds 1024 changes; a source that dribbles makes one with each cycle."""
    hearer = hear()
    hearer.look()
    source = engine.add("marsh")
    engine.play("marsh", 3000)
    hearer.look()
    for _ in range(600):
        engine.write("marsh", 15)
        engine.cycle(15)
        engine.cycle(15)
    engine.play("marsh", 3000)
    hearer.look()
    counts = hearer.counts()
    assert counts["lost_frames"] == 0, "they are in the rings"
    assert counts["windows_left_out"]["lost"] > 0
    assert counts["windows_left_out"]["lost"] + counts["windows"] == len(grid(15_000))
    for _, start, row in listener.of("marsh:out_1"):
        np.testing.assert_array_equal(row, numbered(source.serial, start, WINDOW, 1)[:, 0])
