"""Clips into a folder, for ``./tidzam analyze --extract``: chosen and cut as the analyzer does, outside of the catalog.

::

    rules = extraction_rules(["birds,frogs:auto", "unknown:0.05"], ["marsh:out_*"], preroll_mb)
    with Extraction(settings, rules, folder, waits=False) as extraction:
        extraction.begin(history, thresholds)
        extraction.hear(result); extraction.settle(time.monotonic())
"""

from streamer.analyzer.extraction.extraction import Extraction
from streamer.analyzer.extraction.folder_writer import FolderWriter, WrittenClip
from streamer.analyzer.extraction.recorded_sound import RecordedSound, run_of_file
from streamer.analyzer.extraction.rules import extraction_rules

__all__ = ["Extraction", "FolderWriter", "RecordedSound", "WrittenClip", "extraction_rules", "run_of_file"]
