"""A process that hears made windows, to be killed.

Arguments: FOLDER PART. ``write``: there is no server, all windows go to the spool. ``drain``: there is one, what waits
is heard. It prints how many windows it has written, or heard, and ``done`` at the end.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.streamer.analyzer.asking.made import Site, StandIn, run_of
from tests.streamer.analyzer.deciding.analyzing import analyzing
from tests.streamer.analyzer.deciding.made import made_sounds
from tidzam_platform.settings import Settings

CHANNELS, WINDOWS = 3, 240
SETTINGS = Settings.model_validate({"analyzer": {"max_behind_s": 30}})
_DELAY_S = 0.01  # of each answer, so that there is a middle to be killed in


def made_site() -> Site:
    site = Site(run_of(), CHANNELS, WINDOWS)
    made_sounds(site, seed=4, share=0.3)
    return site


def main(folder: Path, part: str) -> None:
    model = StandIn(delay_s=_DELAY_S)
    model.away = part == "write"
    with analyzing(folder, lambda: model, SETTINGS) as made:
        if part == "write":
            for moment in made_site().moments():
                made.submit(moment)
                time.sleep(0.001)
                print(made.spool.counts()["written"], flush=True)
            while made.spool.counts()["written"] < CHANNELS * WINDOWS:
                time.sleep(0.01)
        else:
            while made.decider.status()["expected_windows"]:
                print(made.decider.counts()["windows"], flush=True)
                time.sleep(0.01)
            made.decider.end(run_of())
            while made.spool.status()["bytes"] or made.store.status()["waiting"]:
                time.sleep(0.01)
        print("done", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
