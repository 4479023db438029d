"""The section ``retention`` of the settings; ``tidzam_platform.settings`` puts it beside the others."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from tidzam_platform.setting_sections import Section

DaysOrForEver = Annotated[int | None, BeforeValidator(lambda value: None if value in (0, "", "0") else value)]


class RetentionSettings(Section):
    """How many days things are kept; None or 0: for ever. `./tidzam retention` removes what is older."""

    recordings_days: DaysOrForEver = Field(
        None,
        ge=1,
        description="Recordings in the archive's own folder, but those that people labelled.",
    )
    unlabelled_clips_days: DaysOrForEver = Field(
        None, ge=1, description="Clips of live audio of which nobody ever said anything."
    )
    live_detections_days: DaysOrForEver = Field(
        None, ge=1, description="Live detections in the catalog; older ones move into Parquet files, by day."
    )
    old_detections_days: DaysOrForEver = Field(
        None,
        ge=1,
        description="Files of detections of generations that neither serve, nor have a label, nor could be rolled back "
        "to; counted from when the file was written.",
    )
    shadow_days: DaysOrForEver = Field(
        None, ge=1, description="What the comparison of stable and canary counted and noted."
    )
    logs_days: DaysOrForEver = Field(None, ge=1, description="Logs that nobody writes to any more.")
    dagster_runs_days: DaysOrForEver = Field(
        None, ge=1, description="Finished runs of Dagster that made and checked no asset."
    )
    retired_models_days: DaysOrForEver = Field(
        None, ge=1, description="Versions of the model that were retired; counted from then."
    )
