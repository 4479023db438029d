"""The demo: a made site goes the whole way, from recordings to a served generation and what it heard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from assets.dagster_processes import wait_until_ready
from assets.demo_baseline import baseline_macro_f1
from assets.demo_servers import DemoServers, demo_servers
from assets.generation_run import run_generation, why_not_served
from assets.jobs import HEAR_ARCHIVE, INDEX_ARCHIVE
from assets.recordings.days import versions_of_days
from assets.recordings.partitions import partition_of
from assets.running import run_job
from serving.analysis import hear_file
from serving.client import ModelClient
from tidzam_platform.datasets.importer import import_labels, read_labels
from tidzam_platform.detections.detection import is_detection
from tidzam_platform.errors import ModelServerError
from tidzam_platform.files import exclusive
from tidzam_platform.home import Home
from tidzam_platform.made_site import MadeSite, SiteSize, make_site
from tidzam_platform.operations.child_process import ChildProcess, watch
from tidzam_platform.settings import Settings

ANNOTATOR: Final = "made_site"
SITE_FOLDER: Final = "site"  # in the demo's home
_SERVED_TIMEOUT_S: Final = 120.0

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

    def wait(self) -> NoReturn:
        """Wait for Ctrl-C; ProcessError with the end of its log if one of the servers ends."""
        watch(self.processes)


@contextmanager
def run_demo(settings: Settings, say: Say, size: SiteSize | None = None) -> Iterator[DemoResult]:
    """Go the whole way; the model server and Dagster run while the context lasts.

    Every step is idempotent: a second call on the same home finds its work done.

    Raises:
        BusyError: a demo runs on this home.
        ProcessError: a server ended, or a port that was asked for is in use.
    """
    home = Home.open(settings)
    with exclusive(settings.locks_folder / "demo", f"a demo on {settings.home}"):
        site = make_site(settings.home / SITE_FOLDER, size=size)
        say("the site is made: recordings and labelled clips")
        _import(home, site, say)
        say("starting the model server and Dagster")
        with demo_servers(settings) as servers:
            yield _learn_and_hear(home, site, servers, say)


def _learn_and_hear(home: Home, site: MadeSite, servers: DemoServers, say: Say) -> DemoResult:
    say("training a classifier, with Dagster")
    answer = run_generation(home, None, say)
    servers.require_running()  # before each long step: an error now, not after minutes
    number = answer["generation"]
    macro_f1 = baseline_macro_f1(home, answer["dataset"]["version"], say)
    answer["evaluation"]["baseline_macro_f1"] = macro_f1
    _hear_archive(home, number, servers, say)
    say("waiting for the model server to serve it")
    not_served = why_not_served(home, number, address=servers.model_server, timeout_s=_SERVED_TIMEOUT_S)
    servers.require_running()
    if not_served:
        raise ModelServerError(f"generation {number} of the demo is not served: {not_served}")
    answer["served"] = True
    say(f"hearing {site.held_out.name}, which nothing was trained on")
    heard = _hear_held_out(home, site, servers.model_server)
    wait_until_ready(servers.dagster, servers.processes[1:])
    servers.require_running()
    answer |= {
        "detections": len(heard),
        "addresses": {"model_server": servers.model_server, "dagster": servers.dagster},
        "home": str(home.settings.home),
    }
    return DemoResult(answer, site.held_out.name, heard, servers.processes)


def _import(home: Home, site: MadeSite, say: Say) -> None:
    entries = read_labels(site.labels_file)
    say(f"importing {len(entries)} labelled clips")
    import_labels(home.catalog, home.store, entries, annotator=ANNOTATOR)
    say("indexing the recordings")
    run_job(home.settings, INDEX_ARCHIVE)


def _hear_archive(home: Home, number: int, servers: DemoServers, say: Say) -> None:
    """Run the detections of every source and day of the archive, each a partition."""
    with home.catalog.reading() as session:
        partitions = sorted(versions_of_days(session))
    for source, day in partitions:
        say(f"hearing {source} on {day}")
        config = {"detections": {"config": {"generation": number}}}
        run_job(home.settings, HEAR_ARCHIVE, config=config, partition=partition_of(source, day))
        servers.require_running()


def _hear_held_out(home: Home, site: MadeSite, address: str) -> list[HeardEvent]:
    """Hear the recording that nothing was trained on, through the model server, beside the truth."""
    settings = home.settings
    with ModelClient(address, deadline_s=settings.model_server.deadline_s) as client:
        hearing = hear_file(site.held_out, client, settings.decision)
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
