"""What a rule of the recorder says: which windows of live audio are worth a clip, or must never be in one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from tidzam_platform.channel_patterns import matches_channel, valid_channel_pattern
from tidzam_platform.clips.schedule import Schedule, split_words
from tidzam_platform.errors import InvalidNameError, RuleError
from tidzam_platform.labels.class_paths import NO_SIGNAL, is_within, valid_class_path
from tidzam_platform.names import valid_source
from tidzam_platform.validation_faults import faults

EVERYTHING: Final = "*"
AUTO: Final = "auto"
UNCHECKED: Final = "unchecked"
MIN_LENGTH_S: Final = 0.5
MAX_LENGTH_S: Final = 60.0
FORBIDDEN_SCORE: Final = 0.3
"""A class that must not be kept counts as heard from this score on, unless the rule says, or its threshold is lower."""

_MAX_PATTERNS: Final = 200
_MAX_CLASSES: Final = 1000
_MAX_COUNT: Final = 10**9
_RANGE: Final = re.compile(r"\s*([0-9.]+)\s+to\s+([0-9.]+)\s*")
# What a rule that forbids may say; all else is about keeping.
_OF_FORBIDDING: Final = frozenset({"channels", "classes", "score", "schedule", "forbid"})


def _read_range(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    match = _RANGE.fullmatch(value)
    if match is None:
        raise ValueError(f"{value!r} is no range of scores: write '0.3 to 0.6'")
    return match[1], match[2]


def _read_rate(value: Any) -> float | str:
    """``auto``, or the number that ``value`` is or spells."""
    if isinstance(value, str) and value.strip() == AUTO:
        return AUTO
    try:
        rate = -1.0 if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        rate = -1.0
    if not 0 <= rate <= 1:
        raise ValueError(f"{str(value)[:80]!r} is no rate: write a number from 0 to 1, or auto")
    return rate


Score = Annotated[float, Field(ge=0, le=1)]
Words = Annotated[tuple[str, ...], BeforeValidator(split_words)]


class RecorderRuleSpec(BaseModel):
    """One rule. All that it says must hold of a window; ``docs/clips.md`` explains each with examples."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    channels: Words = Field(
        (EVERYTHING,),
        min_length=1,
        max_length=_MAX_PATTERNS,
        description="Patterns of channels: marsh:out_*; * and ? stand for any letters.",
    )
    classes: Words = Field(
        (EVERYTHING,),
        min_length=1,
        max_length=_MAX_CLASSES,
        description="Class paths, each with what lies below it; unknown; * for all but no_signal.",
    )
    score: Annotated[tuple[Score, Score] | None, BeforeValidator(_read_range)] = Field(
        None, description="Range of the class's score, '0.3 to 0.6', ends included; of the answer's with *."
    )
    uncertainty: float | None = Field(
        None, gt=0, le=1, description="Only where the best class leads the second by less than this."
    )
    disagreement: bool = Field(
        False, description="Only where the canary's answer differs from the stable generation's."
    )
    rate: Annotated[float | Literal["auto"], BeforeValidator(_read_rate)] = Field(
        1.0,
        description="Share of such windows that are kept, 0 to 1; auto: the rarer a class, the more of it.",
    )
    at_least: int = Field(
        1, ge=1, le=_MAX_COUNT, description="With auto: so many clips of a class are kept before it weighs."
    )
    length_s: float = Field(
        3.0, ge=MIN_LENGTH_S, le=MAX_LENGTH_S, description="Length of a clip, the window in its middle."
    )
    object_filter: bool = Field(
        False, description="Skip clips whose energy lies at their beginning or end: sounds that are cut."
    )
    destination: str = Field(UNCHECKED, description="Name under which people find its clips; never a path.")
    schedule: Schedule | None = Field(None, description="When it holds; always by default.")
    daily_quota: int | None = Field(
        None, ge=1, le=_MAX_COUNT, description="Most clips a day, of the schedule's clock."
    )
    total_quota: int | None = Field(None, ge=1, le=_MAX_COUNT, description="Most clips in all.")
    cooldown_s: float | None = Field(
        None,
        ge=0,
        le=604_800,
        description="Pause of a channel after a clip of this rule; the length by default.",
    )
    forbid: bool = Field(
        False, description="No audio of these classes is kept by any rule, nor the windows next to it."
    )
    distinct: float = Field(
        0.0,
        ge=0,
        le=2,
        description="Skip sounds whose embedding is nearer than this (cosine distance) to a kept one's; 0: off.",
    )

    @classmethod
    def parse(cls, request: Mapping[str, Any]) -> Self:
        """Read what a person or a program wrote; what is None or empty counts as not given.

        Raises:
            RuleError: it makes no sense; the message says all that is wrong.
        """
        given = {key: value for key, value in request.items() if value is not None and value not in ("", ())}
        try:
            return cls(**given)
        except (ValidationError, TypeError) as error:
            raise RuleError(f"the rule makes no sense: {_faults(error)}") from error

    @field_validator("channels")
    @classmethod
    def _valid_channels(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_valid(valid_channel_pattern, pattern) for pattern in patterns))

    @field_validator("classes")
    @classmethod
    def _valid_classes(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(
            dict.fromkeys(path if path == EVERYTHING else _valid(valid_class_path, path) for path in paths)
        )

    @field_validator("destination")
    @classmethod
    def _valid_destination(cls, name: str) -> str:
        try:
            return valid_source(name)
        except InvalidNameError:
            raise ValueError(
                f"{name[:80]!r} is no name of a destination: use letters, digits, '_' and '-', 64 at most; "
                "it is no path"
            ) from None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.score is not None and self.score[0] > self.score[1]:
            raise ValueError(
                f"score: {self.score[0]:g} to {self.score[1]:g} is empty: write the lower end first"
            )
        if self.at_least > 1 and self.rate != AUTO:
            raise ValueError("at_least belongs to rate auto: add it, or leave at_least out")
        if not self.forbid:
            return self
        useless = [
            name
            for name, field in type(self).model_fields.items()
            if name not in _OF_FORBIDDING and getattr(self, name) != field.default
        ]
        if useless:
            raise ValueError(f"a rule that forbids keeps nothing: leave out {', '.join(useless)}")
        if self.score is not None and self.score[1] < 1:
            raise ValueError("a rule that forbids has no upper end: write score '0.2 to 1'")
        return self

    @property
    def pause_s(self) -> float:
        """How long a channel pauses after a clip."""
        return self.length_s if self.cooldown_s is None else self.cooldown_s

    def concerns(self, channel: str) -> bool:
        """Whether it looks at that channel."""
        return matches_channel(channel, self.channels)

    def names_class(self, path: str) -> bool:
        """Whether ``path`` is one of its classes or below one; ``*`` leaves ``no_signal`` out unless it forbids."""
        if EVERYTHING in self.classes and (self.forbid or not is_within(path, NO_SIGNAL)):
            return True
        return any(is_within(path, known) for known in self.classes)

    def holds_at(self, moment: datetime) -> bool:
        """Whether its schedule has it at ``moment`` (aware)."""
        return self.schedule is None or self.schedule.holds(moment)

    def day_start(self, now: datetime) -> datetime:
        """When the day of its daily quota began, aware."""
        return (self.schedule or Schedule()).day_start(now)

    def as_dict(self) -> dict[str, Any]:
        """What JSON can say of it, whole: a default that changes later changes no rule. ``parse`` reads it."""
        return self.model_dump(mode="json", exclude_none=True)

    def summary(self) -> str:
        """One line for people: what differs from a rule that keeps everything."""
        said = self.model_dump(mode="json", exclude_defaults=True, exclude={"channels", "classes", "forbid"})
        if self.score is not None:
            said["score"] = f"{self.score[0]:g} to {self.score[1]:g}"
        if self.schedule is not None:
            said["schedule"] = " ".join(
                (*self.schedule.times, "/".join(self.schedule.days), self.schedule.zone)
            )
        return ", ".join(name if value is True else f"{name} {value}" for name, value in said.items())


def _valid(check: Any, text: str) -> str:
    try:
        return str(check(text))
    except InvalidNameError as error:
        raise ValueError(str(error)) from error


def _faults(error: ValidationError | TypeError) -> str:
    if isinstance(error, TypeError):
        return "a rule is an object whose keys are words"
    return "; ".join(map(str, faults(error, RecorderRuleSpec)))
