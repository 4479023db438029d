"""The demo: a made site goes the whole way, from recordings to a served generation and what it heard."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select

from assets.dagster_processes import START_TIMEOUT_S, answers, dagster_processes
from assets.generation_run import is_served, run_generation
from assets.jobs import HEAR_ARCHIVE, INDEX_ARCHIVE
from assets.running import run_job
from serving.analysis import hear_file
from serving.client import ModelClient
from tidzam_platform.catalog.tables import Recording
from tidzam_platform.classifiers.baseline import nearest_centroid_macro_f1
from tidzam_platform.classifiers.features import decode_clip
from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.datasets.build import load_manifest
from tidzam_platform.datasets.importer import import_labels, read_labels
from tidzam_platform.detections.detection import is_detection
from tidzam_platform.errors import ModelServerError
from tidzam_platform.home import Home
from tidzam_platform.made_site import MadeSite, SiteSize, make_site
from tidzam_platform.operations.child_process import ChildProcess
from tidzam_platform.settings import Settings

ANNOTATOR: Final = "made_site"
SITE_FOLDER: Final = "site"  # in the demo's home
_SERVED_TIMEOUT_S: Final = 120.0
_WATCH_S: Final = 1.0
_DECODERS: Final = 2

Say = Callable[[str], None]


@dataclass(frozen=True)
class HeardEvent:
    """One line of the demo's table."""

    channel: int
    start_s: float
    end_s: float
    class_path: str
    score: float
    truth: str  # what the made site put there; empty where it put nothing


@dataclass(frozen=True)
class DemoResult:
    """What the demo found; ``answer`` is what --json prints."""

    answer: dict[str, Any]
    recording: str
    heard: list[HeardEvent]
    processes: list[ChildProcess]

    def wait(self) -> None:
        """Return when one of the servers ends; Ctrl-C ends the wait."""
        while all(process.is_running() for process in self.processes):
            time.sleep(_WATCH_S)


@contextmanager
def run_demo(settings: Settings, say: Say, size: SiteSize | None = None) -> Iterator[DemoResult]:
    """Go the whole way; the model server and Dagster run while the context lasts.

    Every step is idempotent: a second call on the same home finds its work done.
    """
    home = Home.open(settings)
    site = make_site(settings.home / SITE_FOLDER, size=size)
    say("the site is made: recordings and labelled clips")
    _import(home, site, say)
    with _model_server(settings) as (address, model_server), dagster_processes(settings) as (dagster, parts):
        say("training a classifier, with Dagster")
        answer = run_generation(home, None, say)
        number = answer["generation"]
        say("comparing it with a baseline")
        answer["evaluation"]["baseline_macro_f1"] = _baseline_macro_f1(home, answer["dataset"]["version"])
        _hear_archive(home, number, say)
        say("waiting for the model server to serve it")
        model_server.wait_until(lambda: _answers(address), _SERVED_TIMEOUT_S)
        answer["served"] = is_served(home, number, _SERVED_TIMEOUT_S)
        say(f"hearing {site.held_out.name}, which nothing was trained on")
        heard = _hear_held_out(home, site, address)
        parts[0].wait_until(lambda: answers(dagster), START_TIMEOUT_S)
        for process in parts:  # one that ended meanwhile is an error with the end of its log
            process.wait_until(process.is_running, _WATCH_S)
        answer |= {
            "detections": len(heard),
            "addresses": {"model_server": address, "dagster": dagster},
            "home": str(settings.home),
        }
        yield DemoResult(answer, site.held_out.name, heard, [model_server, *parts])


def _import(home: Home, site: MadeSite, say: Say) -> None:
    entries = read_labels(site.labels_file)
    say(f"importing {len(entries)} labelled clips")
    import_labels(home.catalog, home.store, entries, annotator=ANNOTATOR)
    say("indexing the recordings")
    run_job(home.settings, INDEX_ARCHIVE)


@contextmanager
def _model_server(settings: Settings) -> Iterator[tuple[str, ChildProcess]]:
    """Start ``./tidzam serve`` of this home; yields its address, which may not answer yet."""
    server = settings.model_server
    command = [
        sys.executable,
        "-m",
        "tidzam_platform.cli",
        "serve",
        "--host",
        server.host,
        "--port",
        str(server.port),
    ]
    log_file = settings.logs_folder / "model-server.log"
    with ChildProcess("the model server", command, log_file, {"TIDZAM_HOME": str(settings.home)}) as process:
        yield f"{server.host}:{server.port}", process


def _answers(address: str) -> bool:
    with ModelClient(address, deadline_s=1.0) as client:
        try:
            client.status()
        except ModelServerError:
            return False
    return True


def _baseline_macro_f1(home: Home, dataset_version: str) -> float:
    """Macro-F1 of a nearest centroid on MFCC statistics, on the same sides: what the classifier must beat."""
    manifest = load_manifest(home.catalog, home.store, dataset_version)
    front_end = FrontEnd()
    sides: dict[str, list[Any]] = {"train": [], "validation": [], "test": []}
    with ThreadPoolExecutor(_DECODERS) as decoders:
        decoded = decoders.map(lambda row: decode_clip(home.store, row, front_end), manifest.rows)
        for row, audio in zip(manifest.rows, decoded, strict=True):
            sides[row.side].append((audio, row.class_path))
    return nearest_centroid_macro_f1(sides["train"] + sides["validation"], sides["test"], front_end.rate_hz)


def _hear_archive(home: Home, number: int, say: Say) -> None:
    """Run the detections of every day of the archive, each a partition."""
    with home.catalog.reading() as session:
        starts = session.scalars(select(Recording.start).where(Recording.error.is_(None))).all()
    days: list[date] = sorted({start.date() for start in starts})
    for day in days:
        say(f"hearing {day} of the archive")
        config = {"detections": {"config": {"generation": number}}}
        run_job(home.settings, HEAR_ARCHIVE, config=config, partition=day.isoformat())


def _hear_held_out(home: Home, site: MadeSite, address: str) -> list[HeardEvent]:
    """Hear the recording that nothing was trained on, through the model server, beside the truth."""
    settings = home.settings
    with ModelClient(address, deadline_s=settings.model_server.deadline_s) as client:
        hearing = hear_file(site.held_out, client, no_signal_dbfs=settings.decision.no_signal_dbfs)
    heard = []
    for event in filter(is_detection, hearing.events):
        start_s, end_s = hearing.seconds(event.start_frame), hearing.seconds(event.end_frame)
        truth = _truth_at(site, site.held_out, event.channel, start_s, end_s)
        heard.append(HeardEvent(event.channel, start_s, end_s, event.class_path, event.score, truth))
    return heard


def _truth_at(site: MadeSite, recording: Path, channel: int, start_s: float, end_s: float) -> str:
    """The class that the site put there for the longest time."""
    overlaps: dict[str, float] = {}
    for event in site.truth:
        if event.recording == recording.stem and event.channel == channel:
            overlap_s = min(end_s, event.end_s) - max(start_s, event.start_s)
            if overlap_s > 0:
                overlaps[event.class_path] = overlaps.get(event.class_path, 0.0) + overlap_s
    return max(overlaps, key=overlaps.__getitem__) if overlaps else ""
