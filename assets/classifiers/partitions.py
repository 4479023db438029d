"""The experts of the tree."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import dagster as dg

# Those of the tree in service: the sensor tree_of_experts and each training keep them so.
experts: Final = dg.DynamicPartitionsDefinition(name="experts")


def add_experts(instance: dg.DagsterInstance, names: Collection[str]) -> None:
    """Let Dagster know experts; those that it knows are left as they are."""
    if missing := sorted(set(names) - set(instance.get_dynamic_partitions(experts.name))):
        instance.add_dynamic_partitions(experts.name, missing)
