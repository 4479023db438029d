"""Rules of alerts, read from a TOML file (docs/alerts.md)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from streamer.analyzer.choosing import ChannelPattern, ClassChoice, is_chosen_class
from streamer.analyzer.toml_tables import read_tables
from tidzam_platform.channel_patterns import matches_channel
from tidzam_platform.clips.schedule import Schedule
from tidzam_platform.detections.detection import Detection
from tidzam_platform.errors import RuleError

_TABLE: Final = "alert"
_CLIPPED_SHARE: Final = 0.01  # a single loud moment is no broken microphone
_DAY_S: Final = 86_400.0


class AlertRule(BaseModel):
    """When somebody is told of something.

    Attributes:
        name: of the rule, unlike all others.
        channels: patterns of channel names, one of which must match.
        class_path: ``class`` in the file: a class with its descendants, ``*`` for all. This or ``microphone``.
        microphone: ``dead``: nothing comes, or nothing but exact zeros; ``clipping``: too many samples at full scale.
        above: of a class: least score, 0 to 1; of clipping: share of samples, 0 to 1.
        times: how many detections make an alert.
        within_s: in how long, by the detections' own time.
        together: whether all channels count together; otherwise each for itself.
        for_s: how long a microphone must be so.
        cooldown_s: an alert of the rule on the channel is not followed by another for so long.
        quiet: hours, and days, in which nothing is told.
        tell_end: whether it is told, too, that a microphone is well again.
        outputs: names of the outputs that tell it; none: all that tell alerts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)

    name: str = Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")
    channels: tuple[ChannelPattern, ...] = Field(("*",), min_length=1)
    class_path: ClassChoice | None = Field(None, alias="class")
    microphone: Literal["dead", "clipping"] | None = None
    above: float = Field(0.0, ge=0, lt=1)
    times: int = Field(1, ge=1, le=1000)
    within_s: float = Field(600.0, gt=0, le=7 * _DAY_S)
    together: bool = False
    for_s: float = Field(60.0, ge=1, le=_DAY_S)
    cooldown_s: float = Field(600.0, ge=0, le=30 * _DAY_S)
    quiet: Schedule | None = None
    tell_end: bool = True
    outputs: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _usual_share(cls, given: object) -> object:
        if isinstance(given, dict) and given.get("microphone") == "clipping" and "above" not in given:
            return {**given, "above": _CLIPPED_SHARE}
        return given

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if (self.class_path is None) == (self.microphone is None):
            raise ValueError(
                "a rule is about one thing: write class = ..., or microphone = 'dead' or 'clipping'"
            )
        of_class = {"times", "within_s", "together"} & self.model_fields_set
        if self.microphone is not None and of_class:
            raise ValueError(f"{min(of_class)} counts detections, and stands with no microphone")
        of_microphone = {"for_s", "tell_end"} & self.model_fields_set
        if self.class_path is not None and of_microphone:
            raise ValueError(f"{min(of_microphone)} is about microphones, and stands with no class")
        return self

    def is_quiet(self, now: datetime) -> bool:
        """Whether nothing is told at an aware ``now``."""
        return self.quiet is not None and self.quiet.holds(now)

    def concerns(self, channel: str) -> bool:
        """Whether the rule looks at that channel."""
        return matches_channel(channel, self.channels)

    def counts(self, detection: Detection) -> bool:
        """Whether the rule counts that detection."""
        return (
            self.class_path is not None
            and detection.score >= self.above
            and is_chosen_class(detection.class_path, (self.class_path,))
            and self.concerns(detection.channel)
        )


def load_alert_rules(file: Path, outputs: Collection[str] | None = None) -> tuple[AlertRule, ...]:
    """Read ``[[alert]]`` tables.

    Args:
        file: TOML.
        outputs: names of the outputs that are enabled and tell alerts; None leaves unlooked at whom the rules name.

    Raises:
        RuleError: the file is not there, is no TOML, a rule makes no sense, or it names an output that does not
            tell alerts.
    """
    rules = read_tables(file, _TABLE, AlertRule.model_validate)
    for rule in rules:
        for name in rule.outputs:
            if outputs is not None and name not in outputs:
                known = ", ".join(sorted(outputs)) or "none"
                raise RuleError(
                    f"{file}: {rule.name!r} names the output {name!r}; "
                    f"outputs that are enabled and tell alerts: {known}"
                )
    return rules
