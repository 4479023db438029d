"""Channels find a slot, other processes find the channel, and levels tell what sounds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from streamer.engine.channels import Channel, ChannelTable
from streamer.engine.graph import ANALYZER, ClockGraph, GraphSource
from streamer.engine.graph.clock_graph import ClockClient
from streamer.engine.metering import Metering
from streamer.engine.mixer import Mixer
from streamer.engine.rings import ChannelReader, ChannelRings, Directory, RingFolder, SourceRing
from streamer.engine.sources.specification import SourceSpecification
from tidzam_platform.streamer_sections import MixerSettings

CYCLE = 1024
SLOTS = 3


class Bench:
    """A graph that only moves when it is told to, with a table of its channels."""

    def __init__(self, home: Path, contexts: contextlib.ExitStack) -> None:
        self.home, self._contexts = home, contexts
        self.folder = contexts.enter_context(RingFolder(home))
        self.graph = contexts.enter_context(ClockGraph(period_frames=CYCLE, paced=False))
        self.rings = contexts.enter_context(ChannelRings.create(self.folder, SLOTS, 4.0))
        self.inputs = self.graph.open_inputs(ANALYZER, self.rings)
        contexts.callback(self.inputs.close)
        directory = contexts.enter_context(Directory.create(self.folder))
        self.changes = 0
        self.table = ChannelTable(self.graph, self.inputs, self.rings, directory, self._changed)

    def _changed(self) -> None:
        self.changes += 1

    def add(self, name: str, channels: int) -> tuple[SourceRing, GraphSource]:
        ring = self._contexts.enter_context(SourceRing.create(self.folder, name, channels, seconds=2.0))
        client = self.graph.open_source(name, ring)
        self._contexts.callback(client.close)
        self.table.ring_opened(name, ring)
        self.table.ports_changed(name, client.ports, specification(name))
        ring.playing = True
        return ring, client

    def play(self, ring: SourceRing, cycles: int = 1) -> None:
        """Channel n of the source sounds at n tenths of full scale."""
        levels = np.arange(1, ring.channels + 1, dtype=np.float32) / 10
        for _ in range(cycles):
            ring.write(np.tile(levels, (CYCLE, 1)))
            self.graph.step(1)

    def heard(self) -> dict[str, float]:
        """What another process finds in the last frame of each channel that is recorded."""
        with Directory.open(self.home) as directory:
            slots = {entry["channel"]: entry["slot"] for entry in directory.read()["slots"]}
        last = (self.rings.written_frames - 1) % self.rings.capacity_frames
        return {name: round(float(self.rings.data[slot, last]), 3) for name, slot in slots.items()}

    def find(self, name: str) -> Channel:
        channel = self.table.find(name)
        assert channel is not None
        return channel


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.monotonic_s = 1000.0
        self._began = datetime(2026, 11, 22, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.monotonic_s

    def utc(self) -> datetime:
        return self._began + timedelta(seconds=self.monotonic_s)


def specification(name: str) -> SourceSpecification:
    return SourceSpecification(name=name, live=True)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with contextlib.ExitStack() as contexts:
        yield Bench(tmp_path, contexts)


def test_another_process_finds_each_channel_and_hears_it(bench: Bench) -> None:
    ring, _ = bench.add("pond", 2)
    assert bench.changes == 1
    assert [channel.name for channel in bench.table.list()] == ["pond:out_1", "pond:out_2"]
    with Directory.open(bench.home) as directory:
        document = directory.read()
        assert document["sources"] == {"pond": {"file": ring.path.name, "channels": 2}}
        rings = ChannelRings.open(directory.path.parent / document["channel_rings"])
    with rings:
        readers = {
            entry["channel"]: ChannelReader(rings, entry["slot"], first_frame=entry["since_frame"])
            for entry in document["slots"]
        }
        ring.write(np.array([[0.25, -0.5]] * CYCLE, np.float32))
        bench.graph.step(1)
        for name, value in (("pond:out_1", 0.25), ("pond:out_2", -0.5)):
            samples = readers[name].read(10 * CYCLE)
            assert (samples.data[-CYCLE:] == value).all()


def test_a_source_that_comes_back_with_fewer_channels_gives_its_slots_back(bench: Bench) -> None:
    bench.add("pond", 3)
    _, marsh = bench.add("marsh", 1)
    (unheard,) = [channel for channel in bench.table.list() if channel.source == "marsh"]
    assert not unheard.is_recorded, "there is no slot left"
    bench.table.ports_changed("pond", ("pond:out_1",), specification("pond"))
    bench.table.ports_changed("marsh", marsh.ports, specification("marsh"))
    assert {channel.name: channel.is_recorded for channel in bench.table.list()} == {
        "marsh:out_1": True,
        "pond:out_1": True,
    }
    bench.table.ports_changed("pond", (), specification("pond"))
    assert [channel.name for channel in bench.table.list()] == ["marsh:out_1"]
    with Directory.open(bench.home) as directory:
        assert [entry["channel"] for entry in directory.read()["slots"]] == ["marsh:out_1"]
    assert len(bench.graph.connections()) == 1


def test_a_channel_without_a_slot_gets_one_when_another_channel_goes(bench: Bench) -> None:
    bench.add("pond", 3)
    marsh, _ = bench.add("marsh", 1)
    bench.add("lake", 1)
    assert "raise graph.max_channels" in bench.find("marsh:out_1").unrecorded_because
    changes = bench.changes
    bench.table.ports_changed("pond", ("pond:out_1", "pond:out_2"), specification("pond"))
    assert bench.find("marsh:out_1").is_recorded, "who waited longest comes first"
    assert bench.find("marsh:out_1").unrecorded_because == ""
    assert not bench.find("lake:out_1").is_recorded
    assert bench.changes == changes + 1
    bench.play(marsh)
    assert bench.heard() == {"pond:out_1": 0.0, "pond:out_2": 0.0, "marsh:out_1": 0.1}
    bench.table.ports_changed("pond", (), specification("pond"))
    assert bench.heard() == {"marsh:out_1": 0.1, "lake:out_1": 0.0}


def test_a_slot_that_the_graph_does_not_let_go_is_not_lost(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    pond, _ = bench.add("pond", SLOTS)
    with monkeypatch.context() as hanging:  # it should call its clients, and does not
        hanging.setattr(ClockClient, "is_called", lambda _client: True)
        hanging.setattr("streamer.engine.graph.clients._SETTLE_S", 0.02)
        bench.table.ports_changed("pond", (), specification("pond"))
    assert bench.table.list() == []
    assert bench.heard() == {}
    marsh, _ = bench.add("marsh", SLOTS)
    assert all(channel.is_recorded for channel in bench.table.list())
    pond.write(np.ones((CYCLE, SLOTS), np.float32))  # its ports are there still
    bench.play(marsh)
    assert bench.heard() == {"marsh:out_1": 0.1, "marsh:out_2": 0.2, "marsh:out_3": 0.3}


def test_what_the_graph_refused_says_so_takes_no_slot_and_is_tried_again(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    with contextlib.closing(Mixer(MixerSettings(), bench.home)) as mixer:
        metering = Metering(bench.table, bench.rings, mixer, monotonic=clock.monotonic)
        bench.table.ports_changed("pond", ("pond:out_1",), specification("pond"))
        assert "no port pond:out_1" in bench.find("pond:out_1").unrecorded_because
        bench.add("marsh", SLOTS - 1)
        for _ in range(3):
            bench.table.try_again()
        assert len([record for record in caplog.records if "pond:out_1" in record.message]) == 1
        ring = SourceRing.create(bench.folder, "pond", 1, seconds=2.0)
        with ring, contextlib.closing(bench.graph.open_source("pond", ring)):
            ring.playing = True
            metering._look()
            assert not bench.find("pond:out_1").is_recorded
            changes, clock.monotonic_s = bench.changes, clock.monotonic_s + 10
            metering._look()
            assert bench.find("pond:out_1").is_recorded
            assert bench.changes == changes + 1
            bench.play(ring)
            assert bench.heard()["pond:out_1"] == 0.1


def test_nothing_sounds_while_the_graph_stands_still_and_why_is_said(bench: Bench) -> None:
    clock, reasons = Clock(), [""]
    ring, _ = bench.add("pond", 1)
    with contextlib.closing(Mixer(MixerSettings(), bench.home)) as mixer:
        metering = Metering(
            bench.table,
            bench.rings,
            mixer,
            why_lost=lambda: reasons[0],
            utc=clock.utc,
            monotonic=clock.monotonic,
        )
        metering._look()
        bench.play(ring, 25)
        clock.monotonic_s += 0.5
        metering._look()
        last_window = clock.utc()
        bench.play(ring, 1)  # less than a window
        clock.monotonic_s += 1.9
        metering._look()
        sound = metering.sound_of("pond:out_1")
        assert sound is not None
        assert sound.sounding, "it may be late"
        clock.monotonic_s += 0.2
        metering._look()
        sound = metering.sound_of("pond:out_1")
        assert sound is not None
        assert (sound.sounding, sound.meters, sound.since) == (False, None, last_window)
        assert "given nothing for 2 s" in sound.lost_because
        reasons[0] = "jackd was killed"
        bench.add("marsh", 1)
        clock.monotonic_s += 10
        metering._look()
        pond, marsh = metering.sound_of("pond:out_1"), metering.sound_of("marsh:out_1")
        assert pond is not None
        assert marsh is not None
        assert (pond.lost_because, pond.since) == ("jackd was killed", last_window)
        assert (marsh.lost_because, marsh.since) == ("jackd was killed", clock.utc())
        bench.play(ring, 25)
        metering._look()
        pond, marsh = metering.sound_of("pond:out_1"), metering.sound_of("marsh:out_1")
        assert pond is not None
        assert marsh is not None
        assert (pond.sounding, pond.lost_because, pond.since) == (True, "", clock.utc())
        assert (marsh.sounding, marsh.lost_because) == (False, ""), "exact zeros"


def test_channels_that_come_and_go_are_no_sign_that_the_graph_stands_still(bench: Bench) -> None:
    clock = Clock()
    ring, _ = bench.add("pond", 1)
    _, marsh = bench.add("marsh", 1)
    with contextlib.closing(Mixer(MixerSettings(), bench.home)) as mixer:
        metering = Metering(bench.table, bench.rings, mixer, monotonic=clock.monotonic)
        metering._look()
        bench.play(ring, 25)
        metering._look()
        for turn in range(20):  # each change begins reading anew, before a window is whole
            ports = marsh.ports if turn % 2 else ()
            bench.table.ports_changed("marsh", ports, specification("marsh"))
            bench.play(ring, 10)
            clock.monotonic_s += 0.2
            metering._look()
            sound = metering.sound_of("pond:out_1")
            assert sound is not None
            assert sound.sounding


def test_meters_tell_what_sounds_and_since_when(bench: Bench, tmp_path: Path) -> None:
    ring, _ = bench.add("pond", 2)
    mixer = Mixer(MixerSettings(), tmp_path)
    metering = Metering(bench.table, bench.rings, mixer)
    assert metering.sound_of("pond:out_1") is None
    metering._look()
    sounding = np.zeros((CYCLE, 2), np.float32)
    sounding[:, 0] = 0.1
    for _ in range(25):
        ring.write(sounding)
        bench.graph.step(1)
    metering._look()
    loud, dead = metering.sound_of("pond:out_1"), metering.sound_of("pond:out_2")
    assert loud is not None
    assert dead is not None
    assert loud.sounding
    assert not dead.sounding
    assert loud.meters is not None
    assert loud.meters.rms_dbfs == pytest.approx(-20, abs=0.1)
    began = loud.since
    for _ in range(25):
        ring.write(sounding[:, ::-1].copy())
        bench.graph.step(1)
    metering._look()
    quiet = metering.sound_of("pond:out_1")
    assert quiet is not None
    assert not quiet.sounding
    assert quiet.since >= began
    bench.table.ports_changed("pond", (), specification("pond"))
    metering._look()
    assert metering.sound_of("pond:out_1") is None


def test_what_the_analyzer_heard_reaches_the_rules_of_the_mixer(bench: Bench, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(
        '[[rule]]\nname = "speech"\nmeasure = "class"\nclass = "human"\nabove = 0.5\nbelow = 0.3\nfor_s = 0\n'
        "mute = true\n"
    )
    ring, _ = bench.add("pond", 2)
    with contextlib.closing(Mixer(MixerSettings(policy_file=rules), tmp_path)) as mixer:
        assert mixer.class_paths == {"human"}
        metering = Metering(bench.table, bench.rings, mixer)
        metering._look()
        for score in (0.2, 0.9):
            bench.play(ring, 25)
            metering.note_heard({"pond:out_1": {"human-speech": score}})
            metering._look()
            assert mixer.channel("pond:out_1").mute is (score > 0.5)
            assert not mixer.channel("pond:out_2").mute


def test_ports_that_the_graph_had_already_are_channels_of_the_source_that_names_them(bench: Bench) -> None:
    ring, client = bench.add("pond", 2)
    bench.table.ports_changed("card", (client.ports[1],), specification("card"))
    bench.play(ring, 2)
    assert bench.heard() == {"pond:out_1": 0.1, "pond:out_2": 0.2, "card:out_1": 0.2}
    assert bench.find("card:out_1").port == "pond:out_2"
    bench.table.ports_changed("card", (), specification("card"))
    assert set(bench.heard()) == {"pond:out_1", "pond:out_2"}
