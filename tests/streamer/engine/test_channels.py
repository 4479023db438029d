"""Channels find a slot, other processes find the channel, and levels tell what sounds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from streamer.engine.channels import ChannelTable
from streamer.engine.graph import ANALYZER, ClockGraph, GraphSource
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
