"""What carries audio from sources to inputs: one interface over JACK and over a graph of our own.

Who calls what: every method may be called by any thread, and returns within seconds also when the graph hangs.
Listeners of ``on_change`` and ``on_lost`` are called by a thread of the graph; they may call the graph.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from streamer.engine.reserved_names import RESERVED_NAMES
from streamer.engine.rings import ChannelRings, SourceRing
from tidzam_platform.errors import AudioGraphError, InvalidNameError
from tidzam_platform.names import valid_source


class PortKind(StrEnum):
    """Which way samples go at a port, seen from its client."""

    OUTPUT = "output"
    INPUT = "input"


class Connection(NamedTuple):
    """Samples of an output port that an input port hears; full names, ``<client>:<port>``."""

    output: str
    input: str


class BoundSlot(NamedTuple):
    """An input port that is recorded into a slot. From ring frame ``since_frame`` on the slot is this port's."""

    slot: int
    port: str
    since_frame: int


class GraphSource(Protocol):
    """A source in the graph: a client with ports ``out_1`` to ``out_N`` that play its ring."""

    @property
    def name(self) -> str:
        """Name of the client."""

    @property
    def ports(self) -> tuple[str, ...]:
        """Full names of its ports, channel 1 first."""

    def close(self) -> None:
        """Take the client out of the graph. Its ring is not touched any more when this returns."""


class GraphBundle(Protocol):
    """A client whose ports come and go, each with a ring of its own of one channel: the live streams."""

    @property
    def name(self) -> str:
        """Name of the client."""

    def add(self, number: int, ring: SourceRing) -> str:
        """Play ``ring`` at port ``out_<number>``; returns the port's full name."""

    def remove(self, number: int) -> None:
        """Take the port away; its ring is not touched any more when this returns."""

    @property
    def ports(self) -> tuple[str, ...]:
        """Full names of its ports."""

    def close(self) -> None:
        """Take the client out of the graph."""


class GraphInputs(Protocol):
    """A client whose ports are recorded into the slots of channel rings: ``input_<slot + 1>``."""

    @property
    def name(self) -> str:
        """Name of the client."""

    def bind(self, slot: int) -> BoundSlot:
        """Make the port of a slot, and record it from the next cycle on. Bound already: says so once more."""

    def unbind(self, slot: int) -> None:
        """Take the port of a slot away; what connected it goes with it.

        Raises:
            AudioGraphError: the graph does not move. The port is not recorded any more; it goes with the next
                ``unbind`` or ``bind`` of the slot.
        """

    @property
    def ports(self) -> dict[int, str]:
        """Full name of the port of each bound slot."""

    def close(self) -> None:
        """Take the client out of the graph. The rings are not touched any more when this returns."""


class AudioGraph(Protocol):
    """The graph. See the module."""

    def open_source(self, name: str, ring: SourceRing) -> GraphSource:
        """Make client ``name`` with a port for each channel of ``ring``.

        Raises:
            InvalidNameError: the name cannot name a source.
            AudioGraphError: there is a client of this name, or the graph refused.
        """

    def open_bundle(self, name: str, size: int) -> GraphBundle:
        """Make client ``name`` for up to ``size`` ports that come and go. Raises as ``open_source``."""

    def open_inputs(self, name: str, rings: ChannelRings) -> GraphInputs:
        """Make client ``name`` whose ports are recorded. Raises as ``open_source``."""

    def connect(self, output_port: str, input_port: str) -> None:
        """Let an input hear an output; nothing happens if it does already.

        Raises:
            AudioGraphError: there is no such port, or the graph refused.
        """

    def disconnect(self, output_port: str, input_port: str) -> None:
        """Undo a ``connect``; nothing happens if the connection or a port is gone."""

    def settle(self) -> None:
        """Wait until connections made before are in force: two cycles.

        Between ``connect`` and ``ring.playing = True``, lest the first frames are played to nobody.

        Raises:
            AudioGraphError: no cycles come.
        """

    def ports(self, kind: PortKind | None = None) -> list[str]:
        """Full names of the audio ports, of all clients, also of other programs."""

    def connections(self) -> set[Connection]:
        """All connections between audio ports, also those that a person made."""

    def frame_time(self) -> int:
        """The jack frame that it is now, about: 64 bit, never going back, also over restarts of JACK."""

    @property
    def rate_hz(self) -> int:
        """Frames a second."""

    @property
    def cycle_frames(self) -> int:
        """Frames that are computed at a time; a person may change it while the graph runs."""

    @property
    def xruns(self) -> int:
        """Cycles that came too late, since the graph was made."""

    @property
    def is_running(self) -> bool:
        """Whether audio flows just now."""

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` soon after ports or connections have changed; several changes may be one call."""

    def on_lost(self, listener: Callable[[str], None]) -> None:
        """Call ``listener`` with the reason when the graph stops working: its server was killed, or threw us out."""

    def status(self) -> dict[str, Any]:
        """For people and metrics: ``kind``, ``running``, ``xruns``, ``cycle_frames``, ``restarts``, and the last loss.

        ``lost_because`` and ``lost_at`` (UTC) say why and when it was lost, also when it is back; None if it never was.
        ``lost_for_s`` says for how long when all is back: clients, ports and connections.
        """

    def close(self) -> None:
        """End it: clients, threads, and the server if it is ours."""


def output_port(client: str, number: int) -> str:
    """Full name of output ``number`` (from 1) of ``client``."""
    return f"{client}:out_{number}"


def input_port(client: str, slot: int) -> str:
    """Full name of the input of ``slot`` (from 0) of ``client``."""
    return f"{client}:input_{slot + 1}"


def valid_source_client(name: str) -> str:
    """``name`` if a source may have it; InvalidNameError if it is not well formed or stands for something else."""
    if valid_source(name) in RESERVED_NAMES:
        raise InvalidNameError(f"{name!r} is the name of a part of the audio graph: choose another one")
    return name


def no_such_port(port: str) -> AudioGraphError:
    """The error that says so."""
    return AudioGraphError(f"there is no port {port} in the audio graph: look at ./tidzam status")
