"""A system without descriptors, processes or threads ends no permanent source: it is started again later."""

from __future__ import annotations

import errno
import os
import random
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest

from streamer.engine.fetching import Cancellation
from streamer.engine.graph import ClockGraph
from streamer.engine.rings import RingFolder
from streamer.engine.shortage import shortage
from streamer.engine.sources import SourceKind, SourceManager, SourceSpecification, SourceState
from streamer.engine.sources.attempt import Attempt
from streamer.engine.sources.context import SharedCatalog, SourceContext
from streamer.engine.sources.decoder import StreamDecoder, _Pump
from streamer.engine.sources.start_slots import StartSlots
from streamer.engine.sources.supervisor import SourceSupervisor
from tests.audio.made import encode, tones
from tests.streamer.sources.site_under_test import Site
from tests.streamer.sources.test_decoder import Bytes
from tests.support.waiting import wait_for
from tidzam_platform.errors import EngineError
from tidzam_platform.settings import Settings


@contextmanager
def no_more_descriptors() -> Iterator[None]:
    """The kernel gives this process no new one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.open("/dev/null", os.O_RDONLY)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Even(random.Random):
    """Draws what is a quarter of the range from its beginning, so that waits are neither short nor long."""

    def uniform(self, a: float, b: float) -> float:
        return a + (b - a) / 4


@pytest.fixture
def make_site(
    ring_folder: RingFolder, graph: ClockGraph, settings: Settings
) -> Iterator[Callable[..., Site]]:
    made: list[Site] = []

    def make(**more: object) -> Site:
        made.append(
            Site(lambda **own: SourceManager(graph, ring_folder, settings, chance=Even(), **own, **more))
        )
        return made[-1]

    yield make
    for site in made:
        site.close()


def test_a_permanent_source_outlives_a_system_without_descriptors(
    make_site: Callable[..., Site], settings: Settings
) -> None:
    folder = settings.home / "files"
    folder.mkdir()
    site = make_site()
    site.add("film", path="film.wav", is_permanent=True)
    site.wait_for_state("film", "backing_off")  # there is no such file: the next try comes in a second
    with no_more_descriptors():
        wait_for(
            lambda: "open files" in site.manager.status("film")["last_failure"],
            "it is tried again, and the system refuses",
        )
        assert site.state("film") in ("backing_off", "waiting", "starting")
    encode(tones([500], 2.0), folder / "film.wav", "wav")
    site.wait_for_state("film", "playing")


def test_a_source_that_cannot_even_be_made_is_refused_with_the_reason_and_nothing_is_left_of_it(
    make_site: Callable[..., Site],
) -> None:
    site = make_site()
    site.add("other", live=True)
    site.wait_for_state("other", "playing")
    with no_more_descriptors(), pytest.raises(EngineError, match="ulimit -n"):
        site.add("desk", live=True)
    assert [one["name"] for one in site.manager.list()] == ["other"]
    site.add("desk", live=True)
    site.wait_for_state("desk", "playing")


def test_one_that_ends_by_a_fault_of_ours_is_tried_again(
    make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [EngineError("a step that the table does not have")]

    def warn(_supervisor: SourceSupervisor) -> None:
        if faults:
            raise faults.pop()

    monkeypatch.setattr(SourceSupervisor, "_warn", warn)
    site = make_site(try_again_s=0.3)
    site.add("film", path="film.wav", is_permanent=True)
    wait_for(lambda: site.manager.counts()["unstarted"] == 1, "it has ended")
    status = site.manager.status("film")
    assert (status["state"], status["is_permanent"]) == ("backing_off", True)
    assert "the table does not have" in status["reason"]
    wait_for(lambda: site.manager.counts()["unstarted"] == 0, "it is tried again")
    site.wait_for_state("film", "backing_off")
    assert "film.wav" in site.manager.status("film")["reason"]


class ShortOfProcesses:
    """A feed that the system refuses a process twice, and then plays."""

    def __init__(self) -> None:
        self.runs = 0

    def run(self, attempt: Attempt) -> str:
        self.runs += 1
        if self.runs < 3:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        attempt.gives_samples()
        attempt.wait(60)
        return "it was ended"


def test_one_that_gets_no_process_backs_off_with_the_reason(
    ring_folder: RingFolder, graph: ClockGraph, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    context = SourceContext(
        settings, graph, ring_folder, StartSlots(1), SharedCatalog(settings.catalog_url), chance=Even()
    )
    specification = SourceSpecification(name="desk", live=True, is_permanent=True)
    supervisor = SourceSupervisor(specification, SourceKind.LIVE, ShortOfProcesses(), context)
    supervisor.start()
    try:
        wait_for(lambda: supervisor.state is SourceState.PLAYING, "it plays")
        assert "ulimit -u" in supervisor.last_failure
        assert supervisor.status()["last_failure_code"] == "EngineError"
    finally:
        supervisor.stop()
    assert not caplog.records, "it is no fault of the engine"


def test_a_decoder_without_a_process_closes_its_stream(cancellation: Cancellation) -> None:
    stream = Bytes(b"", cancellation)
    with no_more_descriptors(), pytest.raises(OSError, match="Too many open files"):
        StreamDecoder(stream.input_arguments(), cancellation, stream=stream)
    assert stream.closed


def test_a_decoder_without_a_thread_leaves_no_process(
    cancellation: Cancellation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_pump: _Pump) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_Pump, "start", refuse)
    stream = Bytes(b"", cancellation, holds=True)
    before = psutil.Process().children()
    with pytest.raises(RuntimeError, match="new thread"):
        StreamDecoder(stream.input_arguments(), cancellation, stream=stream)
    assert stream.closed
    assert psutil.Process().children() == before


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "ulimit -n"),
        (OSError(errno.ENFILE, "Too many open files in system"), "fs.file-max"),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), "ulimit -u"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "memory"),
        (MemoryError(), "memory"),
        (RuntimeError("can't start new thread"), "thread"),
        (OSError(errno.ENOENT, "No such file or directory"), None),
        (RuntimeError("something else"), None),
        (ValueError("can't start new thread"), None),
    ],
)
def test_what_the_system_has_no_more_of(error: Exception, said: str | None) -> None:
    found = shortage(error)
    assert (found is None) == (said is None)
    assert said is None or said in str(found)


def test_a_cancellation_without_descriptors_says_so() -> None:
    with Cancellation() as parent:
        with no_more_descriptors(), pytest.raises(EngineError, match="Too many open files"):
            parent.child()
        with parent.child() as child:
            parent.cancel()
            assert child.is_cancelled
