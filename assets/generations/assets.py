"""Generations: exported, scored beside each other, and served."""

from datetime import timedelta
from typing import Any

import dagster as dg

from assets.metadata import picture, table, versioned, web_link
from assets.policies import TRAINING_POOL
from tidzam_platform.catalog.generations import get_generation
from tidzam_platform.home import Home


@dg.asset(
    group_name="serving",
    kinds={"tensorflow"},
    owners=["team:model-owners"],
    code_version="1",
    freshness_policy=dg.FreshnessPolicy.time_window(
        fail_window=timedelta(days=180), warn_window=timedelta(days=60)
    ),
)
def generation(classifier: int) -> dg.Output[int]:
    """The candidate that passed the gate, exported as a SavedModel; a running model server picks it up by itself."""
    from serving.publishing import publish_generation

    home = Home.open()
    folder = publish_generation(home, classifier)
    made = get_generation(home.catalog, classifier)
    return versioned(
        classifier,
        str(classifier),
        {
            "generation": classifier,
            "saved_model": dg.MetadataValue.path(str(folder)),
            "dataset_version": made.dataset_version,
            "experts": table(
                ["expert", "dataset version", "code version"],
                [
                    [name, origin["dataset_version"], origin["code_version"]]
                    for name, origin in made.manifest["experts"].items()
                ],
            ),
            "console": web_link(home.settings, "/"),
        },
    )


@dg.asset(
    group_name="serving",
    kinds={"tensorflow", "matplotlib"},
    owners=["team:model-owners"],
    code_version="1",
    deps=[generation],
    pool=TRAINING_POOL,
    automation_condition=dg.AutomationCondition.eager(),
)
def evaluation() -> dg.MaterializeResult:
    """All exported generations on the newest frozen test sets, like beside like; what was scored before is kept."""
    from serving.generation_scores import score_exported, score_rows
    from tidzam_platform.classifiers.gate.pictures import scores_picture

    home = Home.open()
    unscored = score_exported(home)
    sets, rows = score_rows(home)
    columns = ("generation", "macro_f1", "low", "high", "ece", "segment_macro_f1", "false_alarms_per_hour")
    metadata: dict[str, Any] = {
        "test_sets": dg.MetadataValue.json(sets),
        "generations": table(columns, [[_shown(row[name]) for name in columns] for row in rows]),
        "unscored": table(["generation", "why not"], list(unscored.items())),
    }
    if rows:
        metadata |= {
            "macro_f1": rows[-1]["macro_f1"],
            "picture": picture(scores_picture(rows), "generations on the same frozen sets"),
        }
    versions = ":".join(str(one["version"]) for one in sets.values() if isinstance(one, dict))
    newest = rows[-1]["generation"] if rows else 0
    return dg.MaterializeResult(
        metadata=metadata, data_version=dg.DataVersion(f"{newest}:{versions}:{sets['taxonomy']}")
    )


def _shown(value: Any) -> Any:
    return "-" if value is None else round(value, 4) if isinstance(value, float) else value
