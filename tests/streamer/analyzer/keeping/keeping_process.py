"""Processes that keep clips, to be killed. Argument: HOME.

Imports everything once; each line ``go`` on standard input forks a process that keeps clips as fast as it can and says
``kept ID`` of each. Its end is told as ``ended STATUS``.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from streamer.analyzer.hearing.history import AudioHistory
from streamer.analyzer.keeping import ClipKeeper
from streamer.analyzer.windows import Geometry
from tests.streamer.analyzer.keeping.made import RATE_HZ, hear, run, sound, window
from tidzam_platform.audio.children import _die_with_parent
from tidzam_platform.home import Home
from tidzam_platform.settings import load_settings

CHANNELS = 8
GEOMETRY = Geometry(RATE_HZ, RATE_HZ // 2, RATE_HZ // 2)


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def tell(name: str, **what: Any) -> None:
    if name == "clip_kept":
        say(f"kept {what['id']}")


def keep_clips() -> None:
    """Every channel sounds all the time, and every window is kept."""
    settings = load_settings()
    history = AudioHistory(100_000_000)
    keeper = ClipKeeper(Home.open(settings), settings, history, tell=tell)
    keeper.start()
    keeper.wait_for_rules(20)
    of = run(later_s=os.getpid(), geometry=GEOMETRY)
    for number in range(1_000_000):
        for channel in range(1, CHANNELS + 1):
            audio = sound(0.5, seed=os.getpid() * 10_000 + number * CHANNELS + channel)
            hear(history, audio, frame=number * GEOMETRY.hop_frames, channel=channel, of=of)
            keeper.on_result(window(number, channel=channel, of=of, ended_s=0.0))
        time.sleep(0.25)


def main() -> None:
    _die_with_parent()
    say("ready")
    for line in sys.stdin:
        if line.strip() != "go":
            return
        child = os.fork()
        if child == 0:
            say(f"pid {os.getpid()}")
            keep_clips()
        _, status = os.waitpid(child, 0)
        say(f"ended {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    main()
