"""Where audio comes from: described, started, kept playing, corrected in its drift (docs/sources.md).

::

    manager = SourceManager(graph, ring_folder, settings, events=hub, hooks=hooks)   # hooks: a SourceHooks
    manager.start()                                   # sources.json of the home, and sources.file of the settings
    manager.add({"name": "marsh", "url": "https://..."}, keep=True, owner="")    -> status; also replaces
    manager.wait(number, timeout_s=10)                -> status, when it has begun or failed; number: of add's status
    manager.wait_begun("marsh", timeout_s=10)         -> status, or SourceError with the reason
    manager.remove("marsh"); manager.remove_owned("web-1/", is_prefix=True)
    manager.seek("marsh", "2026-04-01-05-00-00")      # what plays an archive
    manager.push("desk", pcm, rate_hz)                # a source with live = true
    manager.list(); manager.status("marsh"); manager.counts()
    stream = manager.live.open(owner, storage=False)  # a port of tidzam-livestreams
    stream.info.port; stream.push(pcm16, rate_hz); manager.live.of_owner(owner); manager.live.close_owned(owner)
    manager.close()                                   # before the graph is closed

The web process and the command line describe sources without playing any: nothing is imported before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from streamer.engine.sources.context import SourceHooks
    from streamer.engine.sources.live import LiveStream, LiveStreamInfo
    from streamer.engine.sources.manager import SourceManager
    from streamer.engine.sources.specification import SourceKind, SourceSpecification
    from streamer.engine.sources.states import SourceState, StateMachine, Transition
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "LiveStream": "live",
            "LiveStreamInfo": "live",
            "SourceHooks": "context",
            "SourceKind": "specification",
            "SourceManager": "manager",
            "SourceSpecification": "specification",
            "SourceState": "states",
            "StateMachine": "states",
            "Transition": "states",
        },
    )

__all__ = [
    "LiveStream",
    "LiveStreamInfo",
    "SourceHooks",
    "SourceKind",
    "SourceManager",
    "SourceSpecification",
    "SourceState",
    "StateMachine",
    "Transition",
]
