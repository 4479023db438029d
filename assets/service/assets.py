"""The served model: labels of the model repository, and what the model server answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg

from assets.metadata import table
from assets.policies import observed_asset
from serving.repository import ModelRepository
from tidzam_platform.clock import format_utc
from tidzam_platform.errors import ModelServerError
from tidzam_platform.operations.ports import join_address
from tidzam_platform.settings import Settings, load_settings

SERVED_MODEL = dg.AssetSpec(
    "served_model",
    deps=["generation"],
    group_name="serving",
    kinds={"tensorflow"},
    owners=["team:operators"],
    code_version="1",
    description="The generation that serves: labels of the model repository, and what the model server answers. "
    "Promotions, rollbacks and servers change it; a run looks.",
    automation_condition=dg.AutomationCondition.on_cron("*/15 * * * *") | dg.AutomationCondition.eager(),
)


@observed_asset(SERVED_MODEL)
def served_model() -> Iterator[dg.ObserveResult]:
    """Look at the labels, and ask the server."""
    settings = load_settings()
    repository = ModelRepository(settings.models_folder)
    changes = repository.label_changes()
    answer = _ask(settings)
    labels = ",".join(f"{label}={change.version}" for label, change in sorted(changes.items()))
    yield dg.ObserveResult(
        asset_key=SERVED_MODEL.key,
        data_version=dg.DataVersion(f"{labels or 'no label'};answers={answer.get('generation', 'none')}"),
        metadata={
            "in_service": repository.in_service() or "none",
            "labels": table(
                ["label", "generation", "since", "by", "why"],
                [
                    [label, change.version, format_utc(change.time), change.by, change.reason]
                    for label, change in sorted(changes.items())
                ],
            ),
            **{f"server_{name}": value for name, value in answer.items()},
        },
    )


def _ask(settings: Settings) -> dict[str, Any]:
    """What the model server says of itself, or why it says nothing."""
    from serving.client import ModelClient

    address = join_address(settings.model_server.host, settings.model_server.port)
    try:
        with ModelClient(address, deadline_s=settings.model_server.deadline_s) as client:
            described = client.describe()
    except ModelServerError as error:
        return {"address": address, "problem": str(error)}
    return {
        "address": address,
        "generation": described.generation,
        "dataset_version": described.dataset_version,
        "classes": len(described.classes),
    }
