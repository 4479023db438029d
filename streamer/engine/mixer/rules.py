"""The rules of the mixer's policy, read from a TOML file (docs/mixer.md)."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from streamer.engine.mixer.gain import MAX_GAIN_DB, MIN_GAIN_DB
from tidzam_platform.channel_patterns import matches_channel
from tidzam_platform.errors import InvalidNameError, SettingsError
from tidzam_platform.labels.class_paths import valid_class_path

MAX_RULES: Final = 200
_MAX_FILE_BYTES: Final = 1 << 20
_DECIBELS: Final = ("level", "peak")
_RELEASE_DB: Final = 3.0  # below ``above``, unless the rule says where
_RELEASE_SHARE: Final = 0.8  # of ``above``, likewise

Measure = Literal["class", "level", "peak", "clipping", "hum"]


def _class_path(path: str) -> str:
    try:
        return valid_class_path(path)
    except InvalidNameError as error:
        raise ValueError(str(error)) from error


class Rule(BaseModel):
    """When a measure is above a bound for long enough, the channel is muted or turned down.

    Attributes:
        name: of the rule, unlike all others.
        channels: patterns of channel names (``*``, ``?``), one of which must match.
        measure: ``class``: score, 0 to 1; ``level``: RMS, dBFS; ``peak``: dBFS; ``clipping``: share of samples, 0 to 1;
            ``hum``: share of the power, 0 to 1.
        class_path: whose score counts, its descendants' too; for the measure ``class``.
        above: acts above this.
        below: is released below this, which is not above ``above``.
        for_s: how long the measure must stay above before the rule acts.
        hold_s: how long it acts at least.
        release_s: how long the measure must stay below before the rule is released.
        mute: what it does.
        gain_db: what it does instead: the gain of the channel.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)

    name: str = Field(min_length=1, max_length=64)
    channels: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = ("*",)
    measure: Measure
    class_path: Annotated[str, AfterValidator(_class_path)] | None = Field(None, alias="class")
    above: float
    below: float
    for_s: float = Field(2.0, ge=0, le=86_400)
    hold_s: float = Field(10.0, ge=0, le=86_400)
    release_s: float = Field(5.0, ge=0, le=86_400)
    mute: bool = False
    gain_db: float | None = Field(None, ge=MIN_GAIN_DB, le=MAX_GAIN_DB)

    @model_validator(mode="before")
    @classmethod
    def _release_below(cls, given: object) -> object:
        """Where the rule does not say when it is released: a little below where it acts."""
        if isinstance(given, dict) and "below" not in given and isinstance(given.get("above"), int | float):
            above = float(given["above"])
            below = above - _RELEASE_DB if given.get("measure") in _DECIBELS else above * _RELEASE_SHARE
            return {**given, "below": below}
        return given

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if (self.measure == "class") != (self.class_path is not None):
            raise ValueError("'class' names the class of the measure 'class', and stands with no other one")
        if self.below > self.above:
            raise ValueError(f"below ({self.below:g}) must not be greater than above ({self.above:g})")
        if self.measure not in _DECIBELS and not 0 <= self.above < 1:
            raise ValueError(f"{self.measure} lies between 0 and 1, and never above {self.above:g}")
        if self.mute == (self.gain_db is not None):
            raise ValueError("a rule does one thing: write mute = true, or gain_db = a number")
        return self

    def concerns(self, channel: str) -> bool:
        """Whether the rule looks at that channel."""
        return matches_channel(channel, self.channels)

    @property
    def action(self) -> str:
        """What it does, for people."""
        return "mute" if self.mute else f"gain {self.gain_db:+g} dB"


def load_rules(file: Path) -> tuple[Rule, ...]:
    """Read ``[[rule]]`` tables.

    Raises:
        SettingsError: the file is not there, is no TOML, or a rule makes no sense.
    """
    try:
        data = file.read_bytes()
        if len(data) > _MAX_FILE_BYTES:
            raise SettingsError(f"{file} is longer than {_MAX_FILE_BYTES} bytes: that is no file of rules")
        document = tomllib.loads(data.decode())
    except (OSError, ValueError) as error:
        raise SettingsError(f"the mixer's rules {file} cannot be read: {error}") from error
    tables = document.pop("rule", [])
    if document or not isinstance(tables, list) or len(tables) > MAX_RULES:
        raise SettingsError(f"{file}: write tables [[rule]], {MAX_RULES} at most, and nothing else")
    rules = tuple(_rule(file, number, table) for number, table in enumerate(tables, 1))
    names = [rule.name for rule in rules]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise SettingsError(f"{file}: two rules are named {min(twice)!r}; give each a name of its own")
    return rules


def _rule(file: Path, number: int, table: object) -> Rule:
    try:
        return Rule.model_validate(table)
    except ValidationError as error:
        lines = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'rule'}: {item['msg']}"
            for item in error.errors()
        )
        name = table.get("name", "without a name") if isinstance(table, dict) else "which is no table"
        raise SettingsError(f"{file}: rule {number} ({name}): {lines}") from error
