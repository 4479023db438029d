"""A worker process as its parent sees it."""

from __future__ import annotations

import os
import signal

from serving.reprocessing import RecordingItem, WorkerTask
from serving.reprocessing.worker_link import Worker
from tests.detections.made import NOON
from tidzam_platform.settings import Settings


def test_a_worker_that_died_before_it_took_its_recording_can_be_closed(home: Settings) -> None:
    worker = Worker(WorkerTask(home, 1, "reprocessing/generation=1/key=x/"))
    try:
        os.kill(worker.pid, signal.SIGKILL)
        while worker.answers() is not None:
            pass
        worker.give(RecordingItem(1, "/none.opus", "", 0, 0, "pond", NOON, 1.0))
        assert worker.how_it_ended() == "signal 9"
    finally:
        worker.close()
