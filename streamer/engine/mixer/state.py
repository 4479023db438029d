"""What the mixer keeps over restarts: ``mixer.json`` in the home."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from streamer.engine.mixer.gain import MAX_GAIN_DB, MIN_GAIN_DB
from tidzam_platform import files
from tidzam_platform.errors import EngineError, InvalidNameError
from tidzam_platform.names import split_channel
from tidzam_platform.validation_faults import faults

STATE_FILE: Final = "mixer.json"
MAX_CHANNELS: Final = 10_000
MAX_BY: Final = 100  # characters of who did it


def _channel(name: str) -> str:
    try:
        split_channel(name)
    except InvalidNameError as error:
        raise ValueError(str(error)) from error
    return name


ChannelName = Annotated[str, AfterValidator(_channel)]


class Manual(BaseModel):
    """What a person set on a channel, which wins over all rules; None where the person said nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    gain_db: float | None = Field(None, ge=MIN_GAIN_DB, le=MAX_GAIN_DB)
    mute: bool | None = None
    solo: bool = False
    by: str = Field("", max_length=MAX_BY)
    at: AwareDatetime

    @property
    def says_something(self) -> bool:
        """Whether anything is set."""
        return self.gain_db is not None or self.mute is not None or self.solo


class MixerState(BaseModel):
    """All of ``mixer.json``: what people set, and which rules act on which channel."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    manual: dict[ChannelName, Manual] = Field(default_factory=dict, max_length=MAX_CHANNELS)
    acting: dict[ChannelName, list[str]] = Field(default_factory=dict, max_length=MAX_CHANNELS)


def load_state(home: Path, now: datetime) -> tuple[MixerState, str | None]:
    """Read the state of the last run, empty where there is none.

    A damaged file is put aside under a name with the time, and said so: hearing all channels at their own level is
    better than no engine.

    Returns:
        The state, and what was wrong (None: nothing).

    Raises:
        EngineError: the file is there and cannot be read, or cannot be put aside.
    """
    file = home / STATE_FILE
    try:
        return MixerState.model_validate_json(file.read_bytes()), None
    except FileNotFoundError:
        return MixerState(), None
    except OSError as error:
        raise EngineError(
            f"the state of the mixer {file} cannot be read: {error.strerror}; mend it"
        ) from error
    except ValidationError as error:
        aside = file.with_name(f"{STATE_FILE}.damaged-{now:%Y%m%d-%H%M%S}")
        try:
            file.replace(aside)
        except OSError as problem:
            raise EngineError(f"{file} is damaged and cannot be moved away: {problem.strerror}") from error
        return MixerState(), f"{file} is damaged ({faults(error, MixerState)[0]}); it is kept as {aside.name}"


def save_state(home: Path, state: MixerState) -> None:
    """Write the state, whole or not at all.

    Raises:
        OSError: the disk is full, or the home may not be written to.
    """
    document: dict[str, Any] = state.model_dump(mode="json", exclude_defaults=True)
    data = json.dumps({"version": state.version, **document}, indent=1, sort_keys=True).encode()
    files.write_whole(home / STATE_FILE, data)
