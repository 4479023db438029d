"""A computer's microphone as a live stream of a Tidzam that may run elsewhere (``./tidzam capture``)."""

from streamer.capture.connection import WebConnection
from streamer.capture.heard_lines import HeardLines
from streamer.capture.microphone import Microphone
from streamer.capture.sender import Captured, send

__all__ = ["Captured", "HeardLines", "Microphone", "WebConnection", "send"]
