"""Jobs: named selections of assets that commands, schedules and people run."""

from __future__ import annotations

from typing import Final

import dagster as dg

MAKE_GENERATION: Final = "make_generation"
INDEX_ARCHIVE: Final = "index_archive"
HEAR_ARCHIVE: Final = "hear_archive"

make_generation = dg.define_asset_job(
    MAKE_GENERATION,
    dg.AssetSelection.assets("dataset", "classifier", "generation"),
    description="From the labels as they are now to a generation in service, if the gate lets it pass.",
)
index_archive = dg.define_asset_job(
    INDEX_ARCHIVE, dg.AssetSelection.assets("recordings"), description="Look for new recordings."
)
hear_archive = dg.define_asset_job(
    HEAR_ARCHIVE,
    dg.AssetSelection.assets("detections"),
    description="Hear days of the archive with a generation.",
)
