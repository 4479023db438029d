"""How other processes talk to engine and analyzer: a Unix socket in the home, one JSON object a line."""

from streamer.engine.control.client import AnalyzerClient, EngineClient
from streamer.engine.control.events import EventHub, Subscription
from streamer.engine.control.server import ControlServer
from streamer.engine.control.wire import ANALYZER

__all__ = ["ANALYZER", "AnalyzerClient", "ControlServer", "EngineClient", "EventHub", "Subscription"]
