"""What a source is: where its audio comes from, which channels of it, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_serializer,
    field_validator,
    model_validator,
)

from streamer.engine.fetching.urls import parse_url
from streamer.engine.reserved_names import RESERVED_NAMES
from streamer.engine.sources.channel_choice import MAX_CHANNELS, parse_channels
from streamer.engine.sources.devices import JackPorts, parse_device
from streamer.engine.sources.record_schedule import MAX_SCHEDULES, read_schedules
from tidzam_platform.audio.archive_names import moments_of, time_zone
from tidzam_platform.clips.schedule import Schedule
from tidzam_platform.errors import ArchiveError, InvalidNameError, RefusedAddressError, SourceError
from tidzam_platform.names import valid_source
from tidzam_platform.validation_faults import faults

DATE_FORMAT: Final = "%Y-%m-%d-%H-%M-%S"
_MAX_PATH_LENGTH: Final = 4096


class SourceKind(StrEnum):
    """Where the audio comes from."""

    URL = "url"
    FILE = "file"
    ARCHIVE = "archive"
    DEVICE = "device"
    LIVE = "live"


class SourceSpecification(BaseModel):
    """One source, as it is asked for. ``url``, ``path``, ``database``, ``device`` or ``live`` says where from.

    A URL may stand beside a database and a date: a date in the past plays the archive, one in the future the URL.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str = Field(description="Of the source, and of its ports: <name>:out_1 and so on.")
    url: str | None = Field(None, description="http, https, icecast or rtsp.")
    path: Path | None = Field(None, description="A file that may be played; see sources.file_folders.")
    database: str | None = Field(None, description="The name that recordings of the archive begin with.")
    date: str | None = Field(None, description="YYYY-MM-DD-HH-MM-SS in `zone`, or ISO 8601 with a zone.")
    device: str | None = Field(None, description="alsa:hw:1,0 or jack:system, for instance.")
    live: bool = Field(False, description="Samples are pushed by the API.")
    channels: tuple[int, ...] | None = Field(None, description="Indices from 0; all of them by default.")
    nb_channels: int | None = Field(
        None, ge=1, le=MAX_CHANNELS, description="How many channels the input has; found out by default."
    )
    is_permanent: bool = Field(False, description="Never given up, and there again after a restart.")
    format: Literal["ogg", "copy"] = Field("ogg", description="copy: listeners get the input's own bytes.")
    record: bool = Field(False, description="Whether it is written to the archive all the time.")
    zone: str | None = Field(
        None, description="IANA time zone of its file names and of `date`; UTC by default."
    )
    latitude: float | None = Field(None, ge=-90, le=90, description="Degrees north.")
    longitude: float | None = Field(None, ge=-180, le=180, description="Degrees east.")
    record_schedule: tuple[Schedule, ...] = Field(
        (),
        max_length=MAX_SCHEDULES,
        description="When it is recorded, on a clock in `zone`: `mon,fri 22:00-04:00; sun`; always by default.",
    )
    path_database: Path | None = Field(None, description="Folder of its recordings, inside the archive.")
    database_file_length: int | None = Field(
        None, ge=10, le=86_400, description="Length of a file of its archive, s; recording.file_s by default."
    )

    @classmethod
    def parse(cls, request: Mapping[str, Any]) -> Self:
        """Read a request of the API or an entry of a file; what is empty counts as not given.

        Raises:
            SourceError: it is not well described; the message says all that is wrong with it.
        """
        given = {key: value for key, value in request.items() if value is not None and value != ""}
        try:
            return cls(**given)
        except (ValidationError, TypeError) as error:
            named = f"source {str(request['name'])[:80]!r}" if request.get("name") else "the source"
            raise SourceError(f"{named}: {_faults(error)}") from error

    @field_validator("name")
    @classmethod
    def _valid_name(cls, name: str) -> str:
        _require_source_name(name)
        if name in RESERVED_NAMES:
            reserved = ", ".join(sorted(RESERVED_NAMES))
            raise ValueError(
                f"{name!r} is a part of the engine itself: choose another name (reserved are {reserved})"
            )
        return name

    @field_validator("database")
    @classmethod
    def _valid_database(cls, name: str | None) -> str | None:
        if name is not None:
            _require_source_name(name)
        return name

    @field_validator("url")
    @classmethod
    def _valid_url(cls, url: str | None) -> str | None:
        if url is not None:
            try:
                parse_url(url)
            except RefusedAddressError as error:
                raise ValueError(str(error)) from error
        return url

    @field_validator("path", "path_database")
    @classmethod
    def _valid_path(cls, path: Path | None) -> Path | None:
        if path is not None and (
            ".." in path.parts or "\0" in str(path) or len(str(path)) > _MAX_PATH_LENGTH
        ):
            raise ValueError("a path has no '..' and no null byte in it")
        return path

    @field_validator("device")
    @classmethod
    def _valid_device(cls, device: str | None) -> str | None:
        if device is not None:
            parse_device(device)
        return device

    @field_validator("channels", mode="before")
    @classmethod
    def _read_channels(cls, channels: Any) -> Any:
        if channels is None or isinstance(channels, str | list | tuple):
            return channels if channels is None else parse_channels(channels)
        return parse_channels([channels])

    @field_validator("zone")
    @classmethod
    def _valid_zone(cls, zone: str | None) -> str | None:
        if zone is not None:
            try:
                time_zone(zone)
            except ArchiveError as error:
                raise ValueError(str(error)) from error
        return zone

    @field_validator("record_schedule", mode="before")
    @classmethod
    def _read_schedule(cls, given: Any) -> Any:
        return read_schedules(given)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.record_schedule and not self.record:
            raise ValueError("record_schedule says when it is recorded: give record too")
        self._require_one_origin()
        if self.date is not None:
            self.moment()
        highest = max(self.channels or (0,))
        if self.nb_channels is not None and highest >= self.nb_channels:
            raise ValueError(f"channel {highest} (from 0) is chosen, but nb_channels is {self.nb_channels}")
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("latitude and longitude belong together")
        if self.device is not None and isinstance(parse_device(self.device), JackPorts) and self.record:
            raise ValueError("ports of JACK are analysed, not recorded: use alsa:... to record a sound card")
        return self

    @field_serializer("channels")
    def _write_channels(self, channels: tuple[int, ...] | None) -> str | None:
        return None if channels is None else ",".join(map(str, channels))

    @property
    def archive_name(self) -> str:
        """The database whose recordings it plays or writes."""
        return self.database or self.name

    @property
    def shown_url(self) -> str | None:
        """The URL without user, password and query, for people and logs."""
        return None if self.url is None else str(parse_url(self.url))

    def moment(self, default_zone: str = "UTC") -> datetime | None:
        """``date`` in UTC; None without one. A time that the clock showed twice means the first.

        Raises:
            ValueError: it is no date.
        """
        if self.date is None:
            return None
        return parse_date(self.date, self.zone or default_zone)

    def kind(self, now: datetime, default_zone: str = "UTC") -> SourceKind:
        """Where its audio comes from, if it is started at ``now``: a date in the future means the URL."""
        if self.path is not None:
            return SourceKind.FILE
        if self.device is not None:
            return SourceKind.DEVICE
        if self.live:
            return SourceKind.LIVE
        moment = self.moment(default_zone)
        if self.url is not None and (moment is None or moment >= now):
            return SourceKind.URL
        return SourceKind.ARCHIVE

    def as_dict(self, *, hide_secrets: bool = True) -> dict[str, Any]:
        """What JSON can say of it, defaults left out; ``parse`` reads it unless secrets are hidden."""
        described = self.model_dump(mode="json", exclude_defaults=True)
        if hide_secrets and self.url is not None:
            described["url"] = self.shown_url
        return described

    def _require_one_origin(self) -> None:
        alone = [self.path is not None, self.device is not None, self.live]
        archived = self.database is not None or self.date is not None
        if sum(alone) + (self.url is not None or archived) != 1:
            raise ValueError(
                "says not where its audio comes from: give one of url, path, database (and date), device or live"
            )


def parse_date(text: str, zone: str) -> datetime:
    """Aware UTC of ``YYYY-MM-DD-HH-MM-SS`` on a clock in ``zone``, or of ISO 8601 with a zone of its own.

    Raises:
        ValueError: it is neither.
    """
    try:
        wall_clock = datetime.strptime(text, DATE_FORMAT)  # noqa: DTZ007 - its zone comes next
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise ValueError(
                f"{text!r} is no date: write YYYY-MM-DD-HH-MM-SS, or 2026-04-01T05:00:00Z"
            ) from error
        if moment.tzinfo is None:
            raise ValueError(
                f"{text!r} has no time zone: add Z for UTC, or an offset such as +02:00"
            ) from None
        return moment.astimezone(UTC)
    try:
        return moments_of(wall_clock, time_zone(zone)).first
    except ArchiveError as error:
        raise ValueError(str(error)) from error


def _require_source_name(name: str) -> None:
    try:
        valid_source(name)
    except InvalidNameError as error:
        raise ValueError(str(error)) from error


def _faults(error: ValidationError | TypeError) -> str:
    if isinstance(error, TypeError):
        return "a description is an object whose keys are words"
    return "; ".join(map(str, faults(error, SourceSpecification)))
