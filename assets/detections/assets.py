"""What a generation heard in the archive."""

from datetime import UTC, date, datetime

import dagster as dg

from assets.detections.partitions import days
from assets.metadata import table
from serving.archive_hearing import hear_day
from tidzam_platform.home import Home


class HearingConfig(dg.Config):
    """Which generation listens."""

    generation: int = 0  # 0: the newest in the model repository


@dg.asset(
    group_name="archive",
    kinds={"parquet"},
    owners=["team:model-owners"],
    partitions_def=days,
    deps=["recordings", "generation"],
)
def detections(context: dg.AssetExecutionContext, config: HearingConfig) -> dg.MaterializeResult:
    """Detections of one day of every source, as Parquet; a day that is run again replaces itself."""
    home = Home.open()
    day: date = datetime.strptime(context.partition_key, "%Y-%m-%d").replace(tzinfo=UTC).date()
    heard = hear_day(home, day, config.generation or None)
    return dg.MaterializeResult(
        metadata={
            "generation": heard.generation,
            "recordings": heard.recordings,
            "detections": sum(heard.counts.values()),
            "classes": table(["class", "detections"], sorted(heard.counts.items())),
            "missing": dg.MetadataValue.json(heard.missing),
        },
        data_version=dg.DataVersion(f"{heard.generation}:{heard.content}"),
    )
