"""The site on disk: whole or absent, the same for the same seed, readable by the rest of the house."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from tests.support.parts import require_part
from tidzam_platform.audio import read_audio
from tidzam_platform.audio.archive_names import looks_like_recording
from tidzam_platform.errors import BusyError, FolderInUseError
from tidzam_platform.files import PARTIAL_FOLDER, sha256_of_file
from tidzam_platform.labels.csv_reader import read_label_csv
from tidzam_platform.made_site import MadeSite, SiteSize, make_site
from tidzam_platform.made_site.clips import CLASSES
from tidzam_platform.made_site.recordings import make_recording, plan_recordings
from tidzam_platform.made_site.synthesis import RATE_HZ

TINY = SiteSize(clips_per_class=3, groups_per_class=3, recording_s=10, channels=2)
FILES = 3 + 3 * len(CLASSES)  # recordings and clips
OPUS_PADDING_FRAMES = 960


@pytest.fixture(scope="module")
def site_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny site, which tests must not change."""
    require_part("ffmpeg")
    folder = tmp_path_factory.mktemp("made") / "site"
    make_site(folder, size=TINY)
    return folder


@pytest.fixture
def site(site_folder: Path) -> MadeSite:
    return make_site(site_folder, size=TINY)


def contents(folder: Path) -> dict[str, str]:
    """Hash of every file but the lock, by its path."""
    return {
        str(path.relative_to(folder)): sha256_of_file(path)
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }


def make_and_crash(folder: Path, crash_at: str) -> int:
    """Make the tiny site in a process of its own that is killed at a point; returns its exit code."""
    program = (
        "import sys; from pathlib import Path; from tidzam_platform.made_site import SiteSize, make_site; "
        f"make_site(Path(sys.argv[1]), size={TINY!r})"
    )
    environment = {**os.environ, "TIDZAM_CRASH_AT": crash_at}
    return subprocess.run(
        [sys.executable, "-c", program, str(folder)], env=environment, timeout=120, check=False
    ).returncode


def test_a_second_call_finds_the_site_and_writes_nothing(site_folder: Path) -> None:
    def times() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in site_folder.rglob("*")}

    before = times()
    calls: list[tuple[int, int]] = []
    site = make_site(site_folder, size=TINY, progress=lambda *call: calls.append(call))
    assert site == make_site(site_folder, size=TINY)
    assert times() == before
    assert calls == []


