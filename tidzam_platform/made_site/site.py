"""The made site on disk: whole or absent, and the same for the same seed.

::

    <folder>/complete.json               written last; its fingerprint says what the site was made from
             archive/<recording>.opus    and <recording>.ch<k>.txt (Audacity labels of channel k), truth.csv
             clips/<class path>/*.opus   and labels.csv
"""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tidzam_platform import crash_points, files
from tidzam_platform.errors import FolderInUseError
from tidzam_platform.made_site import truth
from tidzam_platform.made_site.clips import plan_clips
from tidzam_platform.made_site.recordings import SLOT_S, SiteEvent, plan_recordings
from tidzam_platform.made_site.writing import write_archive, write_clips

_COMPLETE: Final = "complete.json"
_LOCK: Final = ".made_site.lock"  # also the mark by which a folder is known as ours
_PARTS: Final = ("archive", "clips")
MIN_GROUPS: Final = 3

Progress = Callable[[int, int], None]
"""Called with the files written so far and the files in all."""


@dataclass(frozen=True)
class SiteSize:
    """How much is made; the defaults are what the demo needs to train a classifier that holds on new individuals.

    Raises:
        ValueError: too few groups to split, fewer clips than groups, or recordings too short for an event.
    """

    clips_per_class: int = 36
    groups_per_class: int = 18
    recording_s: int = 75
    channels: int = 4

    def __post_init__(self) -> None:
        if self.groups_per_class < MIN_GROUPS:
            raise ValueError(
                f"a class needs {MIN_GROUPS} groups to have a test side, not {self.groups_per_class}"
            )
        if self.clips_per_class < self.groups_per_class:
            raise ValueError(f"{self.clips_per_class} clips do not fill {self.groups_per_class} groups")
        if self.recording_s < SLOT_S or self.channels < 1:
            raise ValueError(f"a recording needs a channel and at least {SLOT_S:g} s")


@dataclass(frozen=True)
class MadeSite:
    """Where the parts of a made site lie, and what sounds in its recordings."""

    archive_folder: Path
    labels_file: Path
    held_out: Path
    """A recording for hearing only: none of its individuals is in a clip, and nothing may be trained on it."""
    truth: tuple[SiteEvent, ...]
    """Every event of every recording, in order."""


def make_site(
    folder: Path, *, seed: int = 1, size: SiteSize | None = None, progress: Progress | None = None
) -> MadeSite:
    """Make the site in ``folder``, or find it made.

    The same seed and size give the same samples. A folder in which a site of another seed, size or version was made
    is made anew; one that was left unfinished is finished.

    Args:
        folder: where the site goes; absent, empty, or that of a made site.
        seed: of every random choice.
        size: how much to make.
        progress: called after each file.

    Raises:
        FolderInUseError: the folder holds something else.
        BusyError: another process is making the site there.
        MissingSystemPartError: ffmpeg is not installed.
    """
    size = size or SiteSize()
    fingerprint = _fingerprint(seed, size)
    if not _is_complete(folder, fingerprint):
        _claim(folder)
        with files.exclusive(folder / _LOCK, f"making the site in {folder}"):
            if not _is_complete(folder, fingerprint):
                _make(folder, seed, size, fingerprint, progress or (lambda _done, _all: None))
    archive_folder = folder / "archive"
    events = truth.read_truth(archive_folder)
    return MadeSite(
        archive_folder=archive_folder,
        labels_file=folder / "clips" / "labels.csv",
        held_out=archive_folder / f"{max(event.recording for event in events)}.opus",
        truth=events,
    )


def _fingerprint(seed: int, size: SiteSize) -> str:
    """Names what a site follows from: its parameters and the code that makes it."""
    digest = hashlib.sha256(json.dumps({"seed": seed, **asdict(size)}, sort_keys=True).encode())
    for module in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(module.read_bytes())
    return digest.hexdigest()


def _claim(folder: Path) -> None:
    """Mark ``folder`` as that of a made site, before anything of it can be replaced."""
    if folder.exists() and not folder.is_dir():
        raise FolderInUseError(f"{folder} is a file: name a folder for the made site")
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / _LOCK).exists():
        other = next((entry for entry in folder.iterdir() if entry.name != _LOCK), None)
        if other is not None:
            raise FolderInUseError(
                f"{folder} holds {other.name}, which is not of a made site: give an empty folder"
            )
        (folder / _LOCK).touch()


def _make(folder: Path, seed: int, size: SiteSize, fingerprint: str, progress: Progress) -> None:
    files.remove_leavings(folder)
    with files.partial_path(folder) as staging:
        _write(staging, seed, size, progress)
        crash_points.reach("made_site.staged")
        (folder / _COMPLETE).unlink(missing_ok=True)
        for part in _PARTS:
            if (folder / part).exists():
                shutil.rmtree(folder / part)
            (staging / part).replace(folder / part)
            files.fsync_folder(folder)
            crash_points.reach("made_site.moved")
    complete = {"fingerprint": fingerprint, "bytes": _sizes(folder)}
    files.write_whole(folder / _COMPLETE, json.dumps(complete, indent=1).encode())


def _write(staging: Path, seed: int, size: SiteSize, progress: Progress) -> None:
    """Write both parts below ``staging``."""
    recordings = plan_recordings(seed, duration_s=size.recording_s, channels=size.channels)
    clips = plan_clips(seed, clips_per_class=size.clips_per_class, groups_per_class=size.groups_per_class)
    total = len(recordings) + len(clips)
    done = itertools.count(1)
    write_archive(staging / "archive", recordings, lambda: progress(next(done), total))
    write_clips(staging / "clips", clips, lambda: progress(next(done), total))
    for leavings in list(staging.rglob(files.PARTIAL_FOLDER)):
        shutil.rmtree(leavings)


def _sizes(folder: Path) -> dict[str, int]:
    """Bytes of every file of the site, by its path within ``folder``."""
    return {
        str(path.relative_to(folder)): path.stat().st_size
        for part in _PARTS
        for path in sorted((folder / part).rglob("*"))
        if path.is_file()
    }


def _is_complete(folder: Path, fingerprint: str) -> bool:
    """Whether the site of that fingerprint stands there, no file lost or cut."""
    try:
        complete = json.loads((folder / _COMPLETE).read_bytes())
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return False
    return bool(complete == {"fingerprint": fingerprint, "bytes": _sizes(folder)})
