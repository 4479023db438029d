"""What people hear of each channel: gain, mute and solo, by hand and by policy; and meters (docs/mixer.md).

The mixer stands between a channel and its listeners. The analyzer and the archive hear what the microphone gave.
"""

from streamer.engine.mixer.channel_mix import ChannelMix
from streamer.engine.mixer.gain import MAX_GAIN_DB, MIN_GAIN_DB, GainStage
from streamer.engine.mixer.meters import WINDOW_S, ChannelMeters, Readings, measure
from streamer.engine.mixer.mixer import Mixer
from streamer.engine.mixer.policy import PolicyChange
from streamer.engine.mixer.rules import Rule, load_rules

__all__ = [
    "MAX_GAIN_DB",
    "MIN_GAIN_DB",
    "WINDOW_S",
    "ChannelMeters",
    "ChannelMix",
    "GainStage",
    "Mixer",
    "PolicyChange",
    "Readings",
    "Rule",
    "load_rules",
    "measure",
]
