"""How other processes talk to the engine: a Unix socket in the home, one JSON object a line (docs/engine.md)."""

from streamer.engine.control.client import EngineClient
from streamer.engine.control.events import EventHub, Subscription
from streamer.engine.control.server import ControlServer

__all__ = ["ControlServer", "EngineClient", "EventHub", "Subscription"]
