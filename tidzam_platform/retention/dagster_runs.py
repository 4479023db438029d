"""Runs of Dagster that are over and made nothing."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any, Final

from tidzam_platform.crash_points import reach
from tidzam_platform.retention.policy import Outcome, Work

_READ: Final = 100


def dagster_runs(work: Work) -> Outcome | None:
    """Remove finished runs that ended ``retention.dagster_runs_days`` ago or earlier, but those that assets need.

    With a run Dagster forgets what it materialised and checked: such runs stay, else partitions would count as not
    made.
    """
    days = work.home.settings.retention.dagster_runs_days
    if days is None:
        return None
    outcome = Outcome("runs of Dagster", "retention.dagster_runs_days", days)
    if not (work.home.settings.dagster_folder / "dagster.yaml").is_file():
        return outcome  # it was never started here
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    import dagster as dg

    with dg.DagsterInstance.from_config(str(work.home.settings.dagster_folder)) as instance:
        finished = [
            dg.DagsterRunStatus.SUCCESS,
            dg.DagsterRunStatus.FAILURE,
            dg.DagsterRunStatus.CANCELED,
        ]
        wanted = dg.RunsFilter(statuses=finished, updated_before=work.before(days))
        cursor = None
        while records := instance.get_run_records(wanted, limit=_READ, cursor=cursor):
            for record in records:
                run = record.dagster_run
                if _made_something(instance, run.run_id):
                    outcome.kept["it made or checked an asset"] += 1
                    cursor = run.run_id
                    continue
                if not work.apply:
                    cursor = run.run_id
                else:  # behind a run that is gone Dagster finds nothing: the cursor stays where it was
                    instance.delete_run(run.run_id)
                outcome.add(f"{run.job_name} {run.run_id}", _ended(record))
                if work.apply:
                    with work.home.catalog.session() as session:
                        work.audit(session, outcome)
                    reach("retention.dagster_run")
    return outcome


def _made_something(instance: Any, run_id: str) -> bool:
    from dagster import DagsterEventType

    kinds = {
        DagsterEventType.ASSET_MATERIALIZATION,
        DagsterEventType.ASSET_OBSERVATION,
        DagsterEventType.ASSET_CHECK_EVALUATION,
    }
    return bool(instance.get_records_for_run(run_id, of_type=kinds, limit=1).records)


def _ended(record: Any) -> datetime:
    ended: datetime = record.update_timestamp
    return ended.replace(tzinfo=UTC) if ended.tzinfo is None else ended.astimezone(UTC)
