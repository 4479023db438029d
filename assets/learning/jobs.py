"""The job that ranks what to label next."""

from typing import Final

import dagster as dg

RANK_LABELS: Final = "rank_labels"

rank_labels = dg.define_asset_job(
    RANK_LABELS,
    dg.AssetSelection.assets("label_queue"),
    description="Rank unlabelled clips and archive windows by what a label would teach the newest generation.",
)
