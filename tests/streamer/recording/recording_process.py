"""A process that records, to be killed.

Arguments: FOLDER SECONDS FILE_S MAX_BYTES.

Sends noise in real time and prints how many frames it has sent. ``MAX_BYTES`` (0: none) is the largest file that the
"disk" takes until half of the time is over.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from streamer.engine.recording import ArchiveRecorder
from tests.streamer.recording.made import NOON_NS, RATE_HZ, noise, plan, source


def main(folder: Path, seconds: float, file_s: int, max_bytes: int) -> None:
    sent = noise(seconds)
    piece = RATE_HZ // 10
    with source(folder) as marsh:
        marsh.ring.set_anchor(NOON_NS)
        recorder = ArchiveRecorder(marsh.ring, plan(folder, file_s=file_s))
        recorder.start()
        if max_bytes:
            resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, resource.RLIM_INFINITY))
        began_s = time.monotonic()
        for number, begin in enumerate(range(0, len(sent), piece), 1):
            marsh.send(sent[begin : begin + piece])
            print(begin + piece, flush=True)
            if number == len(sent) // piece // 2 and max_bytes:
                print(json.dumps({**recorder.status(), **recorder.counts()}), flush=True)
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            time.sleep(max(0.0, began_s + number * 0.1 - time.monotonic()))
        print("stopped" if recorder.stop() else "hangs", flush=True)
        print(json.dumps(recorder.counts()), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
