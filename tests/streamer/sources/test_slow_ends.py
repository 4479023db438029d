"""Sources that take long to end, on a slow disk for instance: nobody else waits, and nothing comes out of order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from streamer.engine.graph import ClockGraph
from streamer.engine.rings import RingFolder
from streamer.engine.sources import SourceManager
from tests.streamer.sources.site_under_test import Site, SlowEars
from tests.support.waiting import wait_for
from tidzam_platform.errors import EngineError
from tidzam_platform.settings import Settings

MakeSite = Callable[..., Site]


@pytest.fixture
def ears() -> SlowEars:
    return SlowEars()


@pytest.fixture
def make_site(
    ring_folder: RingFolder, graph: ClockGraph, settings: Settings, ears: SlowEars
) -> Iterator[MakeSite]:
    made: list[Site] = []

    def make(**more: float) -> Site:
        made.append(Site(lambda **own: SourceManager(graph, ring_folder, settings, **own, **more), ears))
        return made[-1]

    yield make
    ears.release()
    for site in made:
        site.close()


@pytest.fixture
def threads(make_site: MakeSite, ears: SlowEars) -> Iterator[ThreadPoolExecutor]:
    """For what waits."""
    with ThreadPoolExecutor(8) as pool:
        yield pool
        ears.release()


def play(site: Site, *names: str, **more: object) -> None:
    for name in names:
        site.add(name, live=True, **more)
        site.wait_for_state(name, "playing")


def asked_for(site: Site, name: str, times: int) -> None:
    """Wait until so many changes of ``name`` are under way or wait."""
    wait_for(lambda: len(site.manager._turns._queues.get(name, ())) == times, f"{times} changes of {name}")


def test_nothing_else_waits_for_a_source_that_takes_long_to_end(
    make_site: MakeSite, ears: SlowEars, threads: ThreadPoolExecutor
) -> None:
    site = make_site()
    play(site, "slow", "other", "third")
    ears.hold("slow")
    removal = threads.submit(site.manager.remove, "slow")
    wait_for(lambda: "slow" in ears.closing, "it is ending")
    statuses = {one["name"]: one for one in site.manager.list()}
    assert {name: one["ending"] for name, one in statuses.items()} == {
        "slow": True,
        "other": False,
        "third": False,
    }
    site.manager.remove("third")
    play(site, "fourth")
    site.add("other", live=True, nb_channels=2)
    site.wait_for_state("other", "playing")
    site.manager.push("other", bytes(400), 48_000)
    assert site.manager.counts()["playing"] >= 2
    assert site.manager.remove_owned("nobody") == []
    assert not removal.done(), "all of that was done meanwhile"
    ears.release()
    removal.result(20)
    assert [one["name"] for one in site.manager.list()] == ["fourth", "other"]


def test_changes_of_one_name_are_made_in_the_order_in_which_they_were_asked_for(
    make_site: MakeSite, ears: SlowEars, threads: ThreadPoolExecutor
) -> None:
    site = make_site()
    play(site, "slow")
    ears.hold("slow")
    removal = threads.submit(site.manager.remove, "slow")
    wait_for(lambda: "slow" in ears.closing, "it is ending")
    asked_for(site, "slow", 1)
    later = []
    for channels in (2, 3, 4):
        later.append(threads.submit(site.add, "slow", live=True, nb_channels=channels))
        asked_for(site, "slow", channels)
    assert ears.opened == [("slow", 1)], "nothing new begins before the old one has let go of its ring"
    ears.release()
    removal.result(20)
    numbers = [one.result(20)["number"] for one in later]
    assert numbers == sorted(numbers)
    site.wait_for_state("slow", "playing")
    assert site.manager.status("slow")["specification"]["nb_channels"] == 4
    assert ears.opened[-1] == ("slow", 4)


def test_what_comes_back_begins_when_what_stood_in_for_it_has_let_go_of_its_ports(
    make_site: MakeSite, ears: SlowEars, threads: ThreadPoolExecutor
) -> None:
    site = make_site()
    play(site, "marsh", is_permanent=True)
    site.manager.add({"name": "marsh", "live": True, "nb_channels": 2}, owner="web-1/a")
    site.wait_for_state("marsh", "playing")
    ears.hold("marsh")
    removal = threads.submit(site.manager.remove_owned, "web-1/a")
    wait_for(lambda: "marsh" in ears.closing, "it is ending")
    assert site.manager.status("marsh")["ending"]
    assert ears.opened == [("marsh", 1), ("marsh", 2)]
    ears.release()
    assert removal.result(20) == ["marsh"]
    site.wait_for_state("marsh", "playing")
    assert not site.manager.status("marsh")["stands_in"]
    assert ears.opened == [("marsh", 1), ("marsh", 2), ("marsh", 1)]


def test_all_sources_of_an_owner_end_at_the_same_time(
    make_site: MakeSite, ears: SlowEars, threads: ThreadPoolExecutor
) -> None:
    site = make_site()
    names = {"one", "two", "three"}
    for name in names:
        site.manager.add({"name": name, "live": True}, owner="web-1/a")
        site.wait_for_state(name, "playing")
    ears.hold(*names)
    removal = threads.submit(site.manager.remove_owned, "web-1/", is_prefix=True)
    wait_for(lambda: ears.closing == names, "all of them are ending")
    ears.release()
    assert set(removal.result(20)) == names
    assert site.manager.list() == []


def test_one_that_hangs_when_it_is_removed_is_gone_as_soon_as_it_ends(
    make_site: MakeSite, ears: SlowEars, settings: Settings
) -> None:
    site = make_site(stop_s=0.1)
    play(site, "slow", is_permanent=True)
    assert "slow" in (settings.home / "sources.json").read_text()
    ears.hold("slow")
    for _ in range(2):
        with pytest.raises(EngineError, match="removed as soon as it ends"):
            site.manager.remove("slow")
    assert site.manager.status("slow")["ending"]
    assert "slow" not in (settings.home / "sources.json").read_text(), "a restart is what people do then"
    ears.release()
    wait_for(lambda: site.manager.list() == [], "it is gone")
    assert len(site.told("source_removed", source="slow")) == 1


def test_one_that_hangs_when_it_is_replaced_plays_again(make_site: MakeSite, ears: SlowEars) -> None:
    site = make_site(stop_s=0.1)
    play(site, "slow", is_permanent=True)
    ears.hold("slow")
    with pytest.raises(EngineError, match="does not end"):
        site.add("slow", live=True, nb_channels=2, is_permanent=True)
    assert ears.opened == [("slow", 1)]
    ears.release()
    wait_for(lambda: len(ears.opened) == 2, "it is there again")
    site.wait_for_state("slow", "playing")
    assert ears.opened == [("slow", 1), ("slow", 1)]
    assert site.manager.status("slow")["kept"]


def test_one_that_hangs_when_the_engine_ends_holds_up_the_others_no_longer_than_the_limit(
    make_site: MakeSite, ears: SlowEars
) -> None:
    site = make_site(stop_s=0.3)
    play(site, "one", "two", "three")
    ears.hold("one", "two", "three")
    site.manager.close()
    assert ears.closing == {"one", "two", "three"}
    ears.release()
    wait_for(lambda: {one["state"] for one in site.manager.list()} == {"stopped"}, "they end all the same")
