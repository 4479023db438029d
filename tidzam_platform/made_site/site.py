"""The made site on disk: whole or absent, and the same for the same seed.

::

    <folder>/complete.json               written last; its fingerprint says what the site was made from
             archive/<recording>.opus    and <recording>.ch<k>.txt (Audacity labels of channel k), truth.csv
             clips/<class path>/*.opus   and labels.csv
"""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tidzam_platform.made_site import truth
from tidzam_platform.made_site.clips import plan_clips
from tidzam_platform.made_site.keeping import Progress, make_once
from tidzam_platform.made_site.recordings import SLOT_S, SiteEvent, plan_recordings
from tidzam_platform.made_site.writing import write_archive, write_clips

_PARTS: Final = ("archive", "clips")
MIN_GROUPS: Final = 3


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
    told = progress or (lambda _done, _all: None)
    make_once(
        folder, "site", _PARTS, {"seed": seed, **asdict(size)}, lambda into: _write(into, seed, size, told)
    )
    archive_folder = folder / "archive"
    events = truth.read_truth(archive_folder)
    return MadeSite(
        archive_folder=archive_folder,
        labels_file=folder / "clips" / "labels.csv",
        held_out=archive_folder / f"{max(event.recording for event in events)}.opus",
        truth=events,
    )


def _write(staging: Path, seed: int, size: SiteSize, progress: Progress) -> None:
    """Write both parts below ``staging``."""
    recordings = plan_recordings(seed, duration_s=size.recording_s, channels=size.channels)
    clips = plan_clips(seed, clips_per_class=size.clips_per_class, groups_per_class=size.groups_per_class)
    total = len(recordings) + len(clips)
    done = itertools.count(1)
    write_archive(staging / "archive", recordings, lambda: progress(next(done), total))
    write_clips(staging / "clips", clips, lambda: progress(next(done), total))
