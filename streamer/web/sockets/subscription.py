"""What of the results a client wants to be told, and in which form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from streamer.web.channel_patterns import channel_pattern
from tidzam_platform.channel_patterns import ChannelPatterns

Form = Literal["new", "old", "brief"]
_MAX_PATTERNS: Final = 100


class Subscribing(BaseModel):
    """``{"channels": [...], "form": ...}`` of the command ``subscribe``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channels: tuple[Annotated[str, AfterValidator(channel_pattern)], ...] | None = Field(
        None, max_length=_MAX_PATTERNS
    )
    form: Form = "new"


@dataclass(frozen=True)
class Subscription:
    """Equal ones are told the same.

    Attributes:
        channels: patterns of channels; None stands for all, an empty tuple for none.
        form: ``new`` has every class's score under ``outputs``; ``old`` has them under ``predicitions`` and time as the
            first versions of Tidzam wrote it; ``brief`` has no scores.
    """

    channels: tuple[str, ...] | None = None
    form: Form = "new"
    _patterns: ChannelPatterns = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_patterns", ChannelPatterns(self.channels or ()))

    def wants(self, channel: str) -> bool:
        """Whether it is about that channel; what is of no channel is for everybody."""
        if self.channels is None or not channel:
            return True
        return self._patterns.match(channel)


EVERYTHING: Final = Subscription()
