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

_TRACK: Final = re.compile(r"(?P<stem>.+)\.ch(?P<channel>[1-9][0-9]{0,5})\.txt", re.DOTALL)
_FREQUENCIES: Final = "\\"


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
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise LabelError(f"{path} is no label track in UTF-8: {error}") from error
    except OSError as error:
        raise LabelError(f"{path} cannot be read: {error.strerror}") from error
    return tuple(
        sorted(
            _label(line, f"{path}:{number}")
            for number, line in enumerate(lines, 1)
            if line.strip() and not line.startswith(_FREQUENCIES)
        )
    )


def _label(line: str, where: str) -> TimedLabel:
    start, _, rest = line.partition("\t")
    end, _, label = rest.partition("\t")
    try:
        # Audacity writes the decimal comma where the user's language does.
        times = [float(time.replace(",", ".")) for time in (start, end)]
    except ValueError as error:
        raise LabelError(
            f"{where}: a label is start, end and name, separated by tabs, not {line!r}"
        ) from error
    if not label.strip():
        raise LabelError(f"{where}: the label has no name; write what sounds there, or remove the line")
    try:
        return TimedLabel(times[0], times[1], label.strip())
    except LabelError as error:
        raise LabelError(f"{where}: {error}") from error
