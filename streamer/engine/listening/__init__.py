"""Listening to channels: encoders on demand, relays, Icecast (docs/listening.md).

::

    listening = Listening(settings.icecast, settings.home, rings, slots.slot_of, mixer)
    listening.start()
    listening.set_channels([ListenedChannel("marsh:out_1", title="Marsh, north", place=Place(42.1, -71.2))])
    copy = listening.open_copy("radio", "mp3"); copy.publish(data)
    listening.pause_copy("radio"); listening.open_copy("radio", "mp3")  # connected again: who listened hears on
    listening.close_copy("radio")
    listening.directory(); listening.status(); listening.counts(); listening.stop()
"""

from streamer.engine.listening.copy_stream import CopyReader, CopyStream
from streamer.engine.listening.icecast import Icecast
from streamer.engine.listening.listening import Listening
from streamer.engine.listening.mounts import (
    COPIED,
    ListenedChannel,
    Mount,
    Place,
    channel_mounts,
    copy_mount,
)
from streamer.engine.listening.relay_server import RelayServer

__all__ = [
    "COPIED",
    "CopyReader",
    "CopyStream",
    "Icecast",
    "ListenedChannel",
    "Listening",
    "Mount",
    "Place",
    "RelayServer",
    "channel_mounts",
    "copy_mount",
]