def test_the_same_seed_gives_the_same_files_elsewhere(site_folder: Path, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    make_site(tmp_path / "site", size=TINY, progress=lambda *call: calls.append(call))
    assert contents(tmp_path / "site") == contents(site_folder)
    assert calls == [(done, FILES) for done in range(1, FILES + 1)]


@pytest.mark.parametrize(
    "point",
    [
        "made_site.clip:5",
        "made_site.moved",
        *(
            pytest.param(point, marks=pytest.mark.long)
            for point in ("made_site.recording:2", "made_site.staged", "made_site.moved:2")
        ),
    ],
)
def test_a_making_that_is_killed_shows_nothing_partial_and_is_completed(
    point: str, site_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "site"
    assert make_and_crash(folder, point) == -signal.SIGKILL
    whole = contents(site_folder)
    assert not (folder / "complete.json").exists()
    for part in ("archive", "clips"):
        if (folder / part).exists():
            assert contents(folder / part) == contents(site_folder / part)
    make_site(folder, size=TINY)
    assert contents(folder) == whole
    assert list((folder / PARTIAL_FOLDER).iterdir()) == []


def test_a_site_that_lost_a_file_is_made_anew(site_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(site_folder, tmp_path / "site")
    next((folder / "clips" / "noise").iterdir()).unlink()
    make_site(folder, size=TINY)
    assert contents(folder) == contents(site_folder)


def test_a_site_of_another_seed_takes_the_place_of_the_one_before(site_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(site_folder, tmp_path / "site")
    make_site(folder, seed=2, size=TINY)
    before, after = contents(site_folder), contents(folder)
    assert set(before) == set(after)
    assert not set(before.values()) & set(after.values())


def test_a_folder_that_holds_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "mine.opus").write_bytes(b"years of work")
    with pytest.raises(FolderInUseError, match="archive"):
        make_site(tmp_path, size=TINY)
    assert [path.name for path in tmp_path.rglob("*")] == ["archive", "mine.opus"]
    with pytest.raises(FolderInUseError, match="is a file"):
        make_site(tmp_path / "archive" / "mine.opus", size=TINY)


def test_two_processes_do_not_make_one_site_at_once(tmp_path: Path) -> None:
    (tmp_path / ".made_site.lock").touch()
    with (tmp_path / ".made_site.lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(BusyError):
            make_site(tmp_path, size=TINY)


@pytest.mark.parametrize(
    "wrong", [{"groups_per_class": 2}, {"clips_per_class": 2}, {"recording_s": 7}, {"channels": 0}]
)
def test_a_size_that_cannot_be_split_or_filled_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"group|channel"):
        SiteSize(**{"clips_per_class": 6, "groups_per_class": 3, **wrong})


def test_labels_are_readable_name_every_clip_once_and_tell_its_length(site: MadeSite) -> None:
    entries = read_label_csv(site.labels_file)
    clips = {path.resolve() for path in site.labels_file.parent.rglob("*.opus")}
    assert {entry.path for entry in entries} == clips
    assert len(entries) == 3 * len(CLASSES)
    groups = defaultdict(set)
    for entry in entries:
        (class_path,) = entry.class_paths
        groups[class_path].add(entry.group)
    assert set(groups) == set(CLASSES)
    assert all(len(found) >= 3 for found in groups.values())
    lines = site.labels_file.read_text().splitlines()
    assert lines[0] == "file,label,parent,group,seconds"
    name, *_, seconds = lines[1].split(",")
    samples = read_audio(site.labels_file.parent / name, rate_hz=RATE_HZ)
    assert samples.shape == (1, pytest.approx(float(seconds) * RATE_HZ, abs=RATE_HZ / 1000))


def test_no_clip_equals_another(site: MadeSite) -> None:
    hashes = [sha256_of_file(path) for path in site.labels_file.parent.rglob("*.opus")]
    assert len(hashes) == len(set(hashes)) == 3 * len(CLASSES)


def test_the_archive_holds_three_recordings_as_they_were_made_and_the_last_is_held_out(
    site: MadeSite,
) -> None:
    recordings = sorted(site.archive_folder.glob("*.opus"))
    planned = plan_recordings(1, duration_s=TINY.recording_s, channels=TINY.channels)
    assert [path.stem for path in recordings] == [recording.name for recording in planned]
    assert all(looks_like_recording(path.name) for path in recordings)
    assert site.held_out == recordings[-1]
    truth = []
    for path, recording in zip(recordings, planned, strict=True):
        made, events = make_recording(recording)
        truth += events
        heard = read_audio(path, rate_hz=RATE_HZ)
        assert heard.shape[0] == TINY.channels
        assert abs(heard.shape[1] - made.shape[1]) <= OPUS_PADDING_FRAMES
        for channel in range(TINY.channels):
            frames = min(heard.shape[1], made.shape[1])
            likeness = np.corrcoef(heard[channel, :frames], made[channel, :frames])[0, 1]
            assert likeness > 0.9, (path, channel)
    assert site.truth == tuple(truth)


def test_label_tracks_are_the_truth_of_their_channel(site: MadeSite) -> None:
    tracks = sorted(site.archive_folder.glob("*.txt"))
    assert len(tracks) == 3 * TINY.channels
    for track in tracks:
        recording, _, channel = track.stem.rpartition(".ch")
        rows = [line.split("\t") for line in track.read_text().splitlines()]
        assert [(float(start), float(end), label) for start, end, label in rows] == [
            (event.start_s, event.end_s, event.class_path)
            for event in site.truth
            if (event.recording, event.channel) == (recording, int(channel))
        ]


def test_the_site_says_what_it_is_made_of(site_folder: Path) -> None:
    complete = json.loads((site_folder / "complete.json").read_text())
    assert {name for name in contents(site_folder) if name != "complete.json"} == set(complete["bytes"])
