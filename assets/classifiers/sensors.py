"""The tree's experts become partitions; labels that came since the last training start the next."""

from __future__ import annotations

import dagster as dg
from sqlalchemy import func, select

from assets.classifiers.partitions import experts
from assets.jobs import MAKE_GENERATION, make_generation
from assets.sensing import is_under_way, opened_home
from tidzam_platform.catalog.tables import Annotation, DatasetVersion, Generation
from tidzam_platform.home import Home


@dg.sensor(
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Keeps the partitions of expert equal to the experts of the generation in service.",
)
def tree_of_experts(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Add what the tree has, remove what it has no more; without a generation nothing changes."""
    from serving.publishing import generation_in_service

    with opened_home() as home:
        generation = generation_in_service(home)
    if generation is None:
        return dg.SensorResult(skip_reason="no generation yet")
    known = set(context.instance.get_dynamic_partitions(experts.name))
    wanted = set(generation.manifest["experts"])
    changes: list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest] = []
    if wanted - known:
        changes.append(experts.build_add_request(sorted(wanted - known)))
    if known - wanted:
        changes.append(experts.build_delete_request(sorted(known - wanted)))
    if not changes:
        return dg.SensorResult(skip_reason="the experts are as known")
    return dg.SensorResult(dynamic_partitions_requests=changes)


@dg.sensor(
    job=make_generation,
    minimum_interval_seconds=300,
    description="Makes a generation when dagster.new_labels labels were given since the dataset of the newest one.",
)
def enough_new_labels(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Count labels; a request is made once for each so many, also if its run fails."""
    with opened_home() as home:
        wanted = home.settings.dagster.new_labels
        dataset, fresh = new_labels(home)
    if fresh < wanted:
        return dg.SensorResult(skip_reason=f"{fresh} new labels; {wanted} start a training")
    if is_under_way(context.instance, MAKE_GENERATION):
        return dg.SensorResult(skip_reason="a generation is being made")
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=f"{dataset}:{fresh // wanted}")])


def new_labels(home: Home) -> tuple[str, int]:
    """The dataset version of the newest generation, refused ones too, and how many labels of clips came since."""
    with home.catalog.reading() as session:
        newest = session.execute(
            select(DatasetVersion.version, DatasetVersion.made_at)
            .join(Generation, Generation.dataset_version == DatasetVersion.version)
            .order_by(Generation.number.desc())
            .limit(1)
        ).one_or_none()
        query = select(func.count()).where(
            Annotation.clip_id.is_not(None), Annotation.superseded_by_id.is_(None)
        )
        if newest is not None:
            query = query.where(Annotation.made_at > newest.made_at)
        return ("" if newest is None else newest.version), session.scalar(query) or 0
