"""Who adds a source can wait until it has begun, or hears why it has not."""

from __future__ import annotations

import pytest

from streamer.engine.sources.beginning import failure_to_begin, is_for_good
from tests.streamer.sources.site_under_test import Site
from tests.support.faulty_stream_server import FaultyStreamServer
from tests.support.stream_behaviours import Stall, Status
from tests.support.waiting import wait_for
from tidzam_platform.errors import FetchError, RefusedAddressError, SourceError


def test_one_that_plays_has_begun(site: Site) -> None:
    status = site.manager.wait(site.add("desk", live=True)["number"], 20)
    assert status["state"] == "playing"
    assert failure_to_begin(status) is None


def test_one_that_is_given_up_says_why_with_the_class_of_its_error(site: Site) -> None:
    status = site.manager.wait(site.add("secret", path="/etc/hostname")["number"], 20)
    failure = failure_to_begin(status)
    assert type(failure) is RefusedAddressError
    assert str(failure).startswith("source 'secret': ")
    assert "may be played" in str(failure)
    assert is_for_good(status)


def test_a_permanent_one_is_tried_again_and_says_whether_that_can_help(
    site: Site, server: FaultyStreamServer
) -> None:
    server.behave("/a", Status("503 Service Unavailable"))
    busy = site.manager.wait(site.add("busy", url=server.url("/a"), is_permanent=True)["number"], 20)
    refused = site.manager.wait(site.add("refused", path="/etc/hostname", is_permanent=True)["number"], 20)
    for status, kind, for_good in ((busy, FetchError, False), (refused, RefusedAddressError, True)):
        failure = failure_to_begin(status)
        assert type(failure) is kind
        assert "it is tried again" in str(failure)
        assert is_for_good(status) is for_good


def test_the_number_is_of_one_start_whatever_has_that_name_by_now(site: Site) -> None:
    site.add("marsh", live=True, is_permanent=True)
    stand_in = site.add("marsh", path="none.wav")
    wait_for(lambda: site.manager.status("marsh")["kind"] == "live", "the permanent one is back")
    status = site.manager.wait(stand_in["number"], 20)
    assert (status["state"], status["kind"]) == ("failed", "file")
    assert site.manager.status("marsh")["number"] != stand_in["number"]
    with pytest.raises(SourceError, match="number 12345"):
        site.manager.wait(12_345, 0)


def test_one_that_takes_longer_is_told_as_it_is(site: Site, server: FaultyStreamServer) -> None:
    server.behave("/a", Stall())
    status = site.manager.wait(site.add("slow", url=server.url("/a"))["number"], 0.2)
    assert status["state"] in ("waiting", "starting")
    assert failure_to_begin(status) is None
