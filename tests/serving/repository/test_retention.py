"""Retention removes retired versions after a while, and detections of generations that nobody needs."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.detections.made import heard, keep_in_files
from tests.support.crash import run_and_crash
from tests.support.in_process import run_here
from tests.support.small_site import last_line
from tidzam_platform.catalog.tables import AuditEntry, DetectionFile
from tidzam_platform.clock import utc_now
from tidzam_platform.home import Home
from tidzam_platform.retention import run
from tidzam_platform.settings import load_settings

LATER = timedelta(days=40)


def test_retired_versions_go_after_their_days_and_no_others(home, with_versions, monkeypatch):
    monkeypatch.setenv("TIDZAM_RETENTION__RETIRED_MODELS_DAYS", "30")
    repository = with_versions(1, 2, 3)
    repository.promote(2, by="ann", reason="good")
    repository.promote(3, by="ann", reason="better")
    repository.retire(1, by="ann", reason="bad")
    opened = Home.open(load_settings())
    assert run(opened, apply=True).items == 0  # not yet
    planned = run(opened, now=utc_now() + LATER)
    assert [(one.items, one.examples) for one in planned.outcomes] == [(1, ["version 1"])]
    assert repository.versions() == [1, 2, 3]
    run(opened, apply=True, now=utc_now() + LATER)
    assert repository.versions() == [2, 3]
    with opened.catalog.reading() as session:
        (entry,) = session.scalars(select(AuditEntry)).all()
    assert entry.details["examples"] == ["version 1"]
    assert run(opened, apply=True, now=utc_now() + LATER).items == 0
    opened.catalog.close()


@pytest.mark.parametrize("point", ["retention.detections_row", "retention.detections_file"])
def test_detections_go_of_generations_that_cannot_serve_any_more(home, with_versions, point):
    repository = with_versions(1, 2, 3)
    for version in (1, 2, 3):
        repository.promote(version, by="ann", reason="better")
    opened = Home.open(load_settings())
    keep_in_files(opened.catalog, opened.store, [heard(generation=number) for number in (1, 2, 3)])
    repository.retire(1, by="ann", reason="bad")
    with opened.catalog.session() as session:
        for row in session.scalars(select(DetectionFile)):
            row.made_at -= LATER
    days = {"TIDZAM_RETENTION__OLD_DETECTIONS_DAYS": "30"}
    run_and_crash(["retention", "--apply"], point, home.home, env=days)
    done = run_here(["retention", "--apply", "--json"], home.home, env=days)
    assert done.returncode == 0, done.stderr
    (outcome,) = last_line(done.stdout)["outcomes"]
    assert sum(outcome["kept"].values()) == 2
    with opened.catalog.reading() as session:
        rows = session.scalars(select(DetectionFile)).all()
    assert {row.generation for row in rows} == {2, 3}
    assert sorted(opened.store.keys("detections/")) == sorted(row.store_key for row in rows)
    opened.catalog.close()
