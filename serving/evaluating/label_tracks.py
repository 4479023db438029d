"""Audacity label tracks beside recordings: ``<recording>.ch<k>.txt`` holds the labels of channel k, from 1.

A line is start, end (s from the recording's first sample) and label, separated by tabs; lines that begin with a
backslash are the frequencies of the label above (Audacity's spectral selection) and are passed over. An empty track
says that nothing sounds; a channel without a track was not labelled.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tidzam_platform.classifiers.evaluation.events import TimedLabel
from tidzam_platform.errors import LabelError
from tidzam_platform.labels.folder_reader import AUDIO_SUFFIXES
from tidzam_platform.labels.tracks.audacity import read_audacity

_TRACK: Final = re.compile(r"(?P<stem>.+)\.ch(?P<channel>[1-9][0-9]{0,5})\.txt", re.DOTALL)


@dataclass(frozen=True)
class LabelledRecording:
    """A recording and what somebody heard on its channels (from 1) that have a track."""

    path: Path
    tracks: dict[int, tuple[TimedLabel, ...]]


@dataclass(frozen=True)
class LabelledArchive:
    """The recordings of a folder that have label tracks.

    Attributes:
        recordings: in ascending order of path.
        without_tracks: how many audio files have none.
        without_recording: tracks that lie beside no recording of their name.
    """

    recordings: tuple[LabelledRecording, ...]
    without_tracks: int
    without_recording: tuple[Path, ...]


def find_labelled(folder: Path) -> LabelledArchive:
    """Find and read all tracks in ``folder`` and the folders in it; hidden ones are passed over.

    Raises:
        LabelError: no such folder, no track beside a recording, a track that cannot be read, or two recordings of
            one name.
    """
    if not folder.is_dir():
        raise LabelError(f"{folder}: no such folder")
    audio: dict[Path, Path] = {}
    tracks: dict[Path, dict[int, Path]] = {}
    for path in sorted(folder.rglob("*")):
        if any(part.startswith(".") for part in path.relative_to(folder).parts) or not path.is_file():
            continue
        if path.suffix.lower() in AUDIO_SUFFIXES:
            other = audio.setdefault(path.with_suffix(""), path)
            if other != path:
                raise LabelError(f"{path} and {other} share one name, so a label track fits both: rename one")
        elif match := _TRACK.fullmatch(path.name):
            tracks.setdefault(path.with_name(match["stem"]), {})[int(match["channel"])] = path
    recordings = tuple(
        LabelledRecording(
            audio[stem], {channel: read_label_track(path) for channel, path in sorted(found.items())}
        )
        for stem, found in sorted(tracks.items())
        if stem in audio
    )
    if not recordings:
        raise LabelError(
            f"{folder} holds no recording with a label track: beside night.opus put night.ch1.txt with the labels "
            "of its first channel"
        )
    lonely = tuple(path for stem, found in tracks.items() if stem not in audio for path in found.values())
    return LabelledArchive(recordings, len(audio) - len(recordings), lonely)


def read_label_track(path: Path) -> tuple[TimedLabel, ...]:
    """The labels of an Audacity track, by ascending onset; LabelError says which line cannot be read."""
    return tuple(
        sorted(
            TimedLabel(one.start_s, one.end_s, one.label)
            for one in read_audacity(path)
            if one.start_s is not None and one.end_s is not None
        )
    )
