"""Child processes: bounded in what they may say and how long they may hang, and gone when we are gone."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.audio.made import encode, noise
from tests.support.parts import require_part
from tests.support.waiting import wait_for
from tidzam_platform.audio import decode_blocks, read_audio
from tidzam_platform.audio.ffmpeg import MAX_ERROR_BYTES, Child
from tidzam_platform.errors import DecodingError


@pytest.fixture(scope="module")
def long_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Far more audio than fits into pipes."""
    return encode(noise(60.0, channels=2), tmp_path_factory.mktemp("long") / "long.opus", "opus")


def _children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def test_closing_early_ends_ffmpeg(long_file: Path) -> None:
    before = {child.pid for child in _children()}
    blocks = decode_blocks(long_file)
    next(blocks)
    started = [child for child in _children() if child.pid not in before]
    assert [child.name() for child in started] == ["ffmpeg"]
    blocks.close()
    assert not any(child.is_running() for child in started)


def test_a_generator_that_nobody_holds_any_more_ends_ffmpeg(long_file: Path) -> None:
    before = {child.pid for child in _children()}
    next(decode_blocks(long_file))
    gc.collect()
    assert {child.pid for child in _children()} <= before


def test_no_handle_stays_open(long_file: Path, tmp_path: Path) -> None:
    wav = encode(noise(1.0), tmp_path / "a.wav", "wav")
    next(decode_blocks(long_file))  # what opens for good does so now
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the folder changes while it is listed
    for _ in range(5):
        next(decode_blocks(long_file))
        read_audio(wav)
        with Child("ffmpeg", ["-i", "file:/nonexistent"]) as child:
            child.read_all(1)
            with pytest.raises(DecodingError):
                child.finish()
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_decoding_goes_on_when_the_thread_that_began_it_has_ended(long_file: Path) -> None:
    blocks = decode_blocks(long_file)
    frames = []

    def begin() -> None:
        frames.append(next(blocks).samples.shape[1])

    thread = threading.Thread(target=begin)
    thread.start()
    thread.join()
    time.sleep(0.2)
    assert frames[0] + sum(block.samples.shape[1] for block in blocks) == 60 * 48000


_DECODE_AND_WAIT = r"""
import os, sys, time
from pathlib import Path
import psutil
from tidzam_platform.audio import decode_blocks
blocks = decode_blocks(Path(sys.argv[1]))
next(blocks)
if sys.argv[2] == "fork" and os.fork() == 0:  # it inherits our ends of the pipes, which so stay open
    os.write(1, b"forked %d\n" % os.getpid())
    time.sleep(60)
    os._exit(0)
for child in psutil.Process().children():
    if child.name() == "ffmpeg":
        os.write(1, b"ffmpeg %d\n" % child.pid)
os.write(1, b"ready 0\n")
time.sleep(60)
"""


@pytest.mark.parametrize("case", ["alone", "fork", "without setpriv"])
def test_kill_9_leaves_no_ffmpeg_behind(long_file: Path, case: str, tmp_path: Path) -> None:
    environment = dict(os.environ)
    if case == "without setpriv":  # then the closed pipes must do
        (tmp_path / "ffmpeg").symlink_to(require_part("ffmpeg"))
        environment["PATH"] = str(tmp_path)
    command = [sys.executable, "-c", _DECODE_AND_WAIT, long_file, "fork" if case == "fork" else "alone"]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert parent.stdout is not None
    found: dict[str, int] = {}
    expected = {"ready", "ffmpeg"} | ({"forked"} if case == "fork" else set())
    try:
        while not expected <= set(found):
            name, pid = parent.stdout.readline().split()
            found[name] = int(pid)
        assert psutil.Process(found["ffmpeg"]).is_running()
        parent.kill()
        parent.wait()
        wait_for(
            lambda: not psutil.pid_exists(found["ffmpeg"]), "ffmpeg ends after its parent was killed", 10
        )
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
        if "forked" in found:
            os.kill(found["forked"], signal.SIGKILL)


