"""Sources added, replaced, removed, owned, and there again after a restart."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from streamer.engine.graph import ClockGraph
from streamer.engine.rings import ENGINE_RATE_HZ, RingFolder
from streamer.engine.sources import SourceManager
from tests.archive.made import make_recording
from tests.audio.made import encode, tones
from tests.streamer.sources.site_under_test import Site
from tests.support.endless_media import EndlessOgg
from tests.support.faulty_stream_server import FaultyStreamServer
from tests.support.stream_behaviours import Fixed, Healthy
from tests.support.waiting import wait_for
from tidzam_platform.archive import index_archive
from tidzam_platform.catalog import Catalog
from tidzam_platform.errors import SourceError
from tidzam_platform.settings import Settings, SourcesSettings

Endless = Callable[..., EndlessOgg]


def pcm(seconds: float) -> bytes:
    return bytes((tones([700], seconds, level=0.5)[0] * 32767).astype("<i2").tobytes())


def near(found: list[float], expected: list[float]) -> bool:
    return len(found) == len(expected) and all(abs(a - b) < 5 for a, b in zip(found, expected, strict=True))


def test_a_url_is_played_channel_by_channel(site: Site, server: FaultyStreamServer, endless: Endless) -> None:
    server.behave("/a", Healthy(endless(400, 800, 1600)))
    site.add("marsh", url=server.url("/a"), channels="2,channel1")
    status = site.manager.wait_begun("marsh", 20)
    assert status["state"] == "playing"
    site.wait_until_it_sounds("marsh")
    assert near(site.heard_hz("marsh"), [1600, 400])
    status = site.manager.status("marsh")
    assert status["channels"] == ["marsh:out_1", "marsh:out_2"] == list(site.ears.ports["marsh"])
    assert status["input_channels"] == [2, 0]
    assert status["kind"] == "url"
    assert site.states("marsh")[:3] == ["waiting", "starting", "playing"]
    assert [event["state"] for event in site.told("source", source="marsh")][:3] == [
        "waiting",
        "starting",
        "playing",
    ]
    json.dumps(site.manager.list())
    site.manager.remove("marsh")
    assert site.manager.list() == []
    assert site.ears.ports["marsh"] == ()
    assert site.ears.closed == ["marsh"]
    with pytest.raises(SourceError, match="no source 'marsh'"):
        site.manager.remove("marsh")


def test_a_file_is_played_sample_by_sample_to_its_end(
    site: Site, settings: Settings, graph: ClockGraph
) -> None:
    folder = settings.home / "files"
    folder.mkdir()
    samples = tones([500, 900], 2.5)
    encode(samples, folder / "tones.wav", "wav")
    site.add("film", path="tones.wav")
    site.wait_for_state("film", "playing")
    heard = site.ears.rings["film"]
    first = heard.samples.reshape(-1, 2)[:48_000].copy()
    np.testing.assert_allclose(first, samples.T[:48_000], atol=1e-4)
    site.wait_for_state("film", "stopped")
    assert "end" in site.manager.status("film")["reason"]
    assert "film:out_1" not in graph.ports()


def test_a_file_of_a_permanent_source_begins_again(
    site: Site, server: FaultyStreamServer, tone_bytes: Callable[..., bytes]
) -> None:
    server.behave("/a.ogg", Fixed(tone_bytes("opus", 600, seconds=1.5), "audio/ogg"))
    site.add("loop", url=server.url("/a.ogg"), is_permanent=True)
    wait_for(lambda: site.count("loop", "starts") >= 2, "it begins again")
    site.wait_for_state("loop", "playing")
    assert site.ears.opened == [("loop", 1)], "its ports stay"
    assert "backing_off" not in site.states("loop")
    assert len(server.requests("/a.ogg")) >= 2


def test_a_file_that_may_not_be_played_fails_with_a_reason(site: Site) -> None:
    site.add("secret", path="/etc/hostname")
    with pytest.raises(SourceError, match="may be played"):
        site.manager.wait_begun("secret", 20)
    assert site.state("secret") == "failed"
    assert site.ears.opened == []


def test_a_channel_that_is_not_there_fails_with_a_reason(
    site: Site, server: FaultyStreamServer, endless: Endless
) -> None:
    server.behave("/a", Healthy(endless(400)))
    site.add("marsh", url=server.url("/a"), channels="3")
    with pytest.raises(SourceError, match="there is no 3"):
        site.manager.wait_begun("marsh", 20)


def test_samples_that_are_pushed_are_played(site: Site) -> None:
    site.add("desk", live=True)
    site.wait_for_state("desk", "playing")
    for _ in range(4):
        site.manager.push("desk", pcm(0.3), ENGINE_RATE_HZ)
    wait_for(lambda: site.count("desk", "played_frames") > 4000, "it is heard")
    site.add("film", path="none.wav")
    with pytest.raises(SourceError, match="not live"):
        site.manager.push("film", pcm(0.1), ENGINE_RATE_HZ)


class TestReplacing:
    def test_the_same_name_is_another_source_then(
        self, site: Site, server: FaultyStreamServer, endless: Endless
    ) -> None:
        server.behave("/a", Healthy(endless(400)))
        server.behave("/b", Healthy(endless(800, 1600)))
        site.add("marsh", url=server.url("/a"), path_database="wetland", zone="Europe/Paris")
        site.wait_until_it_sounds("marsh")
        after = site.add("marsh", url=server.url("/b"))
        assert after["specification"]["path_database"] == "wetland"
        assert after["specification"]["zone"] == "Europe/Paris"
        site.wait_until_it_sounds("marsh")
        assert near(site.heard_hz("marsh"), [800, 1600])
        assert len(site.manager.list()) == 1

    def test_a_permanent_source_comes_back_after_what_stood_in_for_it(
        self, site: Site, server: FaultyStreamServer, endless: Endless
    ) -> None:
        server.behave("/a", Healthy(endless(400)))
        site.add("marsh", url=server.url("/a"), is_permanent=True)
        site.wait_until_it_sounds("marsh")
        status = site.manager.add({"name": "marsh", "path": "none.wav"}, owner="web-1/a")
        assert status["stands_in"]
        wait_for(
            lambda: site.manager.status("marsh")["kind"] == "url", "the file is not there: it comes back"
        )
        site.wait_until_it_sounds("marsh")
        site.manager.add({"name": "marsh", "live": True}, owner="web-1/a")
        assert site.manager.remove_owned("web-1/", is_prefix=True) == ["marsh"]
        assert site.manager.status("marsh")["kind"] == "url"
        site.manager.remove("marsh")
        assert site.manager.list() == []

    def test_what_is_refused_changes_nothing(
        self, site: Site, server: FaultyStreamServer, endless: Endless
    ) -> None:
        server.behave("/a", Healthy(endless(400)))
        site.add("marsh", url=server.url("/a"))
        site.wait_until_it_sounds("marsh")
        for wrong in (
            {"url": "file:///etc/passwd"},
            {"path_database": "/etc", "url": server.url("/a")},
            {"url": server.url("/a"), "path": "x.wav"},
        ):
            with pytest.raises(SourceError):
                site.manager.add({"name": "marsh", **wrong})
        assert site.sounds("marsh")
        assert site.count("marsh", "starts") == 1


def test_what_an_owner_opened_ends_with_it_unless_it_is_permanent(
    site: Site, server: FaultyStreamServer, endless: Endless
) -> None:
    server.behave("/a", Healthy(endless(400)))
    url = server.url("/a")
    site.manager.add({"name": "mine", "url": url}, owner="web-1/a")
    site.manager.add({"name": "kept", "url": url, "is_permanent": True}, owner="web-1/a")
    site.manager.add({"name": "other", "url": url}, owner="web-1/ab")
    site.manager.add({"name": "nobodys", "url": url})
    stream = site.manager.live.open("web-1/a")
    assert set(site.manager.remove_owned("web-1/a")) == {"mine", stream.info.port}
    assert {status["name"] for status in site.manager.list()} == {"kept", "other", "nobodys"}
    assert set(site.manager.remove_owned("web-1/", is_prefix=True)) == {"other"}


def test_there_are_no_more_than_the_limit(
    ring_folder: RingFolder, stepped_graph: ClockGraph, settings: Settings
) -> None:
    few = settings.model_copy(update={"sources": SourcesSettings(max_sources=2)})
    with SourceManager(stepped_graph, ring_folder, few) as manager:
        manager.add({"name": "a", "live": True})
        manager.add({"name": "b", "live": True})
        with pytest.raises(SourceError, match="2 sources already"):
            manager.add({"name": "c", "live": True})
        manager.add({"name": "b", "live": True})
        manager.remove("a")
        manager.add({"name": "c", "live": True})
    with pytest.raises(SourceError, match="ending"):
        manager.add({"name": "d", "live": True})


class TestRestart:
    def test_what_was_added_for_good_is_there_again(
        self, ring_folder: RingFolder, stepped_graph: ClockGraph, settings: Settings
    ) -> None:
        with SourceManager(stepped_graph, ring_folder, settings) as manager:
            manager.add({"name": "kept", "live": True, "nb_channels": 2}, keep=True)
            manager.add({"name": "permanent", "live": True, "is_permanent": True})
            manager.add({"name": "gone", "live": True})
            manager.add({"name": "removed", "live": True}, keep=True)
            manager.remove("removed")
            manager.add({"name": "kept", "live": True}, owner="web-1/a")
        with SourceManager(stepped_graph, ring_folder, settings) as manager:
            assert manager.start() == 2
            statuses = {status["name"]: status for status in manager.list()}
            assert set(statuses) == {"kept", "permanent"}
            assert statuses["kept"]["specification"]["nb_channels"] == 2
            assert statuses["kept"]["is_permanent"]
            assert statuses["kept"]["kept"]

    def test_sources_of_the_file_are_there_unless_they_were_replaced(
        self, ring_folder: RingFolder, stepped_graph: ClockGraph, settings: Settings, tmp_path: Path
    ) -> None:
        file = tmp_path / "sources.toml"
        file.write_text('[[sources]]\nname = "a"\nlive = true\n[[sources]]\nname = "b"\nlive = true\n')
        with_file = settings.model_copy(
            update={"sources": settings.sources.model_copy(update={"file": file})}
        )
        with SourceManager(stepped_graph, ring_folder, with_file) as manager:
            assert manager.start() == 2
            assert all(status["is_permanent"] for status in manager.list())
            manager.add({"name": "b", "live": True, "nb_channels": 3}, keep=True)
        with SourceManager(stepped_graph, ring_folder, with_file) as manager:
            assert manager.start() == 2
            assert manager.status("b")["specification"]["nb_channels"] == 3

    def test_what_cannot_be_started_is_kept_and_comes_back(
        self, ring_folder: RingFolder, stepped_graph: ClockGraph, settings: Settings
    ) -> None:
        with SourceManager(stepped_graph, ring_folder, settings) as manager:
            manager.add({"name": "first", "live": True}, keep=True)
            manager.add({"name": "second", "live": True}, keep=True)
        few = settings.model_copy(update={"sources": SourcesSettings(max_sources=1)})
        with SourceManager(stepped_graph, ring_folder, few, try_again_s=0.05) as manager:
            assert manager.start() == 1
            first, second = manager.list()
            assert set(second) == set(first), "it is listed as all others"
            assert (second["name"], second["state"], second["kept"]) == ("second", "backing_off", True)
            assert "there are 1 sources already" in second["reason"]
            assert set(manager.status("second")) == set(manager.status("first"))
            with pytest.raises(SourceError, match="could not be started: there are 1 sources already"):
                manager.push("second", pcm(0.1), ENGINE_RATE_HZ)
            manager.add({"name": "first", "live": True, "nb_channels": 2}, keep=True)
            kept = json.loads((settings.home / "sources.json").read_text())
            assert "second" in json.dumps(kept)
            manager.remove("first")
            wait_for(
                lambda: [(one["name"], one["state"]) for one in manager.list()] == [("second", "playing")],
                "there is room for it",
            )
        with SourceManager(stepped_graph, ring_folder, few, try_again_s=0.05) as manager:
            assert manager.start() == 1
            assert manager.status("second")["kept"]

    def test_what_could_not_be_started_can_be_removed(
        self, ring_folder: RingFolder, stepped_graph: ClockGraph, settings: Settings
    ) -> None:
        with SourceManager(stepped_graph, ring_folder, settings) as manager:
            manager.add({"name": "first", "live": True}, keep=True)
            manager.add({"name": "second", "live": True}, keep=True)
        few = settings.model_copy(update={"sources": SourcesSettings(max_sources=1)})
        with SourceManager(stepped_graph, ring_folder, few) as manager:
            manager.start()
            manager.remove("second")
            assert [status["name"] for status in manager.list()] == ["first"]
            with pytest.raises(SourceError, match="no source 'second'"):
                manager.remove("second")
        assert "second" not in (settings.home / "sources.json").read_text()

    def test_a_file_that_cannot_be_read_is_said_and_nothing_starts(
        self, ring_folder: RingFolder, stepped_graph: ClockGraph, settings: Settings
    ) -> None:
        (settings.home / "sources.json").write_text("{")
        with (
            SourceManager(stepped_graph, ring_folder, settings) as manager,
            pytest.raises(SourceError, match=r"sources\.json"),
        ):
            manager.start()


@pytest.mark.usefixtures("archived")
class TestArchive:
    @pytest.fixture
    def archived(self, settings: Settings) -> None:
        """Of marsh two seconds at 5:00:00, one at 5:00:02, one at 7:00:00."""
        for name, seconds in (("05-00-00", 2), ("05-00-02", 1), ("07-00-00", 1)):
            make_recording(settings.archive_folder, f"marsh-2026-04-01-{name}.wav", seconds=seconds)
        catalog = Catalog.open(settings.catalog_url)
        index_archive(catalog, settings.archive_folder, locks_folder=settings.locks_folder)
        catalog.close()

    def test_nothing_to_play_is_refused_at_once_and_what_was_there_plays_on(
        self, site: Site, server: FaultyStreamServer, endless: Endless
    ) -> None:
        def ask(name: str, **more: object) -> dict[str, object]:
            return site.manager.add({"name": name, **more}, must_have_recordings=True)

        server.behave("/a", Healthy(endless(400)))
        site.add("marsh", url=server.url("/a"), is_permanent=True)
        for asked in (
            {"name": "then", "database": "nosuch"},
            {"name": "then", "database": "marsh", "date": "2026-04-01-07-00-01"},
            {"name": "marsh", "database": "nosuch"},
        ):
            with pytest.raises(SourceError, match=r"holds nothing of '(nosuch|marsh)'.*archive list"):
                ask(**asked)
        assert [status["name"] for status in site.manager.list()] == ["marsh"]
        site.wait_until_it_sounds("marsh")
        assert ask("then", database="marsh", date="2026-04-01-07-00-00")["kind"] == "archive"
        assert ask("still", database="nosuch", is_permanent=True)["kind"] == "archive", "it may come yet"
        assert ask("marsh", date="2999-01-01-00-00-00")["kind"] == "url", "what is to come is at the URL"

    def test_plays_on_says_archive_time_and_ends(self, site: Site) -> None:
        site.add("then", database="marsh", date="2026-04-01-05-00-01")
        site.wait_for_state("then", "playing")
        wait_for(lambda: site.manager.status("then")["time"] is not None, "it says its time")
        assert site.manager.status("then")["time"].startswith("2026-04-01T05:00:0")
        anchors = site.ears.rings["then"].anchors_kept
        wait_for(lambda: len(anchors()) == 3, "all recordings are begun")
        assert [anchor.utc_ns // 10**9 % 86_400 for anchor in anchors()] == [18_001, 18_002, 25_200]
        assert [anchor.frame for anchor in anchors()] == [0, 48_000, 2 * 48_000]
        site.wait_for_state("then", "stopped", deadline_s=30)
        assert "no more of 'marsh'" in site.manager.status("then")["reason"]

    def test_seeks(self, site: Site) -> None:
        site.add("then", database="marsh", date="2026-04-01-05-00-00")
        site.wait_for_state("then", "playing")
        for wrong in ("yesterday", "2026-13-01-00-00-00"):
            with pytest.raises(SourceError, match="no date"):
                site.manager.seek("then", wrong)
        with pytest.raises(SourceError, match="holds nothing"):
            site.manager.seek("then", "2026-04-02-05-00-00")
        assert site.state("then") == "playing"
        site.manager.seek("then", "2026-04-01T09:00:00.500+02:00")
        wait_for(
            lambda: (site.manager.status("then")["time"] or "").startswith("2026-04-01T07:00:00"),
            "it jumps there",
        )
        site.add("desk", live=True)
        with pytest.raises(SourceError, match="plays no archive"):
            site.manager.seek("desk", "2026-04-01-05-00-00")

    def test_an_archive_with_nothing_from_then_on_fails_with_a_reason(self, site: Site) -> None:
        site.add("then", database="marsh", date="2026-04-02-05-00-00")
        with pytest.raises(SourceError, match="holds nothing"):
            site.manager.wait_begun("then", 20)
        assert site.state("then") == "failed"

    def test_what_is_in_the_archive_is_not_recorded_again(self, site: Site) -> None:
        status = site.add("marsh", date="2026-04-01-05-00-00", record=True)
        assert status["kind"] == "archive"
        assert not status["record"]

    def test_a_date_in_the_future_is_now(
        self, site: Site, server: FaultyStreamServer, endless: Endless
    ) -> None:
        server.behave("/a", Healthy(endless(400)))
        site.add("marsh", url=server.url("/a"), is_permanent=True)
        assert site.add("marsh", date="2026-04-01-05-00-00")["kind"] == "archive"
        assert site.add("marsh", date="2036-04-01-05-00-00")["kind"] == "url"
        assert site.add("then", database="marsh", date="2036-04-01-05-00-00")["kind"] == "url"
        site.wait_until_it_sounds("then")
