"""chain-api: devices and sensors by name, the value 1 per detection, and no value twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamer.analyzer.outputs.message import message_to_try
from streamer.analyzer.outputs.output import Output
from tests.streamer.analyzer.outputs.made import NOON, deliver_all, message, messages, plug_in, private
from tests.support.chain_api_stand_in import ChainApiStandIn
from tests.support.http_stand_in import Reply
from tidzam_platform.errors import OutputError, OutputFaultError, OutputRefusedError

TIMES = [f"2026-04-01T12:00:0{2 * number}+00:00" for number in range(5)]


@pytest.fixture
def make(tmp_path: Path, chain_api: ChainApiStandIn) -> Iterator[Callable[..., Output]]:
    made: list[Output] = []
    private(tmp_path / "password", ChainApiStandIn.PASSWORD)

    def plug(url: str = chain_api.site) -> Output:
        text = (
            f'name = "chain"\nkind = "chain-api"\nurl = "{url}"\nuser = "{ChainApiStandIn.USER}"\n'
            'password = {file = "password"}\ndeadline_s = 2'
        )
        made.append(plug_in(tmp_path, text))
        return made[-1]

    yield plug
    for one in made:
        one.close()


def test_device_and_sensor_are_made_once_and_get_a_one_for_each_detection(
    make: Callable[..., Output], chain_api: ChainApiStandIn
) -> None:
    output = make()
    deliver_all(output, messages(3))
    deliver_all(make(), messages(2, first=3))  # after a restart
    assert chain_api.devices == ["marsh:out_1"]
    assert chain_api.sensors == [("marsh:out_1", "birds-crow")]
    assert chain_api.data[("marsh:out_1", "birds-crow")] == [(at, 1) for at in TIMES]


def test_devices_and_sensors_are_found_on_whatever_page_they_are(
    make: Callable[..., Output], chain_api: ChainApiStandIn
) -> None:
    chain_api.devices = [f"pond:out_{number}" for number in range(1, 11)]
    chain_api.sensors = [("pond:out_9", f"class_{letter}") for letter in "abcdefgh"]
    before = list(chain_api.devices), list(chain_api.sensors)
    make().deliver([message(channel="pond:out_9", class_path="class_h")])
    assert (chain_api.devices, chain_api.sensors) == before
    assert list(chain_api.data) == [("pond:out_9", "class_h")]


def test_what_is_known_is_not_asked_again(make: Callable[..., Output], chain_api: ChainApiStandIn) -> None:
    output = make()
    output.deliver([message(0)])
    before = len(chain_api.requests)
    deliver_all(output, messages(4, first=1))
    assert [one.method for one in chain_api.requests[before:]] == ["POST"] * 4


@pytest.mark.parametrize("class_path", ["unknown", "no_signal", "no_signal-silence"])
def test_what_says_nothing_is_skipped(
    make: Callable[..., Output], chain_api: ChainApiStandIn, class_path: str
) -> None:
    assert make().deliver([message(class_path=class_path)]) == 1
    assert not chain_api.requests


def test_a_value_whose_answer_was_lost_is_not_added_twice(
    make: Callable[..., Output], chain_api: ChainApiStandIn
) -> None:
    output = make()
    output.deliver([message(0)])
    chain_api.mishaps.append("cut")  # it is added, and nobody says so
    with pytest.raises(OutputError):
        output.deliver([message(1)])
    output.deliver([message(1)])
    chain_api.mishaps.append("cut before")  # it is not
    with pytest.raises(OutputError):
        output.deliver([message(2)])
    output.deliver([message(2)])
    assert chain_api.values() == {("marsh:out_1", "birds-crow"): TIMES[:3]}


def test_a_server_that_forgot_everything_gets_it_anew(
    make: Callable[..., Output], chain_api: ChainApiStandIn
) -> None:
    output = make()
    output.deliver([message(0)])
    chain_api.devices.clear()
    chain_api.sensors.clear()
    chain_api.data.clear()
    chain_api.mishaps.append(Reply(404))
    with pytest.raises(OutputError):
        output.deliver([message(1)])
    output.deliver([message(1)])
    assert chain_api.values() == {("marsh:out_1", "birds-crow"): [TIMES[1]]}


def test_a_connection_that_the_server_ended_is_made_anew(
    make: Callable[..., Output], chain_api: ChainApiStandIn
) -> None:
    output = make()
    output.deliver([message(0)])
    chain_api.down()
    chain_api.up()
    output.deliver([message(1)])
    assert chain_api.values() == {("marsh:out_1", "birds-crow"): TIMES[:2]}


def test_links_behind_a_proxy_are_followed_at_our_own_address(
    make: Callable[..., Output], chain_api: ChainApiStandIn
) -> None:
    chain_api.base = "http://127.0.0.1:1"  # what the server thinks that it is called
    make().deliver([message()])
    assert chain_api.values() == {("marsh:out_1", "birds-crow"): TIMES[:1]}


def test_links_to_other_servers_are_not_followed(
    make: Callable[..., Output], chain_api: ChainApiStandIn
) -> None:
    chain_api.base = "http://169.254.169.254"
    with pytest.raises(OutputError, match="another server"):
        make().deliver([message()])


@pytest.mark.parametrize(
    ("reply", "raised", "said"),
    [
        (Reply(200, b"<html>"), OutputError, "JSON"),
        (Reply(200, b"[]"), OutputError, "JSON object"),
        (Reply(200, b"{}"), OutputError, "ch:devices"),
        (Reply(404), OutputError, "mend the URL"),
        (Reply(400), OutputRefusedError, "400"),
        (Reply(500), OutputFaultError, "500"),
    ],
)
def test_a_server_that_is_something_else(
    make: Callable[..., Output],
    chain_api: ChainApiStandIn,
    reply: Reply,
    raised: type[OutputError],
    said: str,
) -> None:
    chain_api.mishaps.append(reply)
    with pytest.raises(OutputError, match=said) as caught:
        make().deliver([message()])
    assert type(caught.value) is raised


def test_a_wrong_password_is_said(
    make: Callable[..., Output], chain_api: ChainApiStandIn, tmp_path: Path
) -> None:
    output = make()
    private(tmp_path / "password", "wrong-one")
    with pytest.raises(OutputError, match="user, password or token") as caught:
        output.deliver([message()])
    assert "wrong-one" not in str(caught.value)
    private(tmp_path / "password", ChainApiStandIn.PASSWORD)
    assert output.deliver([message()]) == 1


def test_a_trial_adds_nothing(make: Callable[..., Output], chain_api: ChainApiStandIn) -> None:
    assert "'marsh' is there" in make().try_out(message_to_try(NOON))
    assert [one.method for one in chain_api.requests] == ["GET"]