def test_decoding_works_in_a_forked_process(long_file: Path) -> None:
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from tidzam_platform.audio import decode_blocks\n"
        "next(decode_blocks(Path(sys.argv[1])))\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    next(decode_blocks(Path(sys.argv[1])))\n"
        "    os._exit(7)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7\n"
    )
    subprocess.run([sys.executable, "-c", script, long_file], check=True, timeout=60)


def test_what_makes_no_progress_is_ended(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # nobody will ever write into it
    begun_s = time.monotonic()
    with Child(
        "ffmpeg", ["-nostdin", "-f", "wav", "-i", f"file:{pipe}", "-f", "null", "-"], stall_s=0.5
    ) as child:
        pid = child.pid
        with pytest.raises(DecodingError, match=r"no progress for 0\.5 s"):
            child.read_all(10)
    assert time.monotonic() - begun_s < 5
    assert not psutil.pid_exists(pid)


def test_a_consumer_that_takes_its_time_is_no_stall(long_file: Path) -> None:
    arguments = ["-nostdin", "-v", "error", "-i", f"file:{long_file}", "-f", "f32le", "pipe:1"]
    with Child("ffmpeg", arguments, stall_s=0.5) as child:
        total = len(child.read_all(1 << 22))
        time.sleep(1)
        total += len(child.read_all(1 << 26))
        child.finish()
    assert total == 60 * 48000 * 2 * 4


def test_what_it_complains_is_kept_to_a_bound_and_never_blocks_it() -> None:
    arguments = [
        "-nostdin",
        "-loglevel",
        "trace",
        "-f",
        "lavfi",
        "-i",
        "sine=duration=20",
        "-f",
        "f32le",
        "pipe:1",
    ]
    with Child("ffmpeg", arguments) as child:
        got = len(child.read_all(1 << 24))
        child.finish()
    assert got == 20 * 44100 * 4
    assert MAX_ERROR_BYTES // 2 < len(child.complaint) <= MAX_ERROR_BYTES


def test_a_failure_says_what_ffmpeg_said() -> None:
    with Child("ffmpeg", ["-v", "error", "-i", "file:/nonexistent", "-f", "null", "-"]) as child:
        child.read_all(1)
        with pytest.raises(DecodingError, match=r"ffmpeg failed \(exit code 1\): file:/nonexistent: No such"):
            child.finish()


def test_an_endless_feed_is_taken_no_faster_than_the_output_is_read() -> None:
    fed = [0]

    def endless() -> Iterator[bytes]:
        while True:
            fed[0] += 1 << 16
            yield bytes(1 << 16)

    arguments = [
        "-v",
        "error",
        "-f",
        "f32le",
        "-ar",
        "48000",
        "-ac",
        "2",
        "-i",
        "pipe:0",
        "-f",
        "f32le",
        "pipe:1",
    ]
    with Child("ffmpeg", arguments, feed=endless()) as child:
        read = sum(len(child.read_all(1 << 20)) for _ in range(10))
        time.sleep(0.2)
    assert fed[0] < read + (16 << 20)


def test_a_feed_that_fails_ends_the_child() -> None:
    def failing() -> Iterator[bytes]:
        yield bytes(1000)
        raise OSError("the disk is gone")

    arguments = [
        "-v",
        "error",
        "-f",
        "f32le",
        "-ar",
        "48000",
        "-ac",
        "2",
        "-i",
        "pipe:0",
        "-f",
        "f32le",
        "pipe:1",
    ]
    with Child("ffmpeg", arguments, feed=failing()) as child:
        pid = child.pid
        with pytest.raises(OSError, match="the disk is gone"):
            child.read_all(1 << 20)
    assert not psutil.pid_exists(pid)


def test_secrets_of_our_environment_are_not_passed_on(
    monkeypatch: pytest.MonkeyPatch, long_file: Path
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t")
    monkeypatch.setenv("FFREPORT", "file=/tmp/report.txt")
    arguments = ["-nostdin", "-v", "error", "-i", f"file:{long_file}", "-f", "f32le", "pipe:1"]
    with Child("ffmpeg", arguments) as child:
        child.read_all(1000)
        assert set(psutil.Process(child.pid).environ()) <= {
            "PATH",
            "LD_LIBRARY_PATH",
            "LC_ALL",
            "AV_LOG_FORCE_NOCOLOR",
        }
