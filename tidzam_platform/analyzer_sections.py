"""The sections of the settings that the analyzer reads; ``tidzam_platform.settings`` puts them together."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from tidzam_platform.channel_patterns import valid_channel_pattern
from tidzam_platform.errors import InvalidNameError
from tidzam_platform.setting_sections import PathOrNone, Section


class AnalyzerSettings(Section):
    """Which channels are heard live, and what happens while the model server is away."""

    channels: tuple[str, ...] = Field(
        ("*",),
        min_length=1,
        description="Patterns of the channels that are heard, e.g. marsh:out_*; * and ? stand for any letters.",
    )
    max_behind_s: float = Field(
        1.0,
        gt=0,
        le=30,
        description="How long windows may wait in memory for the model server before they go to the spool.",
    )
    requests_at_once: int = Field(
        2, ge=1, le=16, description="Requests to the model server under way at a time."
    )
    spool_mb: int = Field(
        4096,
        ge=0,
        description="Disk space for windows that wait for the model server; the oldest are dropped first.",
    )
    shadow_share: float = Field(
        0.0, ge=0, le=1, description="Share of the windows that the canary hears too, where there is one."
    )

    @field_validator("channels")
    @classmethod
    def _valid_channels(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(dict.fromkeys(map(valid_channel_pattern, patterns)))
        except InvalidNameError as error:
            raise ValueError(str(error)) from error


class ClipsSettings(Section):
    """Clips that are cut out of live audio."""

    disk_reserve_mb: int = Field(
        2048,
        ge=0,
        description="Free disk space that clips leave; below it the policy when_full takes effect.",
    )
    when_full: Literal["remove_oldest_unlabelled", "stop"] = Field(
        "remove_oldest_unlabelled", description="What happens when the reserve or the total quota is reached."
    )
    total_mb: int = Field(
        0, ge=0, description="Most disk space of clips that nobody has labelled; 0 sets no limit."
    )
    group_s: int = Field(
        600,
        ge=1,
        description="Block of time in which all clips of a site are one group, never split between train and test.",
    )
    preroll_mb: int = Field(
        1024,
        ge=1,
        description="Most memory for the audio before a detection; rules that need more are refused.",
    )


class OutputsSettings(Section):
    """Who is told of what is heard, and alerts."""

    file: PathOrNone = Field(
        None, description="TOML file of outputs: webhooks, MQTT, chain-api, DeviceHive (docs/outputs.md)."
    )
    alerts_file: PathOrNone = Field(None, description="TOML file of alert rules (docs/alerts.md).")
    silent_s: float = Field(
        60.0,
        ge=1,
        description="A channel that gives nothing, or nothing but exact zeros, for so long is told as away or silent.",
    )
    queue_mb: int = Field(
        64,
        ge=1,
        description="Disk space of each output's queue; the oldest messages are dropped, and counted.",
    )
    keep_failed: int = Field(
        1000, ge=0, description="Messages that an output refused for good, kept for a person to see."
    )
