"""Past days heard again from Dagster: what ``./tidzam reprocess`` does, once a run."""

from datetime import date
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
from pydantic import Field

from assets.detections.days import data_version_of, day_metadata, missing_table
from assets.metadata import picture, table
from assets.policies import REPROCESSING_POOL
from assets.recordings.partitions import add_sources, partition_of
from assets.retrying import tried_again
from tidzam_platform.home import Home

if TYPE_CHECKING:
    from serving.reprocessing import Plan, Reprocessed

_DETECTIONS: Final = "detections"


class ReprocessConfig(dg.Config):
    """Which days of which source, heard by which generation."""

    source: str = Field(description="The source, as its recordings are named.")
    first_day: str = Field(description="First day, e.g. 2026-04-01.", pattern=r"^\d{4}-\d{2}-\d{2}$")
    last_day: str = Field(description="Last day, included.", pattern=r"^\d{4}-\d{2}-\d{2}$")
    zone: str = Field("UTC", description="Time zone of the days (IANA).")
    generation: int = Field(0, ge=0, description="Which generation hears; 0: the one in service.")
    diff: int = Field(0, ge=0, description="Also tell what differs from this generation; 0: from none.")


@dg.op(name="reprocess_days", out=dg.Out(dg.Nothing), pool=REPROCESSING_POOL)
def reprocess_days(context: dg.OpExecutionContext, config: ReprocessConfig) -> None:
    """Hear the days, tell each as a partition of ``detections``, and show what differs."""
    with tried_again(context):
        from serving.reprocessing import plan
        from serving.reprocessing.run import generation_of
        from serving.reprocessing.unheard import unheard_plan

        home = Home.open()
        days = (date.fromisoformat(config.first_day), date.fromisoformat(config.last_day))
        wanted = plan(home, config.source, *days, config.zone)
        number = generation_of(home, config.generation or None)
        add_sources(context.instance, [config.source])
        before = generation_of(home, config.diff) if config.diff else None
        if before is not None and (unheard := unheard_plan(home, wanted, before)) is not None:
            # First, so that the partitions tell the other generation in the end.
            _heard(context, home, unheard, before)
        done = _heard(context, home, wanted, number)
        context.add_output_metadata(
            {
                "generation": done.generation,
                "recordings": len(wanted.items),
                "hours": round(wanted.seconds / 3600, 3),
                "days": table(["day (UTC)", "detections"], [[one.day, one.detections] for one in done.days]),
                "classes": table(["class", "detections"], sorted(done.counts.items())),
                "missing_audio": missing_table(done.missing),
                **({} if before is None else _difference(home, wanted, number, before)),
            }
        )


@dg.job(name="reprocess", description="Hear past days of a source again, and tell what differs.")
def reprocess_job() -> None:
    """One op."""
    reprocess_days()


def _heard(context: dg.OpExecutionContext, home: Home, wanted: "Plan", generation: int) -> "Reprocessed":
    from serving.reprocessing import reprocess

    done = reprocess(home, wanted, generation)
    for one in done.days:
        context.log_event(
            dg.AssetMaterialization(
                asset_key=_DETECTIONS,
                partition=partition_of(wanted.source, one.day),
                metadata=day_metadata(home.settings, done, one.day),
                tags={"dagster/data_version": data_version_of(done, one.day)},
            )
        )
    return done


def _difference(home: Home, wanted: "Plan", generation: int, before: int) -> dict[str, Any]:
    from tidzam_platform.detections.diff import diff_days
    from tidzam_platform.detections.difference_picture import picture_of

    found = diff_days(home, generation, before, wanted.source, wanted.begin, wanted.end)
    return {
        "difference": picture(picture_of(found), f"generation {generation} beside {before}"),
        "difference_totals": table(["what", "detections"], sorted(found.totals.items())),
        "strongest": dg.MetadataValue.json([one.as_json() for one in found.examples]),
    }
