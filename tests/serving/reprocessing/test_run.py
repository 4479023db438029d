"""From recordings to the files of the days, whatever is killed on the way."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import psutil
import pyarrow.parquet as parquet
import pytest

from serving.reprocessing import RecordingItem, Reprocessed, WorkerTask, plan, reprocess
from serving.reprocessing.hearing import hear_and_store
from serving.reprocessing.local_engine import LocalEngine
from serving.reprocessing.range_lock import days_locked
from tests.serving.reprocessing.conftest import DECISION_VARIABLES, SOURCE, Site, without_pages
from tests.support.crash import cli_environment, run_and_crash
from tests.support.in_process import run_here
from tests.support.small_site import last_line
from tests.support.waiting import wait_for
from tidzam_platform.detections.query import DetectionQuery
from tidzam_platform.detections.reader import DetectionReader
from tidzam_platform.errors import BusyError, ModelRepositoryError, ReprocessingError

FIRST, LAST = date(2026, 5, 1), date(2026, 5, 2)
COMMAND = ["reprocess", "--source", SOURCE, "--from", "2026-05-01", "--to", "2026-05-02", "--generation", "1"]


class HereEngine:
    """An engine without processes, in the caller's thread."""

    def __init__(self) -> None:
        self.heard: list[int] = []

    def run(
        self, items: Sequence[RecordingItem], task: WorkerTask, on_done: Callable[[RecordingItem], None]
    ) -> None:
        for item in items:
            hear_and_store(task, item)
            self.heard.append(item.recording_id)
            on_done(item)


def run(site: Site, engine: HereEngine | None = None, generation: int = 1) -> Reprocessed:
    return reprocess(
        site.home, plan(site.home, SOURCE, FIRST, LAST), generation, engine=engine or HereEngine()
    )


def stored(site: Site) -> dict[str, bytes]:
    """All objects of the store that reprocessing writes."""
    return {
        key: site.home.store.get_bytes(key)
        for prefix in ("detections/", "reprocessing/")
        for key in site.home.store.keys(prefix)
    }


def test_totals_agree_with_the_files_and_with_queries(site: Site) -> None:
    done = run(site)
    assert [day.day for day in done.days] == [FIRST, LAST]
    counted: Counter[str] = Counter()
    for day in done.days:
        rows = parquet.read_table(io.BytesIO(site.home.store.get_bytes(day.key))).to_pylist()
        assert len(rows) == day.detections
        assert all(row["start"].date() == day.day for row in rows)
        counted.update(row["class_path"] for row in rows)
    assert counted == done.counts
    assert done.detections >= 5
    query = DetectionQuery(generations=(1,), channels=(f"{SOURCE}:*",))
    assert sum(1 for _ in DetectionReader(site.home.catalog, site.home.store).all(query)) == done.detections
    assert (done.heard, done.reused) == (3, 0)
    assert not list(site.home.store.keys("reprocessing/")), "parts are forgotten at the end"


def test_a_second_run_replaces_the_files_with_the_same_bytes(site: Site) -> None:
    run(site)
    before = stored(site)
    engine = HereEngine()
    run(site, engine)
    assert len(engine.heard) == 3
    assert stored(site) == before


def test_the_local_engine_gives_the_same_files(site: Site) -> None:
    run(site)
    before = stored(site)
    again = reprocess(site.home, plan(site.home, SOURCE, FIRST, LAST), 1)
    assert again.heard == 3
    assert stored(site) == before


@pytest.mark.parametrize("at", ["reprocessing.day:1", "reprocessing.day:2"])
def test_killed_while_days_are_written_and_called_again_it_ends_with_the_same_bytes(
    site: Site, at: str
) -> None:
    run(site)
    expected = stored(site)
    for key in expected:
        site.home.store.delete(key)
    run_and_crash(COMMAND, at, site.settings.home, env=DECISION_VARIABLES)
    assert list(site.home.store.keys("reprocessing/"))
    answered = run_here([*COMMAND, "--json"], site.settings.home, env=DECISION_VARIABLES)
    assert answered.returncode == 0, answered.stderr
    assert last_line(answered.stdout)["reused"] == 3
    assert stored(site) == expected


