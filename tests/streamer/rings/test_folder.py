"""The folder of the rings is the engine's alone; what a dead engine left is removed; the directory is read whole."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from streamer.engine.rings import Directory, RingFolder, SourceRing, living_engine, ring_folder_of
from tests.support.waiting import wait_for
from tidzam_platform.errors import AudioGraphError, BusyError, EngineUnavailableError

ENGINE = """
import sys
from pathlib import Path
from streamer.engine.rings import Directory, RingFolder, SourceRing
folder = RingFolder(Path(sys.argv[1]))
SourceRing.create(folder, "marsh", 1)
Directory.create(folder).write({"engine": 1})
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other_engine(tmp_path: Path):
    """An engine in a process of its own."""
    engine = subprocess.Popen(
        [sys.executable, "-c", ENGINE, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        process_group=0,
    )
    try:
        assert engine.stdout is not None
        assert engine.stdout.readline() == b"ready\n"
        yield engine
    finally:
        engine.kill()
        engine.communicate()


def test_only_its_user_may_enter(tmp_path: Path) -> None:
    with RingFolder(tmp_path) as folder:
        assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
        assert stat.S_IMODE(folder.path.parent.stat().st_mode) == 0o700
        ring = SourceRing.create(folder, "marsh", 1)
        assert stat.S_IMODE(ring.path.stat().st_mode) == 0o600


def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    path = ring_folder_of(tmp_path)
    path.mkdir(parents=True)
    path.chmod(0o755)
    try:
        with pytest.raises(AudioGraphError, match="belongs to this user alone"):
            RingFolder(tmp_path)
    finally:
        path.rmdir()


def test_a_second_engine_of_a_home_is_refused(tmp_path: Path, other_engine: subprocess.Popen[bytes]) -> None:
    with pytest.raises(BusyError, match=f"process {other_engine.pid}"):
        RingFolder(tmp_path)
    assert Directory.open(tmp_path).read() == {"engine": 1}


def test_what_a_killed_engine_left_is_removed(tmp_path: Path, other_engine: subprocess.Popen[bytes]) -> None:
    os.kill(other_engine.pid, signal.SIGKILL)
    other_engine.wait(20)
    path = ring_folder_of(tmp_path)
    assert len(list(path.iterdir())) == 3
    assert living_engine(path) is None
    with pytest.raises(EngineUnavailableError, match="start it with"):
        Directory.open(tmp_path)
    kept = path / "not-of-ours.txt"
    kept.touch()
    with RingFolder(tmp_path) as folder:
        assert {entry.name.partition("-")[0] for entry in folder.path.iterdir()} == {"engine", "not"}
    kept.unlink()
    path.rmdir()


def test_a_living_engines_directory_is_found_and_its_end_is_seen(tmp_path: Path) -> None:
    with RingFolder(tmp_path) as folder, Directory.create(folder) as directory:
        assert Directory.open(tmp_path).read() == {}
        directory.write({"slots": []})
        reader = Directory.open(tmp_path)
        version = reader.version
        assert reader.read() == {"slots": []}
        directory.write({"slots": [{"slot": 1, "channel": "marsh:out_1", "since_frame": 2**40}]})
        assert reader.version == version + 1
        assert reader.read()["slots"][0]["since_frame"] == 2**40
    with pytest.raises(EngineUnavailableError):
        Directory.open(tmp_path)


def test_a_document_that_is_too_large_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    with RingFolder(tmp_path) as folder, Directory.create(folder) as directory:
        directory.write({"a": 1})
        with pytest.raises(AudioGraphError, match="262144 are the most"):
            directory.write({"a": "x" * 262_144})
        assert directory.read() == {"a": 1}


def test_a_reader_never_sees_half_a_document(tmp_path: Path) -> None:
    with RingFolder(tmp_path) as folder, Directory.create(folder) as directory:
        ending = threading.Event()

        def write() -> None:
            number = 0
            while not ending.is_set():
                number += 1
                directory.write({"a": number, "b": "x" * (number % 2000), "c": number})

        writer = threading.Thread(target=write)
        directory.write({"a": 0, "b": "", "c": 0})
        writer.start()
        try:
            reader = Directory.open(tmp_path)
            seen: set[int] = set()

            def read_some() -> bool:
                document = reader.read()
                assert document["a"] == document["c"]
                seen.add(document["a"])
                return len(seen) > 20

            wait_for(read_some, "twenty documents")
        finally:
            ending.set()
            writer.join()


def test_a_writer_that_died_inside_keeps_no_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.engine.rings.directory._PATIENCE_S", 0.05)
    with RingFolder(tmp_path) as folder, Directory.create(folder) as directory:
        directory._words[1] += 1
        with pytest.raises(EngineUnavailableError, match="while it wrote"):
            Directory.open(tmp_path).read()


def test_what_a_killed_engine_of_another_home_left_goes_and_what_lives_stays(
    tmp_path: Path, other_engine: subprocess.Popen[bytes]
) -> None:
    left = ring_folder_of(tmp_path)
    with RingFolder(tmp_path / "third"):
        assert living_engine(left) is not None, "it lives: nothing of it is touched"
        assert len(list(left.iterdir())) > 1
    other_engine.kill()
    other_engine.wait()
    with RingFolder(tmp_path / "third") as third:
        assert not left.exists()
        assert third.path.exists()
