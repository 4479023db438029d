"""Where the recordings of a source go, and how long they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal
from zoneinfo import ZoneInfo

from streamer.engine.sources.recording_folder import recording_folder
from streamer.engine.sources.specification import SourceSpecification
from tidzam_platform.audio.archive_names import time_zone
from tidzam_platform.clips.schedule import Schedule
from tidzam_platform.settings import Settings

RecordingCodec = Literal["opus", "flac"]
_EXTENSIONS: Final[dict[RecordingCodec, str]] = {"opus": "opus", "flac": "ogg"}


@dataclass(frozen=True)
class RecordingPlan:
    """How a source is recorded.

    Attributes:
        source: its name.
        database: what the names of the recordings begin with.
        folder: where they lie.
        zone: of the clock that names them.
        file_s: length of a file: one ends at each whole multiple of it since midnight UTC.
        bitrate_kbps: of one channel, Opus.
        schedule: when it is recorded; always, if there is none.
        codec: Opus, or FLAC in Ogg, which loses nothing of samples of 24 bits (8 channels at most).
    """

    source: str
    database: str
    folder: Path
    zone: ZoneInfo
    file_s: int
    bitrate_kbps: int
    codec: RecordingCodec = "opus"
    schedule: tuple[Schedule, ...] = ()

    @property
    def extension(self) -> str:
        """Of the files."""
        return _EXTENSIONS[self.codec]

    def is_recorded_at(self, moment: datetime) -> bool:
        """Whether what sounds at ``moment`` (aware) is recorded; it changes at whole minutes only."""
        return not self.schedule or any(one.holds(moment) for one in self.schedule)


def plan_of(specification: SourceSpecification, settings: Settings) -> RecordingPlan:
    """How a source with ``record`` is recorded: below the archive, in a folder of its own unless it names one.

    Raises:
        SourceError: its folder lies outside of the archive.
    """
    return RecordingPlan(
        source=specification.name,
        database=specification.archive_name,
        folder=recording_folder(specification, settings),
        zone=time_zone(specification.zone or "UTC"),
        file_s=specification.database_file_length or settings.recording.file_s,
        bitrate_kbps=settings.recording.bitrate_kbps,
        schedule=tuple(
            one.model_copy(update={"zone": specification.zone or "UTC"})
            for one in specification.record_schedule
        ),
    )