def test_killed_while_it_hears_it_goes_on_and_no_worker_stays(site: Site) -> None:
    run(site)
    expected = stored(site)
    for key in expected:
        site.home.store.delete(key)
    # Its only worker is killed after the second recording, three times over; then the whole command is.
    environment = cli_environment(
        site.settings.home, {**DECISION_VARIABLES, "TIDZAM_REPROCESSING__PROCESSES": "1"}
    )
    command = [sys.executable, "-m", "tidzam_platform.cli", *COMMAND, "--json"]
    child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: len(list(site.home.store.keys("reprocessing/"))) >= 1, "a part", 60)
        workers = psutil.Process(child.pid).children(recursive=True)
        assert workers
    finally:
        child.kill()
        child.wait()
    wait_for(lambda: not any(_runs(worker) for worker in workers), "the workers to die with it")
    answered = run_here([*COMMAND, "--json"], site.settings.home, env=DECISION_VARIABLES)
    assert answered.returncode == 0, answered.stderr
    answer = last_line(answered.stdout)
    assert answer["heard"] + answer["reused"] == 3
    assert answer["reused"] >= 1
    assert stored(site) == expected


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_worker_that_is_killed_costs_nothing_but_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    run(site)
    expected = stored(site)
    monkeypatch.setenv(
        "TIDZAM_CRASH_AT", "reprocessing.part:2"
    )  # each worker dies after its second recording
    done = reprocess(site.home, plan(site.home, SOURCE, FIRST, LAST), 1, engine=LocalEngine(1, stall_s=60.0))
    assert done.heard == 3
    assert not [one for one in done.missing if one.kind == "unreadable"]
    assert stored(site) == expected


def test_a_recording_at_which_every_worker_dies_is_missing_and_the_others_are_heard(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDZAM_CRASH_AT", "reprocessing.heard:1")
    items = plan(site.home, SOURCE, FIRST, FIRST)
    done = reprocess(site.home, items, 1, engine=LocalEngine(2, stall_s=60.0))
    lost = [one for one in done.missing if one.kind == "unreadable"]
    assert {one.path for one in lost} == {item.path for item in items.items}
    assert all("died 3 times, the last time with signal 9" in one.words for one in lost)


@pytest.mark.long
def test_a_worker_that_hangs_is_ended_and_another_goes_on(site: Site) -> None:
    run(site)
    expected = stored(site)
    stopped: list[int] = []

    def stop_one() -> None:
        """Stop the first worker."""
        end_s = time.monotonic() + 60
        while not stopped and time.monotonic() < end_s:
            for child in psutil.Process().children():
                if "serving.reprocessing.worker_process" in child.cmdline():
                    child.send_signal(signal.SIGSTOP)
                    stopped.append(child.pid)
                    return
            time.sleep(0.02)

    stopping = threading.Thread(target=stop_one)
    stopping.start()
    reprocess(site.home, plan(site.home, SOURCE, FIRST, LAST), 1, engine=LocalEngine(1, stall_s=12.0))
    stopping.join()
    assert stopped
    assert stored(site) == expected


def test_no_worker_that_can_load_the_generation_is_an_error(site: Site) -> None:
    graph = site.settings.models_folder / "tidzam" / "1" / "assets.extra" / "hearing.tflite"
    content = graph.read_bytes()
    graph.write_bytes(b"no graph")
    with pytest.raises(ModelRepositoryError, match="damaged"):
        run(site)
    graph.write_bytes(content)
    task = WorkerTask(site.settings, 7, "reprocessing/generation=7/key=x/")
    with pytest.raises(ReprocessingError, match="7"):
        LocalEngine(1, stall_s=60.0).run(plan(site.home, SOURCE, FIRST, LAST).items, task, lambda _item: None)


def test_missing_audio_is_told(site: Site) -> None:
    with_holes, gone, *_ = sorted(site.archive.glob("*.opus"))
    with_holes.write_bytes(without_pages(with_holes, 6, 9))
    bad = site.archive / "pond-2026-05-01-07-00-00.opus"
    bad.write_bytes(b"no audio")
    site.index()
    gone.unlink()
    done = run(site)
    told = [(one.kind, one.path) for one in done.missing]
    assert ("unreadable", str(bad)) in told
    assert ("unreadable", str(gone)) in told
    (hole,) = [one for one in done.missing if one.kind == "hole"]
    assert hole.path == str(with_holes)
    assert hole.seconds is not None
    assert 0.5 < hole.seconds < 10
    assert datetime(2026, 5, 1, 5, tzinfo=UTC) < hole.start < datetime(2026, 5, 1, 5, 1, tzinfo=UTC)
    gaps = [(one.start, one.end) for one in done.missing if one.kind == "gap"]
    assert gaps[0] == (datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 1, 5, tzinfo=UTC))
    assert gaps[-1][1] == datetime(2026, 5, 3, tzinfo=UTC)
    assert [one.start for one in done.missing] == sorted(one.start for one in done.missing)
    answered = run_here([*COMMAND, "--json"], site.settings.home, env=DECISION_VARIABLES)
    assert answered.returncode == 0, answered.stderr
    answer = last_line(answered.stdout)
    assert [one["kind"] for one in answer["missing"]] == [one.kind for one in done.missing]
    assert answer["missing_s"] > 24 * 3600
    for one in done.missing:
        assert one.words in answered.stderr


