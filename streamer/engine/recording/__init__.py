"""The archive of the sources that are recorded: gapless files with exact times (docs/recording.md).

::

    recover(settings.archive_folder)                     # at the start, before any recorder
    indexer = ArchiveIndexer(settings); indexer.start()
    plan = plan_of(specification, settings)
    recorder = ArchiveRecorder(ring, plan, first_frame=0, on_finished=lambda _: indexer.add(plan.folder, plan.zone.key))
    recorder.start(); recorder.status(); recorder.counts(); recorder.stop()
"""

from streamer.engine.recording.file_spans import FileSpan, span_from
from streamer.engine.recording.indexing import ArchiveIndexer
from streamer.engine.recording.plan import RecordingPlan, plan_of
from streamer.engine.recording.recorder import ArchiveRecorder
from streamer.engine.recording.recovery import Recovery, recover

__all__ = [
    "ArchiveIndexer",
    "ArchiveRecorder",
    "FileSpan",
    "RecordingPlan",
    "Recovery",
    "plan_of",
    "recover",
    "span_from",
]
