"""Retention removes runs of Dagster that made nothing, however many, and never one that an asset needs."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg
import pytest
from sqlalchemy import select

from assets.instance import open_instance
from tidzam_platform.catalog.tables import AuditEntry
from tidzam_platform.clock import utc_now
from tidzam_platform.home import Home
from tidzam_platform.retention import dagster_runs, run
from tidzam_platform.settings import Settings, load_settings


@dg.asset
def made() -> int:
    return 1


@dg.op
def look() -> None:
    pass


@dg.job
def looking() -> None:
    look()


def test_only_runs_that_no_asset_needs_go(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDZAM_RETENTION__DAGSTER_RUNS_DAYS", "30")
    with open_instance(load_settings()) as instance:
        assert dg.materialize([made], instance=instance).success
        assert looking.execute_in_process(instance=instance).success
        opened = Home.open(load_settings())
        assert run(opened, apply=True).items == 0
        later = utc_now() + timedelta(days=40)
        assert run(opened, now=later).items == 1
        assert instance.get_runs_count() == 2
        done = run(opened, apply=True, now=later)
        assert [(one.items, dict(one.kept)) for one in done.outcomes] == [
            (1, {"it made or checked an asset": 1})
        ]
        assert [run.job_name for run in instance.get_runs()] != ["looking"]
        assert instance.get_runs_count() == 1
        assert instance.get_latest_materialization_event(dg.AssetKey("made")) is not None
        assert run(opened, apply=True, now=later).items == 0
        opened.catalog.close()


def test_more_runs_than_are_read_at_once_go_in_one_call(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDZAM_RETENTION__DAGSTER_RUNS_DAYS", "30")
    monkeypatch.setattr(dagster_runs, "_READ", 2)
    with open_instance(load_settings()) as instance:
        for job in (None, looking, looking, None, looking, looking):
            result = (
                dg.materialize([made], instance=instance)
                if job is None
                else job.execute_in_process(instance=instance)
            )
            assert result.success
        opened = Home.open(load_settings())
        later = utc_now() + timedelta(days=40)
        planned = run(opened, now=later)
        done = run(opened, apply=True, now=later)
        assert planned.items == done.items == 4
        assert [dict(one.kept) for one in done.outcomes] == [{"it made or checked an asset": 2}]
        assert instance.get_runs_count() == 2
        with opened.catalog.reading() as session:
            (entry,) = session.scalars(select(AuditEntry))
        assert entry.details["items"] == 4
        opened.catalog.close()
