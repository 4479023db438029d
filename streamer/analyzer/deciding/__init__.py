"""From what the model said to results of windows and detections, in order and once (docs/analyzer.md).

::

    journal = DetectionJournal(home / "spool" / "detections")
    store = DetectionStore(catalog, journal, on_stored=spool.confirm)
    decider = Decider(settings.decision, generations.of, on_results, store.add, store.settle)
    store.start(); decider.start()
    decider.expect(moment.keys)      # hearing, before it asks
    decider.heard(heard)             # asking, in any order
    decider.lost(keys, reason)
    decider.end(run, numbers)
    decider.stop(); store.stop(); journal.close()     # after the asker
"""

from streamer.analyzer.deciding.decider import Decider
from streamer.analyzer.deciding.detection_journal import DetectionJournal
from streamer.analyzer.deciding.detection_store import DetectionStore
from streamer.analyzer.deciding.sequencer import Sequencer

__all__ = ["Decider", "DetectionJournal", "DetectionStore", "Sequencer"]
