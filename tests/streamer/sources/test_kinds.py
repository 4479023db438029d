"""Sources of every kind, each through the whole engine's side of sources."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from streamer.engine.graph import ClockGraph
from streamer.engine.sources.trial import try_url
from tests.streamer.sources.site_under_test import Site
from tests.support.endless_media import EndlessFrames, EndlessOgg
from tests.support.faulty_stream_server import FaultyStreamServer
from tests.support.rtsp_server import TONE_HZ, RtspServer
from tests.support.stream_behaviours import Fixed, Garbage, Healthy, HlsLive
from tests.support.waiting import wait_for
from tidzam_platform.errors import FetchError, SourceError
from tidzam_platform.settings import Settings

Endless = Callable[..., EndlessOgg]
ToneBytes = Callable[..., bytes]


def rounded(hz: list[float]) -> list[float]:
    return [round(one, -2) for one in hz]


@pytest.mark.parametrize(("kind", "content_type"), [("mp3", "audio/mpeg"), ("adts", "audio/aac")])
def test_other_containers(
    site: Site, server: FaultyStreamServer, tone_bytes: ToneBytes, kind: str, content_type: str
) -> None:
    server.behave(
        "/a",
        Healthy(EndlessFrames(tone_bytes(kind, 1600), 2.0, content_type), icy_interval=4000, title="Owls"),
    )
    site.add("marsh", url=server.url("/a"))
    site.wait_until_it_sounds("marsh")
    assert rounded(site.heard_hz("marsh")) == [1600]
    wait_for(lambda: site.manager.status("marsh")["metadata"].get("title") == "Owls", "its title is known")


def test_hls(site: Site, server: FaultyStreamServer, tone_bytes: ToneBytes) -> None:
    server.behave("/hls/", HlsLive([tone_bytes("adts", 1600, seconds=1.0)], 1.0))
    site.add("marsh", url=server.url("/hls/live.m3u8"))
    site.wait_until_it_sounds("marsh")
    assert rounded(site.heard_hz("marsh", 2.0)) == [1600]
    assert site.count("marsh", "dropped_frames") == 0


def test_rtsp(site: Site) -> None:
    with RtspServer(seconds=30) as server:
        site.add("camera", url=f"rtsp://127.0.0.1:{server.port}/a")
        site.wait_until_it_sounds("camera")
        assert rounded(site.heard_hz("camera")) == [TONE_HZ]
        site.manager.remove("camera")


def test_a_sound_card_of_alsa(site: Site) -> None:
    site.add("card", device="alsa:null", nb_channels=3, is_permanent=True)
    site.wait_until_it_sounds("card")  # ALSA's device of nothing gives whatever stands in memory
    assert len(site.ears.ports["card"]) == 3
    assert site.manager.status("card")["details"]["device"] == "null"


def test_a_sound_card_that_is_not_there_says_so(site: Site) -> None:
    site.add("card", device="alsa:hw:77")
    with pytest.raises(
        SourceError, match=r"hw:77.*(cannot open audio device|No such).*`arecord -l`"
    ) as caught:
        site.manager.wait_begun("card", 20)
    assert not re.search(r"\n| @ 0x", str(caught.value))


def test_ports_of_the_graph_are_used_as_they_are(
    site: Site, server: FaultyStreamServer, endless: Endless, graph: ClockGraph
) -> None:
    server.behave("/a", Healthy(endless(400, 800)))
    site.add("marsh", url=server.url("/a"))
    site.wait_until_it_sounds("marsh")
    status = site.add("card", device="jack:marsh:out_1,marsh:out_2", channels="1")
    assert status["kind"] == "device"
    wait_for(lambda: site.ears.ports.get("card") == ("marsh:out_2",), "its port is told")
    assert site.manager.status("card")["channels"] == ["card:out_1"]
    assert [port for port in graph.ports() if port.startswith("card:")] == []
    site.manager.remove("marsh")
    site.wait_for_state("card", "failed")
    assert site.ears.ports["card"] == ()


def test_a_graph_without_a_sound_card_says_so(site: Site) -> None:
    site.add("card", device="jack:system")
    with pytest.raises(SourceError, match="system:capture_1"):
        site.manager.wait_begun("card", 20)


class TestTrial:
    def test_hears_a_moment(self, server: FaultyStreamServer, endless: Endless, settings: Settings) -> None:
        server.behave("/a", Healthy(endless(400, 800)))
        heard = try_url(server.url("/a"), settings, seconds=0.5)
        assert (heard.container, heard.channels, heard.is_live) == ("ogg", 2, True)
        assert heard.seconds >= 0.5
        assert all(-16 < rms < -11 and -12 < peak < -9 for rms, peak in heard.levels_dbfs), "a sine of 0.3"

    def test_hears_a_short_file(
        self, server: FaultyStreamServer, tone_bytes: ToneBytes, settings: Settings
    ) -> None:
        server.behave("/a", Fixed(tone_bytes("opus", 400, seconds=1.0), "audio/ogg"))
        heard = try_url(server.url("/a"), settings, seconds=30)
        assert heard.seconds == pytest.approx(1.0, abs=0.1)
        assert heard.as_dict()["is_live"] is False

    def test_says_why_not(self, server: FaultyStreamServer, settings: Settings) -> None:
        server.behave("/a", Garbage())
        with pytest.raises(FetchError):
            try_url(server.url("/a"), settings)
        with pytest.raises(SourceError, match="http"):
            try_url("file:///etc/passwd", settings)