def test_two_runs_of_the_same_days_at_once_are_refused_other_days_are_not(site: Site) -> None:
    both, second = plan(site.home, SOURCE, FIRST, LAST), plan(site.home, SOURCE, LAST, LAST)
    first = plan(site.home, SOURCE, FIRST, FIRST)
    folder = site.settings.locks_folder
    with days_locked(folder, first, 1):
        with pytest.raises(BusyError, match="already hearing pond"):
            reprocess(site.home, both, 1, engine=HereEngine())
        assert reprocess(site.home, second, 1, engine=HereEngine()).heard == 1
        assert reprocess(site.home, both, 2, engine=HereEngine()).heard == 3
        other = run_here([*COMMAND, "--json"], site.settings.home, env=DECISION_VARIABLES)
        assert other.returncode == 5, other.stderr
    assert reprocess(site.home, both, 1, engine=HereEngine()).heard == 3


def test_parts_that_another_machine_removes_meanwhile_are_made_again(site: Site) -> None:
    run(site)
    expected = stored(site)

    class Removing(HereEngine):
        def run(
            self, items: Sequence[RecordingItem], task: WorkerTask, on_done: Callable[[RecordingItem], None]
        ) -> None:
            super().run(items, task, on_done)
            if len(self.heard) == 3:
                site.home.store.delete(next(site.home.store.keys("reprocessing/")))

    engine = Removing()
    done = run(site, engine)
    assert stored(site) == expected
    assert not [one for one in done.missing if one.kind == "unreadable"]


def test_ctrl_c_ends_it_cleanly_and_the_same_call_goes_on(site: Site) -> None:
    environment = cli_environment(
        site.settings.home, {**DECISION_VARIABLES, "TIDZAM_REPROCESSING__PROCESSES": "1"}
    )
    command = [sys.executable, "-m", "tidzam_platform.cli", *COMMAND, "--json"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        wait_for(lambda: len(list(site.home.store.keys("reprocessing/"))) >= 1, "a part", 60)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=30)
    if child.returncode != 0:  # it may just have come to its end
        assert child.returncode == 130
        assert "the same command goes on from there" in said
        assert "Traceback" not in said
    answered = run_here([*COMMAND, "--json"], site.settings.home, env=DECISION_VARIABLES)
    assert answered.returncode == 0, answered.stderr


def test_days_without_recordings_are_left_as_they_are(site: Site) -> None:
    run(site)
    before = stored(site)
    for file in site.archive.glob("pond-2026-05-02-*.opus"):
        file.unlink()
    site.index()
    done = run(site)
    assert [day.day for day in done.days] == [FIRST]
    assert stored(site) == before


def test_the_command_tells_the_difference_and_hears_what_the_other_generation_has_not(
    site: Site, tmp_path: Path
) -> None:
    picture = tmp_path / "diff.png"
    options = ["--diff", "2", "--json", "--picture", str(picture)]
    answered = run_here([*COMMAND, *options], site.settings.home, env=DECISION_VARIABLES)
    assert answered.returncode == 0, answered.stderr
    answer = last_line(answered.stdout)
    totals = answer["diff"]["totals"]
    assert totals["after"] == answer["detections"]
    assert totals["changed"] > 0
    assert totals["before"] == totals["kept_before"] + totals["changed"] + totals["lost"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    example = answer["diff"]["examples"][0]
    assert Path(example["recording"]).exists()
    assert 0 <= example["offset_s"] < 20
    again = run_here(
        ["detections", "diff", "1", "2", *COMMAND[1:7], "--json"], site.settings.home, env=DECISION_VARIABLES
    )
    assert json.loads(again.stdout) == answer["diff"]
    table = run_here(["detections", "diff", "1", "2", *COMMAND[1:7]], site.settings.home)
    assert "by class" in table.stdout


def test_wrong_questions_are_refused(site: Site) -> None:
    def refused(*arguments: str) -> str:
        answered = run_here(["reprocess", *arguments], site.settings.home)
        assert answered.returncode == 2, answered.stderr
        assert "Traceback" not in answered.stderr
        return answered.stderr

    days = ("--from", "2026-05-01", "--to", "2026-05-02", "--generation", "1")
    assert "no source 'lake'; there are: pond" in refused("--source", "lake", *days)
    assert "exchange them" in refused(
        "--source", "pond", "--from", "2026-05-02", "--to", "2026-05-01", "--generation", "1"
    )
    assert "with itself" in refused("--source", "pond", *days, "--diff", "1")
    assert "no time zone" in refused("--source", "pond", *days, "--zone", "Mars/Olympus")
