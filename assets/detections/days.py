"""What Dagster is told of a day that was heard."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final

from assets.metadata import bars, table, web_link
from tidzam_platform.clock import format_utc
from tidzam_platform.detections.coverage import MissingAudio, days_of_zone
from tidzam_platform.settings import Settings

if TYPE_CHECKING:
    from serving.reprocessing import Reprocessed

_SHOWN_MISSING: Final = 50
_HASH_LENGTH: Final = 16


def data_version_of(done: Reprocessed, day: date) -> str:
    """The generation, and a hash of what it heard on the day."""
    heard = next((one.sha256[:_HASH_LENGTH] for one in done.days if one.day == day), "nothing")
    return f"{done.generation}:{heard}"


def day_metadata(settings: Settings, done: Reprocessed, day: date) -> dict[str, Any]:
    """For the page of the partition."""
    begin, end = days_of_zone(day, day, "UTC")
    file = next((one for one in done.days if one.day == day), None)
    missing = [found for one in done.missing if (found := one.within(begin, end)) is not None]
    metadata: dict[str, Any] = {
        "generation": done.generation,
        "recordings": sum(item.touches(day) for item in done.plan.items),
        "detections": 0 if file is None else file.detections,
        "missing_audio": missing_table(missing),
        "listen": web_link(
            settings, "/api/v1/detections", **{"from": format_utc(begin), "to": format_utc(end)}
        ),
    }
    if file is not None:
        metadata |= {
            "store_key": file.key,
            "classes": table(["class", "detections"], sorted(file.counts.items())),
        }
        if file.counts:
            metadata["picture"] = bars(file.counts, f"detections of {done.plan.source} on {day}")
    return metadata


def missing_table(missing: list[MissingAudio]) -> Any:
    """Audio that nobody could hear."""
    rows = [
        [one.kind, format_utc(one.start), "-" if one.seconds is None else round(one.seconds, 1), one.words]
        for one in missing[:_SHOWN_MISSING]
    ]
    return table(["missing", "from (UTC)", "seconds", "in words"], rows)
