"""What clients may ask for: the shapes of requests, over HTTP and Socket.IO alike. Sources: ``SourceSpecification``."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    ValidationError,
    model_validator,
)

from serving.gateway.refusals import HttpRefusalError, bad_request
from streamer.engine.sources.specification import SourceSpecification, parse_date
from tidzam_platform.errors import InvalidNameError, SourceError
from tidzam_platform.names import MAX_NAME_LENGTH, split_channel, valid_source
from tidzam_platform.plain_text import require_plain
from tidzam_platform.validation_faults import faults

Shape = TypeVar("Shape", bound=BaseModel)

MAX_BODY_BYTES: Final = 1 << 16
MIN_RATE_HZ: Final = 4000
MAX_RATE_HZ: Final = 192_000
DEFAULT_RATE_HZ: Final = 48_000
_ANY_ZONE: Final = "UTC"  # to see whether it is a date; the engine reads it in the zone of the source


def _date(text: str) -> str:
    parse_date(text, _ANY_ZONE)
    return text


def _source(name: str) -> str:
    try:
        return valid_source(name)
    except InvalidNameError as error:
        raise ValueError(str(error)) from error


def _channel(name: str) -> str:
    try:
        split_channel(name)
    except InvalidNameError as error:
        raise ValueError(str(error)) from error
    return name


Name = Annotated[str, StringConstraints(max_length=MAX_NAME_LENGTH), AfterValidator(_source)]
Channel = Annotated[str, StringConstraints(max_length=MAX_NAME_LENGTH + 20), AfterValidator(_channel)]
Date = Annotated[str, StringConstraints(max_length=40), AfterValidator(_date)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Seek(_Asked):
    """Where a source that plays an archive goes on."""

    date: Date = Field(description="YYYY-MM-DD-HH-MM-SS in the zone of the source, or ISO 8601 with a zone.")


class MixerChange(_Asked):
    """What people hear of a channel, by hand, until it is released; at least one of these."""

    gain_db: float | None = Field(None, strict=True, ge=-60, le=24, description="Gain, dB.")
    mute: StrictBool | None = Field(None, description="Whether nobody hears it.")
    solo: StrictBool | None = Field(None, description="Whether it is heard and channels without it are not.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_dump(exclude_none=True):
            raise ValueError("say gain_db, mute or solo")
        return self


class SourceName(_Asked):
    """Which source."""

    name: Name


class ChannelName(_Asked):
    """Which channel."""

    channel: Channel


class LiveStream(_Asked):
    """How a live stream is sent."""

    samplerate: int = Field(
        DEFAULT_RATE_HZ, ge=MIN_RATE_HZ, le=MAX_RATE_HZ, description="Samples a second, Hz."
    )
    storage: StrictBool = Field(
        False, description="Whether a recording is kept, under unchecked, for labelling."
    )


def checked(shape: type[Shape], value: Any, what: str) -> Shape:
    """``value`` as that shape.

    Args:
        shape: what it must be.
        value: from outside.
        what: it is called in the message.

    Raises:
        HttpRefusalError: it is something else (400); the message names the first fault.
    """
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        fault = faults(error, shape)[0]
        where = f"{what}, {fault.place}" if fault.place else what
        raise bad_request(f"{where}: {fault.what}") from error


def checked_source(value: Any) -> SourceSpecification:
    """A source that a client describes.

    Raises:
        HttpRefusalError: it is no such description (400), or a live stream, which is opened otherwise.
    """
    if not isinstance(value, dict):
        raise bad_request("a source is described by an object: name, url and so on")
    try:
        described = SourceSpecification.parse(value)
    except SourceError as error:
        raise HttpRefusalError(400, "bad_source", str(error)[:2000]) from error
    if described.live:
        raise HttpRefusalError(
            400, "bad_source", "a live stream is opened by sending it: see docs/socketio.md"
        )
    return described


def for_engine(described: SourceSpecification) -> dict[str, Any]:
    """What was said of a source, whole: URLs with their passwords."""
    said = described.as_dict(hide_secrets=False)
    return {key: value for key, value in said.items() if value is not None}


def json_body(data: bytes) -> Any:
    """The JSON in the body of a request.

    Raises:
        HttpRefusalError: too much of it (413), or no JSON (400).
        InvalidNameError: a text in it holds a control character.
    """
    if len(data) > MAX_BODY_BYTES:
        raise HttpRefusalError(413, "too_large", f"more than {MAX_BODY_BYTES} bytes")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise bad_request(f"the body is no JSON: {error}") from error
    require_plain(value, "the body")
    return value
