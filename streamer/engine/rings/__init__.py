"""Rings of samples in shared memory: from sources to the graph, and from the graph to readers in any process.

::

    with RingFolder(home) as folder:                          # the engine; one a home
        ring = SourceRing.create(folder, "marsh", channels=2, seconds=4)   # its feeder thread:
        ring.set_anchor(utc_ns)                               # the next frame written is of this time
        ring.room()                                           # frames that may be written now
        ring.write(data)                -> frames written     # float32 [frames, channels]; drop=True counts the rest
        ring.write_view(max_frames), ring.commit(frames)      # zero copy: fill the array, then commit
        ring.byte_view(), ring.commit_bytes(count)            # the same for readinto() from a pipe of f32le
        ring.fill_from(descriptor, wait_s) -> Fill(frames, ended)   # reads a pipe without Python's lock
        ring.playing = True                                   # off: silence that is not counted as underflow
        ring.flush(); ring.finish()                           # skip what is not played yet (seek); play out and end
        ring.written_frames, .played_frames, .waiting_frames, .underflow_frames, .overflow_frames, .counts()
        ring.utc_ns_of(frame), .anchor_of(frame), .anchors_kept(), .segments_kept()

        rings = ChannelRings.create(folder, slots=256, seconds=10)         # written by the graph
        Directory.create(folder).write({...})                 # which channel is in which slot

    directory = Directory.open(home); directory.version; directory.read()  # any process
    rings = ChannelRings.open(directory.path.parent / name)
    ChannelReader(rings, slot).read(max_frames)      -> Samples(first_frame, data [frames], lost_frames)
    BlockReader(rings, slots).read(max_frames)       -> Samples(first_frame, data [slots, frames], lost_frames)
    SourceReader(ring).read(max_frames)              -> Samples(first_frame, data [frames, channels], lost_frames)
    source_pieces(first_frame, frames, rings.segments_kept(), ring.segments_kept()) -> [Piece(...)]

A reader never waits and never stops the writer: ``available`` says what there is, ``lost_frames`` what came too late.
Rate is 48,000 Hz everywhere. Frames of a source, of the channel rings and of JACK are three countings: see
docs/audio_graph.md.
"""

from streamer.engine.rings.channel_rings import ChannelRings
from streamer.engine.rings.directory import Directory
from streamer.engine.rings.folder import RingFolder, living_engine, ring_folder_of
from streamer.engine.rings.frames import (
    Anchor,
    ChannelSegment,
    Fill,
    Playing,
    Samples,
    Segment,
    SegmentKind,
    utc_ns_after,
)
from streamer.engine.rings.mapping import Piece, source_pieces
from streamer.engine.rings.readers import BlockReader, ChannelReader, SourceReader
from streamer.engine.rings.slots import SlotTable
from streamer.engine.rings.source_ring import RATE_HZ as ENGINE_RATE_HZ
from streamer.engine.rings.source_ring import SourceRing

__all__ = [
    "ENGINE_RATE_HZ",
    "Anchor",
    "BlockReader",
    "ChannelReader",
    "ChannelRings",
    "ChannelSegment",
    "Directory",
    "Fill",
    "Piece",
    "Playing",
    "RingFolder",
    "Samples",
    "Segment",
    "SegmentKind",
    "SlotTable",
    "SourceReader",
    "SourceRing",
    "living_engine",
    "ring_folder_of",
    "source_pieces",
    "utc_ns_after",
]
