"""The daemon is killed in the middle of a backfill; the next one goes on, and each partition is made once."""

from __future__ import annotations

import wave
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import psutil
import pytest
from dagster._core.execution.backfill import PartitionBackfill
from dagster._core.utils import make_new_backfill_id

from assets.dagster_processes import start_daemon
from assets.definitions import defs
from assets.instance import open_instance
from assets.recordings.partitions import add_sources, partition_of
from tests.support.parts import require_part
from tests.support.waiting import wait_for
from tidzam_platform.archive.index import index_archive
from tidzam_platform.home import Home
from tidzam_platform.operations.child_process import ChildProcess
from tidzam_platform.settings import Settings, load_settings

FIRST_DAY = date(2026, 4, 1)
RECORDINGS = dg.AssetKey("recordings")
SOME = 3  # runs that are done when the daemon is killed


def make_archive(folder: Path, sources: list[str], days: int) -> None:
    """A recording of a tenth of a second for each source and day."""
    folder.mkdir(parents=True)
    for source in sources:
        for number in range(days):
            name = f"{source}-{FIRST_DAY + timedelta(days=number)}-12-00-00.wav"
            with wave.open(str(folder / name), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(8000)
                file.writeframes(bytes(1600))


@pytest.fixture
def settings(home: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home whose pages hold few days, and which runs four at a time."""
    monkeypatch.setenv("TIDZAM_DAGSTER__FIRST_DAY", "2026-01-01")
    monkeypatch.setenv("TIDZAM_DAGSTER__MAX_RUNS", "4")
    return load_settings()


def begin_backfill(instance: dg.DagsterInstance, partitions: list[str]) -> str:
    """Ask for a backfill as the UI does; returns its id."""
    backfill = PartitionBackfill.from_asset_partitions(
        backfill_id=make_new_backfill_id(),
        asset_graph=defs.resolve_asset_graph(),
        partition_names=partitions,
        asset_selection=[RECORDINGS],
        backfill_timestamp=datetime.now(UTC).timestamp(),
        tags={},
        dynamic_partitions_store=instance,
        all_partitions=False,
        title=None,
        description=None,
        run_config=None,
    )
    instance.add_backfill(backfill)
    return backfill.backfill_id


def runs_of(instance: dg.DagsterInstance, backfill: str) -> list[dg.DagsterRun]:
    return list(instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": backfill})))


def made(instance: dg.DagsterInstance, backfill: str) -> Counter[str]:
    """How often each partition was materialised by runs of the backfill."""
    runs = {run.run_id for run in runs_of(instance, backfill)}
    records = instance.fetch_materializations(RECORDINGS, limit=5000).records
    return Counter(str(one.partition_key) for one in records if one.run_id in runs)


def kill(process: ChildProcess) -> None:
    """SIGKILL to a daemon and all that it started, as where the power fails."""
    (leader,) = [one for one in psutil.Process().children() if one.pid == process.pid]
    family = [*leader.children(recursive=True), leader]
    for one in family:
        one.kill()
    psutil.wait_procs(family, 10)


# Dagster's own code calls what Dagster has deprecated.
@pytest.mark.filterwarnings("ignore:Function `AssetSelection.sources` is deprecated:DeprecationWarning")
@pytest.mark.timeout(4000)
@pytest.mark.parametrize(
    ("sources", "days", "deadline_s"), [(4, 5, 480.0), pytest.param(20, 10, 1800.0, marks=pytest.mark.long)]
)
def test_each_partition_is_made_once(settings: Settings, sources: int, days: int, deadline_s: float) -> None:
    require_part("ffmpeg")
    names = [f"site_{number}" for number in range(sources)]
    make_archive(settings.archive_folder, names, days)
    home = Home.open(settings)
    assert index_archive(home.catalog, settings.archive_folder).added == sources * days
    home.catalog.close()
    partitions = [
        str(partition_of(source, FIRST_DAY + timedelta(days=number)))
        for source in names
        for number in range(days)
    ]
    with open_instance(settings) as instance:
        add_sources(instance, names)
        backfill = begin_backfill(instance, partitions)
        first = start_daemon(settings)
        try:

            def some_are_done() -> bool:
                first.require_running()
                return sum(run.is_success for run in runs_of(instance, backfill)) >= SOME

            wait_for(some_are_done, f"{SOME} runs of the backfill", deadline_s)
            kill(first)
        finally:
            first.stop()
        left = made(instance, backfill)
        assert SOME <= len(left) < len(partitions), "it was killed in the middle"
        second = start_daemon(settings)
        try:

            def all_are_done() -> bool:
                second.require_running()
                return len(made(instance, backfill)) == len(partitions) and all(
                    run.is_finished for run in runs_of(instance, backfill)
                )

            wait_for(all_are_done, "all partitions", deadline_s)
        finally:
            second.stop()
        assert made(instance, backfill) == dict.fromkeys(partitions, 1)
