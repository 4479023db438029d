"""A small engine without audio: the real control server over a real Unix socket, and plain lists behind it."""

from __future__ import annotations

import base64
import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from streamer.engine.control import ControlServer, EventHub
from tidzam_platform.errors import AudioGraphError, SourceError
from tidzam_platform.names import split_channel

LIVE_PORTS = 3


class FakeEngine:
    """What the web process asks of an engine, kept in memory. A context: it listens inside it.

    Attributes:
        sources: by name: the specification, ``keep``, the owner (None: nobody's) and the state.
        live: by owner: rate_hz, storage, and the ``pcm`` that was pushed.
        mixer: by channel: what was set by hand.
        asked: all commands but ``owner.gone`` and ``sources.wait``, in order.
        farewells: owners of which ``owner.gone`` was said.
        ended: prefixes whose lease ended.
        released_by: who released channels of the mixer.
        dropped_frames: what ``live.push`` answers: all since the stream was opened.
        refused_push: why it refuses, where that is not empty.
        graph: what ``status`` says of it; None: it does not run.
        mount, why: what ``channels.list`` says of each channel; the mount has places for its source and number.
        fates: by name what ``sources.wait`` tells of a source beside its status; it plays by default.
        before: called with each command before it is done; may raise or wait.
    """

    def __init__(self, home: Path) -> None:
        self.sources: dict[str, dict[str, Any]] = {}
        self.live: dict[str, dict[str, Any]] = {}
        self.mixer: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.ended: list[str] = []
        self.farewells: list[str] = []
        self.released_by: list[str] = []
        self.dropped_frames = 0
        self.refused_push = ""
        self.graph: dict[str, Any] | None = {
            "kind": "clock",
            "xruns": 0,
            "cycle_frames": 1024,
            "running": True,
        }
        self.mount, self.why = "http://127.0.0.1:8000/{}-out_{}.opus", ""
        self.fates: dict[str, dict[str, Any]] = {}
        self.before: Callable[[str], None] = lambda _command: None
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        commands = {
            "status": lambda: {"pid": 1, "graph": self.graph},
            "counts": self._counts,
            "sources.list": lambda: {"sources": [self._status(name) for name in self.sources]},
            "sources.get": lambda name: {**self._status(name), "transitions": []},
            "sources.add": self._add,
            "sources.wait": self._wait,
            "sources.remove": self._remove,
            "sources.seek": self._seek,
            "owner.gone": self._owner_gone,
            "database": lambda: {"database": {"marsh": {"nb_channels": 2, "database": [["a", "b"]]}}},
            "channels.list": self._channels,
            "mixer.set": self._mixer_set,
            "mixer.release": self._mixer_release,
            "mixer.audit": lambda limit: {"changes": [{"n": n} for n in range(min(limit, 5))]},
            "live.open": self._live_open,
            "live.push": self._live_push,
            "live.close": self._live_close,
        }
        handlers = {name: self._told(name, command) for name, command in commands.items()}
        self.events = EventHub()
        self._server = ControlServer(home, handlers, self.events, self._lease_ended)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stopping = threading.Thread(target=self._server.stop)
        stopping.start()
        while stopping.is_alive():  # who waits for events hears of it with the next one
            self.events.publish("stopping")
            stopping.join(0.05)

    def state(self) -> Any:
        """All that a request can change, to be compared."""
        with self._lock:
            live = {owner: {**stream, "pcm": bytes(stream["pcm"])} for owner, stream in self.live.items()}
            return {name: dict(source) for name, source in self.sources.items()}, live, dict(self.mixer)

    def _told(self, name: str, command: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        def run(**arguments: Any) -> dict[str, Any]:
            if name == "owner.gone":  # of a client of the test before, maybe
                self.farewells.append(arguments["owner"])
            elif name != "sources.wait":  # likewise
                self.asked.append((name, arguments))
            self.before(name)
            with self._lock:
                return command(**arguments)

        return run

    def _counts(self) -> dict[str, Any]:
        return {
            "xruns_total": 2,
            "cycle_frames": 1024,
            "lost_frames_total": {f"{name}:out_1": 7 for name in self.sources},
            "restarts_total": dict.fromkeys(self.sources, 1),
            "not a name": 1,
            "no_number": "x",
        }

    def _status(self, name: str) -> dict[str, Any]:
        if name not in self.sources:
            raise SourceError(f"there is no source {name!r}")
        source = self.sources[name]
        return {
            "name": name,
            "number": source.get("number", 0),
            "state": "playing",
            "ending": False,
            "last_failure": "",
            "last_failure_code": "",
            "hopeless": False,
            "state_since": "2026-11-21T10:00:00.000Z",
            "is_permanent": source["keep"],
            "channels": [f"{name}:out_1", f"{name}:out_2"],
            "date": source.get("date"),
            "owner": source["owner"],
            "specification": source["specification"],
        }

    def _add(
        self,
        specification: dict[str, Any],
        keep: bool,
        owner: str | None = None,
        must_be_allowed: bool = False,  # noqa: ARG002 - all is
    ) -> dict[str, Any]:
        name = specification["name"]
        if name == "full":
            raise SourceError("there are 200 sources, which is the limit")
        self.sources[name] = {
            "specification": specification,
            "keep": keep,
            "owner": owner,
            "number": next(self._numbers),
        }
        return self._status(name)

    def _wait(self, number: int, wait_s: float) -> dict[str, Any]:  # noqa: ARG002 - all is known at once
        for name, source in self.sources.items():
            if source["number"] == number:
                return self._status(name) | self.fates.get(name, {})
        return {"name": "gone", "number": number, "state": "stopped", "last_failure": "", "hopeless": False}

    def _remove(self, name: str) -> dict[str, Any]:
        self._status(name)
        del self.sources[name]
        return {}

    def _seek(self, name: str, date: str) -> dict[str, Any]:
        self._status(name)
        self.sources[name]["date"] = date
        return self._status(name)

    def _owner_gone(self, owner: str) -> dict[str, Any]:
        gone = [name for name, source in self.sources.items() if source["owner"] == owner]
        for name in gone:
            del self.sources[name]
        if self.live.pop(owner, None) is not None:
            gone.append("tidzam-livestreams")
        return {"closed": gone}

    def _lease_ended(self, prefix: str) -> None:
        with self._lock:
            owners = {source["owner"] for source in self.sources.values() if source["owner"]} | set(self.live)
            for owner in owners:
                if owner.startswith(prefix):
                    self._owner_gone(owner)
            self.ended.append(prefix)

    def _channels(self) -> dict[str, Any]:
        return {"channels": [self._channel(f"{name}:out_{n}") for name in self.sources for n in (1, 2)]}

    def _channel(self, channel: str) -> dict[str, Any]:
        source, number = split_channel(channel)
        self._status(source)
        by_hand, mount = self.mixer.get(channel, {}), self.mount.format(source, number)
        return {
            "channel": channel,
            "source": source,
            "sounding": True,
            "since": "2026-11-21T10:00:00.000Z",
            "why": self.why,
            "peak_dbfs": -6.0,
            "rms_dbfs": -20.0,
            "clipped": 0,
            "gain_db": by_hand.get("gain_db", 0.0),
            "muted": by_hand.get("mute", False),
            "solo": by_hand.get("solo", False),
            "by": by_hand.get("by"),
            "reason": None,
            "mounts": [mount, mount.replace(".opus", ".ogg")],
        }

    def _mixer_set(self, channel: str, by: str, **change: Any) -> dict[str, Any]:
        self._channel(channel)
        self.mixer[channel] = {**self.mixer.get(channel, {}), **change, "by": by}
        return self._channel(channel)

    def _mixer_release(self, channel: str, by: str) -> dict[str, Any]:
        self._channel(channel)
        self.released_by.append(by)
        self.mixer.pop(channel, None)
        return self._channel(channel)

    def _live_open(self, owner: str, rate_hz: int, storage: bool) -> dict[str, Any]:
        if owner in self.live:
            raise SourceError("this owner has a live stream, and would keep two ports")
        if len(self.live) >= LIVE_PORTS:
            raise AudioGraphError(f"all {LIVE_PORTS} ports of live streams are taken: try again later")
        self.live[owner] = {"rate_hz": rate_hz, "storage": storage, "pcm": bytearray()}
        number = len(self.live)
        return {
            "portname": f"tidzam-livestreams:out_{number}",
            "samplerate": 48_000,
            "filename": f"unchecked/live-{number}.opus" if storage else "",
            "source": "tidzam-livestreams",
        }

    def _live_push(self, owner: str, pcm: str, rate_hz: int) -> dict[str, Any]:
        if owner not in self.live:
            raise SourceError("this owner has no live stream")
        if self.refused_push:
            raise SourceError(self.refused_push)
        self.live[owner]["pcm"] += base64.b64decode(pcm, validate=True)
        self.live[owner]["rate_hz"] = rate_hz
        return {"dropped_frames": self.dropped_frames}

    def _live_close(self, owner: str) -> dict[str, Any]:
        self.live.pop(owner, None)
        return {}
