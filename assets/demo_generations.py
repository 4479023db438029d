"""The demo of generations: three of them from few labels, chosen by the queue and at random, in service all the while.

The first seed's labels go the whole way: the queue, annotations, Dagster, the gate, the model server. The other
courses need none of that to be compared, and train by the same functions on the same features.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select

from assets.demo_client import AskingClient
from assets.demo_pool import ImportedPool, import_pool, shuffled_version
from assets.demo_servers import DemoServers, demo_servers
from assets.generation_run import run_generation, why_not_served
from assets.learning.jobs import RANK_LABELS
from assets.running import run_job
from tidzam_platform.catalog.generations import EXPORTED
from tidzam_platform.catalog.tables import Generation
from tidzam_platform.classifiers.front_end import preset
from tidzam_platform.classifiers.trained_tree import TrainedTree
from tidzam_platform.errors import FolderInUseError, GateRefusedError, ModelServerError
from tidzam_platform.files import exclusive, write_whole
from tidzam_platform.home import Home
from tidzam_platform.learning.curve import ACTIVE, RANDOM, Arm, Course, Courses, curve_rows
from tidzam_platform.learning.pool import start_labels
from tidzam_platform.learning.queue import rank_clips, read_queue
from tidzam_platform.made_site.pool import PoolSize, make_pool
from tidzam_platform.operations.child_process import ChildProcess
from tidzam_platform.settings import Settings

RUN_FOLDER: Final = "run"  # of the demo's folder: the home, made anew by each call
POOL_FOLDER: Final = "made"  # beside it: the sounds, which stay
EFFORT: Final = {
    "TIDZAM_TRAINING__MAX_EPOCHS": "10",
    "TIDZAM_TRAINING__WINDOWS_PER_EPOCH": "1536",
    "TIDZAM_TRAINING__TENSORBOARD": "false",
}
"""How hard is trained, unless the environment says otherwise: sixteen trainings in half an hour on two cores."""
_MARK: Final = ".demo_of_generations"
_SERVED_TIMEOUT_S: Final = 120.0
_LOOK_S: Final = 5.0  # after the last generation the client asks so much longer at least

Say = Callable[[str], None]


@dataclass(frozen=True)
class GenerationsResult:
    """``answer`` is what --json prints; the servers run while the context lasts."""

    answer: dict[str, Any]
    processes: list[ChildProcess]


@dataclass(frozen=True)
class _Made:
    """A generation of the first seed: what the gate said, and its tree."""

    number: int
    dataset_version: str
    tree: TrainedTree
    gate: dict[str, Any]
    is_served: bool


@contextmanager
def fresh_run(folder: Path) -> Iterator[Path]:
    """The home of a new run below the demo's ``folder``, ours alone; that of the run before is removed.

    Raises:
        BusyError: a demo runs in this folder.
        FolderInUseError: something else stands there.
    """
    home = folder / RUN_FOLDER
    with exclusive(folder / "lock", f"a demo of generations in {folder}"):
        if home.exists():
            if not (home / _MARK).exists():
                raise FolderInUseError(
                    f"{home} is no home of this demo: name another folder with --demo-home"
                )
            shutil.rmtree(home)
        home.mkdir(parents=True)
        write_whole(home / _MARK, b"")
        yield home


@contextmanager
def run_generations_demo(
    settings: Settings, folder: Path, course: Course, say: Say, size: PoolSize | None = None
) -> Iterator[GenerationsResult]:
    """Go the whole way; the model server and Dagster run while the context lasts.

    Args:
        settings: whose home is that of ``fresh_run(folder)``.
        folder: of the demo; the sounds are kept there.
        course: how labels are given.
        say: is told how it goes on.
        size: of the pool.

    Raises:
        ProcessError: a server ended, or a port that was asked for is in use.
        GateRefusedError: the gate lets not even the first generation pass.
    """
    began = time.monotonic()
    say("making the sounds of a site, unless they are there")
    made = make_pool(folder / POOL_FOLDER, size=size)
    home, front_end = Home.open(settings), preset(settings.tree.front_end)
    say(f"importing {len(made.pool)} clips without labels, and {len(made.test)} to compare on")
    imported = import_pool(home, made, front_end)
    courses = Courses(imported.pool, front_end, settings, course, say)
    say("starting the model server and Dagster")
    with demo_servers(settings) as servers:
        answer = _run(home, imported, courses, course, servers, say)
        answer["seconds"] = round(time.monotonic() - began, 1)
        write_whole(settings.home / "demo-generations.json", json.dumps(answer, indent=1).encode())
        yield GenerationsResult(answer, servers.processes)


def _run(
    home: Home, imported: ImportedPool, courses: Courses, course: Course, servers: DemoServers, say: Say
) -> dict[str, Any]:
    first_seed, *other_seeds = course.seeds
    start = start_labels(imported.pool, course.start_per_class, first_seed)
    imported.label(start)
    say(f"seed {first_seed}: generation 1 with {len(start)} labels, with Dagster")
    made = [_generation(home, None, servers, say)]
    if not made[0].is_served:
        raise GateRefusedError("; ".join(made[0].gate["reasons"]))
    active = Arm(ACTIVE, first_seed, [len(start)], [courses.macro_f1(made[0].tree)])
    with AskingClient(servers.model_server, home.settings.model_server.deadline_s) as client:
        known = list(start)
        for number in range(2, course.generations + 1):
            _rank(home, made[-1], say)
            chosen = _from_queue(home, imported, made[-1].number, course.labels_a_round)
            imported.label(chosen)
            known += chosen
            say(f"seed {first_seed}: generation {number} with {len(known)} labels, with Dagster")
            made.append(_generation(home, None, servers, say))
            active.labels.append(len(known))
            active.macro_f1.append(courses.macro_f1(made[-1].tree))
        _rank(home, made[-1], say)  # what a person would label next
        say("a generation whose labels went astray, which the gate shall refuse")
        refused = _generation(
            home, shuffled_version(home, made[-1].dataset_version, first_seed), servers, say
        )
        arms = [active, courses.go_on(RANDOM, first_seed, start, made[0].tree, active.macro_f1[0])]
        arms += _others(courses, other_seeds)
        servers.require_running()
        time.sleep(_LOOK_S)
    rows = curve_rows(arms, ACTIVE)
    for row, one in zip(rows, made, strict=True):
        row |= {"number": one.number, "gate": one.gate, "served": one.is_served}
    return {
        "generations": rows,
        "random": curve_rows(arms, RANDOM),
        "gate": {"refused": not refused.is_served, "generation": refused.number, **refused.gate},
        "service": client.to_dict(),
        "pool": {"clips": len(imported.pool.clips), "test_clips": len(imported.pool.test)},
        "course": {"start_per_class": course.start_per_class, "labels_a_round": course.labels_a_round},
        "seeds": list(course.seeds),
        "addresses": {"model_server": servers.model_server, "dagster": servers.dagster},
        "home": str(home.settings.home),
    }


def _others(courses: Courses, seeds: Sequence[int]) -> list[Arm]:
    arms = []
    for seed in seeds:
        labelled, tree, first = courses.start(seed)
        arms += [courses.go_on(name, seed, labelled, tree, first) for name in (ACTIVE, RANDOM)]
    return arms


def _generation(home: Home, version: str | None, servers: DemoServers, say: Say) -> _Made:
    """Make a generation with Dagster and wait until it serves; one that the gate refuses comes back too."""
    servers.require_running()
    try:
        run_generation(home, version, say)
    except GateRefusedError as refusal:
        say(str(refusal))
    with home.catalog.reading() as session:
        newest = select(Generation).order_by(Generation.number.desc()).limit(1)
        row = session.scalars(newest).one()
    is_served = row.state == EXPORTED
    if is_served:
        not_served = why_not_served(
            home, row.number, address=servers.model_server, timeout_s=_SERVED_TIMEOUT_S
        )
        servers.require_running()
        if not_served:
            raise ModelServerError(f"generation {row.number} of the demo is not served: {not_served}")
    kept = row.manifest["gate"]
    gate = {"passed": bool(kept["passed"]), "reasons": list(kept["reasons"])}
    tree = TrainedTree.load(home.store, row.manifest["experts"]["selector"]["weights"])
    return _Made(row.number, row.dataset_version, tree, gate, is_served)


def _rank(home: Home, made: _Made, say: Say) -> None:
    """By Dagster's job, which ranks by the newest generation in the repository; by hand for one that was refused."""
    say(f"generation {made.number} ranks what to label next")
    if made.is_served:
        run_job(home.settings, RANK_LABELS)
    else:
        rank_clips(home, made.number)


def _from_queue(home: Home, imported: ImportedPool, generation: int, count: int) -> list[int]:
    """The first clips of the queue, by their numbers in the pool."""
    place_of = {clip_id: place for place, clip_id in enumerate(imported.clip_ids)}
    entries = read_queue(home.catalog, limit=count, generation=generation)
    return [place_of[entry.clip_id] for entry in entries if entry.clip_id is not None]
