"""Which labelled events come from clips that a generation was trained on.

Recordings mixed from clips may have a ``truth.csv`` beside them, whose columns ``recording`` (name without suffix),
``channel``, ``start_s``, ``end_s`` and ``clip`` say which clip each event is. A clip counts as trained on if a clip
of the same file name was imported and lies on the train or validation side of a dataset version that an expert of
the generation was made from. A file that was imported under another name is not recognised.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from sqlalchemy import select

from tidzam_platform.catalog.generations import get_generation
from tidzam_platform.catalog.tables import Clip
from tidzam_platform.classifiers.evaluation.events import TimedLabel, Track
from tidzam_platform.datasets.build import load_manifest
from tidzam_platform.errors import LabelError
from tidzam_platform.files import sha256_of_file
from tidzam_platform.home import Home

TRUTH: Final = "truth.csv"
_COLUMNS: Final = {"recording", "channel", "start_s", "end_s", "clip"}
_TRAINED_SIDES: Final = {"train", "validation"}
_DIGITS: Final = 3  # of a time in s, to which tracks and truth agree

_Place = tuple[Path, int, float, float]


@dataclass(frozen=True)
class Origins:
    """The file name of the clip that each event is, by recording (path without suffix), channel and times."""

    clip_of: dict[_Place, str]

    def clip(self, recording: Path, channel: int, event: TimedLabel) -> str | None:
        """The clip that an event of a recording is, None if nobody says."""
        return self.clip_of.get(_place(recording.with_suffix(""), channel, event.onset_s, event.offset_s))


def read_origins(recordings: Iterable[Path]) -> Origins | None:
    """What the ``truth.csv`` beside the recordings say; None if there is none that names clips.

    Raises:
        LabelError: a file that names clips cannot be read.
    """
    clip_of: dict[_Place, str] = {}
    for folder in sorted({recording.parent for recording in recordings}):
        clip_of |= _read(folder / TRUTH)
    return Origins(clip_of) if clip_of else None


@dataclass(frozen=True)
class TrainedClips:
    """Clips that an expert of a generation was trained on: file names as they were imported, and hashes of bytes."""

    names: frozenset[str]
    sha256: frozenset[str]

    def among(self, files: Iterable[Path]) -> int:
        """How many of the files hold the bytes of a trained clip; those that are not there are none."""
        return sum(path.is_file() and sha256_of_file(path) in self.sha256 for path in files)


def trained_clips(home: Home, generation: int) -> TrainedClips:
    """The clips on the train and validation sides of all dataset versions that the generation was made from.

    Raises:
        CatalogError: the catalog does not know the generation.
        DatasetError: or one of its dataset versions.
    """
    row = get_generation(home.catalog, generation)
    experts = row.manifest.get("experts", {}).values()
    versions = {row.dataset_version, *(one["dataset_version"] for one in experts if "dataset_version" in one)}
    trained = {
        entry.clip_sha256
        for version in versions
        for entry in load_manifest(home.catalog, home.store, version).rows
        if entry.side in _TRAINED_SIDES
    }
    with home.catalog.reading() as session:
        rows = session.execute(select(Clip.sha256, Clip.origin)).all()
    names = {
        origin["imported_as"] for sha256, origin in rows if sha256 in trained and "imported_as" in origin
    }
    return TrainedClips(frozenset(names), frozenset(trained))


@dataclass(frozen=True)
class UnseenTrack:
    """A track with the events of clips that were not trained on; the others' stretches are not scored."""

    track: Track
    trained: int
    without_origin: int


def without_trained(
    track: Track,
    recording: Path,
    channel: int,
    labels: Iterable[TimedLabel],
    origins: Origins,
    trained: frozenset[str],
) -> UnseenTrack:
    """Leave the events of trained clips, and those whose clip nobody names, out of the score.

    Args:
        track: whose reference events are those of ``labels`` in the same order, by class of the model.
        recording: that it belongs to.
        channel: from 1.
        labels: the events as the label track has them.
        origins: which clip each event is.
        trained: file names of clips.
    """
    kept: list[TimedLabel] = []
    ignored = list(track.ignored)
    seen = nameless = 0
    for event, label in zip(track.reference, labels, strict=True):
        clip = origins.clip(recording, channel, label)
        if clip is not None and clip not in trained:
            kept.append(event)
            continue
        ignored.append((event.onset_s, event.offset_s))
        seen += clip is not None
        nameless += clip is None
    return UnseenTrack(Track(tuple(kept), track.heard, tuple(ignored)), seen, nameless)


def _read(path: Path) -> dict[_Place, str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle, strict=True)
            if not set(reader.fieldnames or ()) >= _COLUMNS:
                return {}
            return {
                _place(
                    path.parent / row["recording"],
                    int(row["channel"]),
                    float(row["start_s"]),
                    float(row["end_s"]),
                ): PurePosixPath(row["clip"]).name
                for row in reader
                if row["clip"]
            }
    except FileNotFoundError:
        return {}
    except (UnicodeDecodeError, csv.Error, ValueError, TypeError, OSError) as error:
        raise LabelError(f"{path} cannot be read as the truth about the recordings: {error}") from error


def _place(stem: Path, channel: int, start_s: float, end_s: float) -> _Place:
    return stem, channel, round(start_s, _DIGITS), round(end_s, _DIGITS)
