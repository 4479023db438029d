"""A Ray cluster hears as processes of this machine do, and what it cannot do is told."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from serving.reprocessing import WorkerTask, plan, reprocess
from serving.reprocessing import ray_worker as worker
from serving.reprocessing.engines import open_engine
from serving.reprocessing.parts import Parts, parts_prefix
from tests.serving.reprocessing.conftest import DECISION_VARIABLES, SOURCE, Site
from tests.support.crash import cli_environment
from tests.support.ray_cluster import RayCluster, require_ray, running_ray_cluster
from tests.support.small_site import last_line
from tests.support.waiting import wait_for
from tidzam_platform.audio import read_audio, write_audio
from tidzam_platform.errors import ReprocessingError
from tidzam_platform.operations.ports import free_port
from tidzam_platform.settings import ReprocessingSettings

FIRST, LAST = date(2026, 5, 1), date(2026, 5, 2)
COMMAND = ["reprocess", "--source", SOURCE, "--from", "2026-05-01", "--to", "2026-05-02", "--generation", "1"]
DEADLINE_S = 300.0


def task_of(site: Site) -> WorkerTask:
    return WorkerTask(site.settings, 1, parts_prefix(site.settings, 1))


def stored(site: Site) -> dict[str, bytes]:
    """All objects of the store that reprocessing writes."""
    return {
        key: site.home.store.get_bytes(key)
        for prefix in ("detections/", "reprocessing/")
        for key in site.home.store.keys(prefix)
    }


def on_ray(site: Site, python: Path, address: str, **more: str) -> subprocess.Popen[str]:
    """The command, run by a Python that has Ray."""
    variables = {
        **DECISION_VARIABLES,
        "TIDZAM_REPROCESSING__ENGINE": "ray",
        "TIDZAM_REPROCESSING__RAY_ADDRESS": address,
        **more,
    }
    arguments: Sequence[str | Path] = [python, "-m", "tidzam_platform.cli", *COMMAND, "--json"]
    return subprocess.Popen(
        arguments,
        env=cli_environment(site.settings.home, variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def long_site(site: Site) -> Site:
    """The site with recordings of minutes, so that there is a middle in which a node can be killed."""
    recordings = sorted(site.archive.glob("*.opus"))
    audio = read_audio(recordings[0], rate_hz=48_000)
    repeated = site.archive / "repeated.wav"
    seconds = audio.shape[1] / 48_000
    write_audio(repeated, audio, 48_000, codec="wav")
    first = site.archive / f"{SOURCE}-2026-05-02-10-00-00.opus"
    command = ["ffmpeg", "-loglevel", "error", "-stream_loop", str(round(240 / seconds)), "-i", repeated]
    subprocess.run([*command, "-c:a", "libopus", "-b:a", "64k", first], check=True, timeout=120)
    repeated.unlink()
    for hour in range(11, 18):
        shutil.copy(first, site.archive / f"{SOURCE}-2026-05-02-{hour}-00-00.opus")
    site.index()
    return site


@pytest.mark.long
def test_with_one_of_two_nodes_killed_each_recording_is_heard_once_and_the_bytes_are_those_of_local_processes(
    long_site: Site,
) -> None:
    require_ray()
    local = reprocess(long_site.home, plan(long_site.home, SOURCE, FIRST, LAST), 1)
    expected = stored(long_site)
    assert local.detections >= 5
    with running_ray_cluster(2) as cluster:
        undisturbed = _answer(on_ray(long_site, cluster.python, cluster.address))
        assert stored(long_site) == expected
        for key in expected:
            long_site.home.store.delete(key)
        running = on_ray(long_site, cluster.python, cluster.address)
        wait_for(
            lambda: any(long_site.home.store.keys("reprocessing/")) and cluster.nodes[1].is_hearing(),
            "a part, and the second node at work",
            120,
        )
        cluster.nodes[1].kill()
        parts = len(list(long_site.home.store.keys("reprocessing/")))
        assert 1 <= parts < local.heard, "it was killed before the end"
        answer = _answer(running)
    assert stored(long_site) == expected, "parts are forgotten, days are the same bytes"
    for one in (undisturbed, answer):
        assert (one["heard"], one["reused"]) == (local.heard, 0)
        assert one["detections"] == local.detections
        assert not [gone for gone in one["missing"] if gone["kind"] == "unreadable"]


@pytest.mark.long
def test_a_recording_at_which_every_worker_dies_is_missing_and_the_cluster_serves_on(site: Site) -> None:
    with running_ray_cluster(1, {"TIDZAM_CRASH_AT": "reprocessing.heard:1"}) as cluster:
        answer = _answer(on_ray(site, cluster.python, cluster.address))
        lost = [one for one in answer["missing"] if one["kind"] == "unreadable"]
        assert len(lost) == 3
        assert all("died 3 times" in one["words"] for one in lost)
        _interrupted(site, cluster)


def _interrupted(site: Site, cluster: RayCluster) -> None:
    """SIGTERM ends the command, although Ray would have a handler of its own, and nobody works on."""
    running = on_ray(site, cluster.python, cluster.address)
    wait_for(cluster.nodes[0].is_hearing, "a worker at work", 120)
    running.terminate()
    assert running.wait(60) != 0
    running.communicate()
    wait_for(lambda: not cluster.nodes[0].is_hearing(), "the workers to end", 60)


@pytest.mark.long
def test_what_ray_itself_would_tell_in_many_lines_is_told_in_one(site: Site) -> None:
    python = require_ray()
    refused = on_ray(site, python, f"127.0.0.1:{free_port()}")
    _, told = refused.communicate(timeout=DEADLINE_S)
    assert refused.returncode == 1
    assert "no Ray cluster answers at 127.0.0.1" in told
    assert "docs/cluster.md" in told


def _answer(running: subprocess.Popen[str]) -> dict[str, object] | dict[str, list[dict[str, str]]]:
    output, told = running.communicate(timeout=DEADLINE_S)
    assert running.returncode == 0, told
    return last_line(output)


def test_without_ray_it_is_said_how_it_is_installed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    settings = site.settings.model_copy(update={"reprocessing": ReprocessingSettings(engine="ray")})
    items = plan(site.home, SOURCE, FIRST, LAST).items
    with pytest.raises(ReprocessingError, match="check --extra cluster"):
        open_engine(settings).run(items, task_of(site), lambda _item: None)


def test_a_worker_hears_a_recording_once_its_generation_is_loaded(site: Site) -> None:
    task = task_of(site)
    item = plan(site.home, SOURCE, FIRST, LAST).items[0]
    assert set(json.loads(worker.load(task.to_json(), 60.0))) == {"node"}
    answer = json.loads(worker.hear(task.to_json(), json.dumps(item.to_dict()), True, 60.0))
    assert "failed" not in answer
    parts = Parts(site.home.store, task.prefix)
    assert parts.heard() == {parts.key(item)}


def test_a_node_that_would_hear_otherwise_or_sees_no_archive_says_so(site: Site) -> None:
    task = task_of(site)
    item = plan(site.home, SOURCE, FIRST, LAST).items[0]
    older = replace(task, prefix="reprocessing/generation=1/key=other/")
    assert "another one" in json.loads(worker.load(older.to_json(), 60.0))["failed"]
    none = replace(task, generation=7)
    assert "7" in json.loads(worker.load(none.to_json(), 60.0))["failed"]
    Path(item.path).unlink()
    not_mounted = json.loads(worker.hear(task.to_json(), json.dumps(item.to_dict()), True, 60.0))
    assert "mounted" in not_mounted["failed"]
    gone = json.loads(worker.hear(task.to_json(), json.dumps(item.to_dict()), False, 60.0))
    assert "failed" not in gone, "a file that nobody sees is missing audio"
    assert "gone" in (Parts(site.home.store, task.prefix).failure(item) or "")


def test_a_worker_that_hangs_ends_itself() -> None:
    code = (
        "import time\n"
        "from serving.reprocessing.ray_worker import _ended_when_hung\n"
        "with _ended_when_hung(0.5):\n"
        "    time.sleep(60)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False
    )
    assert ended.returncode == 75
    assert "got no further for 0.5 s" in ended.stderr
