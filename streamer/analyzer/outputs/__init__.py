"""Who is told of what is heard: webhooks, MQTT, chain-api, DeviceHive, e-mail, and Prometheus (docs/outputs.md).

Each output has a queue on disk and a thread of its own: what is handed in is told at least once, in order, and the
analyzer never waits for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from streamer.analyzer.outputs.hub import Outputs
    from streamer.analyzer.outputs.kinds import load_outputs
    from streamer.analyzer.outputs.message import Message
    from streamer.analyzer.outputs.persistent_queue import PersistentQueue
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "Message": "message",
            "Outputs": "hub",
            "PersistentQueue": "persistent_queue",
            "load_outputs": "kinds",
        },
    )

__all__ = ["Message", "Outputs", "PersistentQueue", "load_outputs"]
