"""kill -9 while clips are written: whatever is in the catalog is whole, and whatever is whole is in the catalog."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.streamer.analyzer.keeping.site_under_test import Site
from tests.support.crash import cli_environment
from tests.support.parts import require_part
from tests.support.waiting import wait_for
from tidzam_platform.audio import read_audio
from tidzam_platform.clips import RecorderRuleSpec, add_rule
from tidzam_platform.clips.flac import read_flac_head
from tidzam_platform.clips.listing import ClipQuery, FoundClip, find_clips
from tidzam_platform.files import PARTIAL_FOLDER
from tidzam_platform.home import Home
from tidzam_platform.settings import Settings

DECODED = 3  # of the clips that are new after each kill; the others are compared by their hash


class Victims:
    """The process that forks the ones to be killed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.kept: set[int] = set()

    def run_and_kill(self, after_s: float) -> None:
        """Let one keep clips, and kill it some time after its first."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        victim = int(self._line("pid"))
        self._line("kept")
        time.sleep(after_s)
        os.kill(victim, signal.SIGKILL)
        assert int(self._line("ended")) == -signal.SIGKILL

    def _line(self, what: str) -> str:
        """The rest of the next line that says ``what``; what others say of kept clips is noted."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said, _, rest = line.strip().partition(" ")
            if said == "kept":
                self.kept.add(int(rest))
            if said == what:
                return rest
        raise AssertionError(f"it ended with {self._process.wait()}")

    def wait_ready(self) -> None:
        self._line("ready")


@contextmanager
def victims(home: Settings) -> Iterator[Victims]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.streamer.analyzer.keeping.keeping_process"],
        env=cli_environment(home.home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            found = Victims(process)
            found.wait_ready()
            yield found
        finally:
            process.kill()


def start_once(home: Settings) -> tuple[FoundClip, ...]:
    """What is in the catalog when the recorder has been started, and has ended, once more."""
    site = Site(home)
    site.keeper.start()
    spool = home.home / "spool" / "clips"
    wait_for(lambda: not list(spool.glob("*.flac")), "the spool is empty")
    assert site.keeper.stop()
    clips = []
    cursor = None
    while True:
        page = find_clips(site.home.catalog, ClipQuery(limit=1000, cursor=cursor))
        clips += page.clips
        cursor = page.next_cursor
        if cursor is None:
            break
    check(site.home, clips)
    assert {path.name for path in spool.iterdir()} <= {"removals", "spare", PARTIAL_FOLDER}
    assert list((spool / PARTIAL_FOLDER).glob("*")) == []
    site.home.catalog.close()
    return tuple(clips)


def check(home: Home, clips: list[FoundClip]) -> None:
    """Every clip is whole, and every object is a clip's."""
    assert sorted(clip.store_key for clip in clips) == list(home.store.keys("clips/"))
    for place, clip in enumerate(clips):
        data = home.store.get_bytes(clip.store_key)
        assert hashlib.sha256(data).hexdigest() == clip.sha256
        head = read_flac_head(data)
        assert head.frames == round(clip.seconds * clip.rate_hz) == 24_000
        if place < DECODED:  # the newest
            with home.store.as_file(clip.store_key) as file:
                samples = (read_audio(file)[0] * 32768).astype("<i2")
            assert hashlib.md5(samples.tobytes()).digest() == head.md5  # noqa: S324 - FLAC's checksum


def kill_many(home: Settings, times: int) -> None:
    require_part("ffmpeg")
    opened = Home.open(home)
    add_rule(opened.catalog, RecorderRuleSpec.parse({"length_s": 0.5, "cooldown_s": 0}), "ann")
    opened.catalog.close()
    moments = random.Random(times)  # noqa: S311 - no secret
    before = 0
    with victims(home) as killed:
        for _ in range(times):
            killed.run_and_kill(moments.uniform(0, 0.4))
            clips = start_once(home)
            assert killed.kept <= {clip.id for clip in clips}, "what was told as kept is there"
            assert len(clips) > before
            before = len(clips)


def test_after_kill_9_ten_times_clips_are_whole_and_whole_files_are_clips(home: Settings) -> None:
    kill_many(home, 10)


@pytest.mark.long
@pytest.mark.timeout(1800)  # five seconds a kill where others keep the disk busy
def test_after_kill_9_a_hundred_times_clips_are_whole_and_whole_files_are_clips(home: Settings) -> None:
    kill_many(home, 100)
