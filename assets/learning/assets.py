"""What to label next."""

import dagster as dg

from assets.metadata import table
from assets.policies import TRAINING_POOL
from tidzam_platform.home import Home
from tidzam_platform.learning.queue import rank_clips, read_queue

_SHOWN = 20


@dg.asset(
    group_name="learning",
    kinds={"tensorflow"},
    owners=["team:annotators"],
    code_version="1",
    pool=TRAINING_POOL,
    automation_condition=dg.AutomationCondition.eager(),
)
def label_queue(generation: int) -> dg.MaterializeResult:
    """Unlabelled clips and stretches of the archive, ranked by what a label would teach the newest generation.

    A run replaces the queue of its generation.
    """
    home = Home.open()
    report = rank_clips(home, generation)
    entries = read_queue(home.catalog, limit=_SHOWN, generation=generation) if report.rows else []
    return dg.MaterializeResult(
        metadata={
            "generation": generation,
            "clips": report.clips,
            "archive_windows": report.archive_windows,
            "committee": dg.MetadataValue.json(list(report.committee)),
            "rows": report.rows,
            "first": table(
                ["rank", "item", "taken for", "score", "value"],
                [
                    [one.rank, one.item, one.class_path, f"{one.score:.2f}", f"{one.figures['value']:.3f}"]
                    for one in entries
                ],
            ),
        },
        data_version=dg.DataVersion(f"{generation}:{report.content}"),
    )
