"""What a generation heard in the archive, by source and day."""

import dagster as dg
from pydantic import Field

from assets.detections.days import data_version_of, day_metadata
from assets.policies import REPROCESSING_POOL, asset_by_partition
from assets.recordings.partitions import source_and_day, source_days
from assets.retrying import tried_again
from tidzam_platform.home import Home

# A day is heard when it is over, and again when its recordings change; a new generation alone changes nothing: hear
# past days with it in a backfill, or with the job reprocess.
_OVER = ~dg.AutomationCondition.in_latest_time_window()
_FOLLOWS_RECORDINGS = (
    dg.AutomationCondition.eager()
    .without(dg.AutomationCondition.in_latest_time_window())
    .allow(dg.AssetSelection.assets("recordings"))
    & _OVER
)


class HearingConfig(dg.Config):
    """Which generation listens."""

    generation: int = Field(0, ge=0, description="Its number; 0: the one in service.")


@asset_by_partition(
    group_name="archive",
    kinds={"parquet"},
    owners=["team:model-owners"],
    code_version="2",
    partitions_def=source_days,
    deps=["recordings", "generation"],
    pool=REPROCESSING_POOL,
    automation_condition=_FOLLOWS_RECORDINGS,
)
def detections(context: dg.AssetExecutionContext, config: HearingConfig) -> dg.MaterializeResult:
    """Detections of a source on a day (UTC), as Parquet; what that generation heard on the day before is replaced."""
    with tried_again(context):
        from serving.reprocessing import plan, reprocess

        home = Home.open()
        source, day = source_and_day(context.partition_key)
        done = reprocess(home, plan(home, source, day, day), config.generation or None)
        return dg.MaterializeResult(
            metadata=day_metadata(home.settings, done, day),
            data_version=dg.DataVersion(data_version_of(done, day)),
        )
