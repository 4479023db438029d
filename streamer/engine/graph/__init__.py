"""The audio graph: carries samples from source rings to channel rings. docs/audio_graph.md tells how.

::

    with contextlib.closing(open_graph(settings.graph, settings.home)) as graph:   # JACK, or a graph of our own
        source = graph.open_source("marsh", ring)             # client marsh with ports marsh:out_1, ...
        inputs = graph.open_inputs(ANALYZER, rings)           # client analyzer
        bound = inputs.bind(slot)                             # port analyzer:input_<slot + 1>; bound.since_frame
        graph.connect(source.ports[0], bound.port)
        streams = graph.open_bundle(LIVE_STREAMS, size)       # ports that come and go: streams.add(number, ring)
        source.close()                                        # before its ring is closed
"""

from streamer.engine.graph.choosing import open_graph
from streamer.engine.graph.clock_graph import ClockGraph
from streamer.engine.graph.interface import (
    AudioGraph,
    BoundSlot,
    Connection,
    GraphBundle,
    GraphInputs,
    GraphSource,
    PortKind,
    input_port,
    output_port,
    valid_source_client,
)
from streamer.engine.graph.jack_graph import JackGraph
from streamer.engine.graph.jackd import Jackd, server_name
from streamer.engine.graph.keeper import GraphKeeper
from streamer.engine.reserved_names import ANALYZER, LIVE_STREAMS, RESERVED_NAMES

__all__ = [
    "ANALYZER",
    "LIVE_STREAMS",
    "RESERVED_NAMES",
    "AudioGraph",
    "BoundSlot",
    "ClockGraph",
    "Connection",
    "GraphBundle",
    "GraphInputs",
    "GraphKeeper",
    "GraphSource",
    "JackGraph",
    "Jackd",
    "PortKind",
    "input_port",
    "open_graph",
    "output_port",
    "server_name",
    "valid_source_client",
]
