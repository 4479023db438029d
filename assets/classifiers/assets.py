"""Trained and evaluated classifiers, and the experts that they are made of."""

from collections.abc import Mapping
from typing import Any, Final

import dagster as dg
from pydantic import Field

from assets.classifiers.partitions import add_experts, experts
from assets.metadata import class_table, picture, versioned
from assets.policies import TRAINING_POOL, asset_by_partition
from tidzam_platform.classifiers.code_version import code_version
from tidzam_platform.home import Home

_EXPERT: Final = "expert"  # key of the asset


class ClassifierConfig(dg.Config):
    """What is trained."""

    expert: str = Field(
        "", description="Train this one alone; empty: the whole tree, or the run's partition."
    )
    base: int = Field(
        0, ge=0, description="Generation that the other experts are taken from; 0: the one in service."
    )


class ExpertConfig(dg.Config):
    """What the other experts are."""

    base: int = Field(
        0, ge=0, description="Generation that the other experts are taken from; 0: the one in service."
    )


@asset_by_partition(
    group_name="learning",
    kinds={"tensorflow", "keras"},
    owners=["team:model-owners"],
    code_version=code_version(),
    partitions_def=experts,
    pool=TRAINING_POOL,
)
def expert(context: dg.AssetExecutionContext, config: ExpertConfig, dataset: str) -> dg.MaterializeResult:
    """One expert of the tree. A run trains it alone on the dataset version, beside the others of a generation.

    The training of a whole tree tells all its experts as materialized. The job retrain_expert goes on to the gate.
    """
    from assets.classifiers.candidates import candidate_of

    name = context.partition_key
    origin = candidate_of(Home.open(), dataset, name, config.base).experts[name]
    return dg.MaterializeResult(
        metadata=_expert_metadata(origin), data_version=dg.DataVersion(origin["fingerprint"])
    )


@dg.asset(
    group_name="learning",
    kinds={"tensorflow", "keras"},
    owners=["team:model-owners"],
    code_version=code_version(),
    deps=[expert],
    pool=TRAINING_POOL,
)
def classifier(context: dg.AssetExecutionContext, config: ClassifierConfig, dataset: str) -> dg.Output[int]:
    """A classifier trained on the dataset version and evaluated on its test side: a candidate generation.

    With an expert, by config or by the partition of the run, only that one is trained, and the others are those of the
    generation ``base``. The same ingredients (data, settings, code) give the candidate that is there already. Its value
    is its number.
    """
    from assets.classifiers.candidates import candidate_of

    home = Home.open()
    name = config.expert or (context.partition_key if context.has_partition_key else "")
    made = candidate_of(home, dataset, name, config.base, register=True)
    if not context.has_partition_key:  # else the asset expert has told it in this run
        _tell_experts(context, {one: made.experts[one] for one in ([name] if name else made.experts)})
    evaluation = made.evaluation
    return versioned(
        made.number,
        made.fingerprint,
        {
            "generation": made.number,
            "dataset_version": dataset,
            "macro_f1": evaluation["macro_f1"],
            "accuracy": evaluation["accuracy"],
            "test_clips": evaluation["clips"],
            "epochs": len(evaluation["epochs"]),
            "classes": class_table(evaluation["per_class"]),
            "confusion": picture(home.store.get_bytes(f"{made.prefix}/confusion.png"), "confusion matrix"),
            "code_version": code_version(),
        },
    )


def _tell_experts(context: dg.AssetExecutionContext, origins: Mapping[str, Mapping[str, str]]) -> None:
    add_experts(context.instance, list(origins))
    for name, origin in origins.items():
        context.log_event(
            dg.AssetMaterialization(
                asset_key=_EXPERT,
                partition=name,
                metadata=_expert_metadata(origin),
                tags={"dagster/data_version": origin["fingerprint"]},
            )
        )


def _expert_metadata(origin: Mapping[str, str]) -> dict[str, Any]:
    """Where an expert comes from."""
    return {name: origin[name] for name in ("dataset_version", "code_version", "fingerprint", "weights")}
