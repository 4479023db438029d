"""Asking the model server for windows; those that it cannot take now wait on disk (docs/analyzer.md).

::

    spool = Spool(home / "spool" / "windows", settings.analyzer.spool_mb)
    generations = Generations()
    asker = Asker(client_of, settings, spool, decider.heard, decider.lost, generations=generations)
    describer = Describer(client_of, on_description, generations, on_back=asker.server_is_back, remembered=...)
    decider.expect_spans(spool.recovered())          # before the asker starts
    asker.start(); describer.start()
    decider.expect(moment.keys); asker.submit(moment)
    spool.confirm(spans)                             # what they led to is stored
    describer.stop(); asker.stop(); spool.close()
"""

from streamer.analyzer.asking.asker import Asker
from streamer.analyzer.asking.describer import Describer
from streamer.analyzer.asking.generations import AskedModel, Generations
from streamer.analyzer.asking.spans import LostWindows, WindowSpan
from streamer.analyzer.asking.spool import Spool

__all__ = ["AskedModel", "Asker", "Describer", "Generations", "LostWindows", "Spool", "WindowSpan"]
