"""Where audio comes from: described, started, kept playing, corrected in its drift (docs/sources.md).

::

    manager = SourceManager(graph, ring_folder, settings, events=hub, hooks=hooks)   # hooks: a SourceHooks
    manager.start()                                   # sources.json of the home, and sources.file of the settings
    manager.add({"name": "marsh", "url": "https://..."}, keep=True, owner="")    -> status; also replaces
    manager.wait_begun("marsh", timeout_s=10)         -> status, or SourceError with the reason
    manager.remove("marsh"); manager.remove_owned("web-1/", is_prefix=True)
    manager.seek("marsh", "2026-04-01-05-00-00")      # what plays an archive
    manager.push("desk", pcm, rate_hz)                # a source with live = true
    manager.list(); manager.status("marsh"); manager.counts()
    stream = manager.live.open(owner, storage=False)  # a port of tidzam-livestreams
    stream.info.port; stream.push(pcm16, rate_hz); manager.live.of_owner(owner); manager.live.close_owned(owner)
    manager.close()                                   # before the graph is closed
"""

from streamer.engine.sources.context import SourceHooks
from streamer.engine.sources.live import LiveStream, LiveStreamInfo
from streamer.engine.sources.manager import SourceManager
from streamer.engine.sources.specification import SourceKind, SourceSpecification
from streamer.engine.sources.states import SourceState, StateMachine, Transition

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
