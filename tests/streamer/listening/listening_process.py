"""A process with a site that people can listen to, to be killed. Argument: HOME. Prints Icecast's and ffmpeg's pids."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.streamer.listening.made import Listener, listening_site


def main(home: Path) -> None:
    with (
        listening_site(home, 1) as (listening, _site, _mixer),
        Listener(listening, "/marsh-out_1.opus") as listener,
    ):
        while listener.heard_s < 0.3:
            time.sleep(0.05)
        print(listening.icecast.pid, *listening.status()["encoder_pids"], flush=True)
        time.sleep(600)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
