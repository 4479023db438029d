"""Days of clips, in UTC: those that are over."""

from __future__ import annotations

from typing import Final

import dagster as dg

from tidzam_platform.settings import load_settings

clip_days: Final = dg.DailyPartitionsDefinition(
    start_date=load_settings().dagster.first_day.isoformat(), timezone="UTC"
)
