"""Clips of what is worth learning from, cut out of live audio by rules (docs/clips.md).

::

    keeper = ClipKeeper(home, settings, history, tell=events.publish)
    keeper.start(); keeper.on_result(result); keeper.status(); keeper.counts(); keeper.stop()
"""

from streamer.analyzer.keeping.keeper import ClipKeeper

__all__ = ["ClipKeeper"]
