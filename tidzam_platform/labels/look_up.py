"""From the rows of a label file to what they speak of."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from sqlalchemy.orm import Session

from tidzam_platform.catalog.tables import Recording
from tidzam_platform.detections.detection import Detection
from tidzam_platform.errors import LabelError, NothingToLabelError
from tidzam_platform.labels.targets import (
    ClipTarget,
    DetectionTarget,
    RecordingTarget,
    Target,
    find_clip,
    find_recording,
)
from tidzam_platform.labels.tracks import TrackLabel

SHOWN: Final = 3  # of what is named in a message
# What Audacity and Raven make of a recording's name: night.ch2.txt, night.Table.1.selections.txt
_FILE_NAME: Final = re.compile(
    r"(?P<stem>.+?)(?:\.ch(?P<channel>[1-9][0-9]{0,3}))?(?:\.Table\.[0-9]+\.selections)?\.[A-Za-z]{1,5}",
    re.DOTALL,
)


class LookUp:
    """Finds the targets of rows; each recording and clip is looked up once."""

    def __init__(
        self,
        session: Session,
        path: Path,
        recording: str | None,
        clip: str | None,
        channel: int | None,
        heard: Mapping[str, Detection],
    ) -> None:
        self._session = session
        self._path = path
        self._recording = recording
        self._clip = clip
        self._channel = channel
        self._heard = heard
        self._recordings: dict[str, Recording] = {}
        self._clips: dict[str, int] = {}

    def require_one(self, rows: Sequence[TrackLabel]) -> None:
        """Where the caller names the recording, the rows must not speak of several."""
        named = sorted({row.recording for row in rows if row.recording is not None})
        if (self._recording or self._clip) and len(named) > 1:
            raise LabelError(
                f"{self._path} speaks of {len(named)} recordings ({', '.join(named[:SHOWN])}): "
                "leave out --recording and --clip, then each row's own is looked up"
            )

    def whole(self) -> list[Target]:
        """What the file as a whole speaks of, where that is told: a clip, or channels of a recording."""
        if self._clip is not None:
            return [ClipTarget(self._clip_id(self._clip))]
        match = _FILE_NAME.fullmatch(self._path.name)
        name = self._recording or (match["stem"] if match else None)
        if name is None:
            return []
        try:
            recording = self._found(name)
        except NothingToLabelError:
            if self._recording is not None:
                raise
            return []  # the rows name what they speak of
        number = self._channel or (int(match["channel"]) if match and match["channel"] else None)
        numbers = range(1, (recording.channels or 0) + 1) if number is None else (number,)
        return [RecordingTarget(recording.id, each) for each in numbers]

    def target(self, row: TrackLabel, channel: int | None) -> Target:
        """What a row speaks of; ``channel``: that its words name.

        Raises:
            NothingToLabelError: it is not known.
            LabelError: it may be several channels.
        """
        if row.detection is not None:
            return DetectionTarget(self._heard[row.detection])
        match = _FILE_NAME.fullmatch(self._path.name)
        try:
            if (clip := row.clip or self._clip) is not None:
                return ClipTarget(self._clip_id(clip))
            recording = self._found(
                self._recording or row.recording or (match["stem"] if match else self._path.name)
            )
        except NothingToLabelError as error:
            raise NothingToLabelError(
                f"{row.where}: {error}; or say with --recording or --clip what {self._path.name} speaks of"
            ) from error
        number = self._channel or channel
        if number is None and match and match["channel"]:
            number = int(match["channel"])
        if number is None and recording.channels == 1:
            number = 1
        if number is None:
            raise LabelError(
                f"{row.where}: {recording.path} has {recording.channels} channels: say which with --channel, "
                "or in the file's name, e.g. night.ch2.txt"
            )
        return RecordingTarget(recording.id, number)

    def _found(self, name: str) -> Recording:
        if name not in self._recordings:
            self._recordings[name] = find_recording(self._session, name)
        return self._recordings[name]

    def _clip_id(self, text: str) -> int:
        if text not in self._clips:
            self._clips[text] = find_clip(self._session, text).id
        return self._clips[text]
