"""DeviceHive: tokens, the device, notifications in both forms."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamer.analyzer.alerts import Alert
from streamer.analyzer.outputs.message import message_of
from streamer.analyzer.outputs.output import Output
from tests.streamer.analyzer.outputs.made import (
    NOON,
    deliver_all,
    ids,
    message,
    messages,
    plug_in,
    private,
)
from tests.support.devicehive_stand_in import DeviceHiveStandIn
from tidzam_platform.errors import OutputError

Make = Callable[..., Output]


@pytest.fixture
def make(tmp_path: Path, devicehive: DeviceHiveStandIn) -> Iterator[Make]:
    made: list[Output] = []
    private(tmp_path / "token", DeviceHiveStandIn.REFRESH_TOKEN)

    def plug(more: str = 'refresh_token = {file = "token"}') -> Output:
        text = (
            f'name = "hive"\nkind = "devicehive"\nurl = "{devicehive.api}"\ndevice_id = "marsh"\n'
            f"deadline_s = 2\n{more}"
        )
        made.append(plug_in(tmp_path, text))
        return made[-1]

    yield plug
    for one in made:
        one.close()


def test_the_device_is_made_and_gets_a_notification_per_detection(
    make: Make, devicehive: DeviceHiveStandIn
) -> None:
    output = make('refresh_token = {file = "token"}\ndevice_name = "the marsh"\nnetwork_id = 3')
    deliver_all(output, messages(3))
    assert devicehive.devices == {"marsh": {"name": "the marsh", "networkId": 3}}
    assert devicehive.ids == ids(messages(3))
    device, notification = devicehive.notifications[0]
    assert device == "marsh"
    assert notification == {
        "notification": "detection",
        "timestamp": "2026-04-01T12:00:00.000",
        "parameters": {**message(0).content, "predictions": [["birds-crow", 0.875]]},
    }
    assert [one.target for one in devicehive.requests].count("/api/rest/token/refresh") == 1


def test_a_device_that_is_there_is_left_as_it_is(make: Make, devicehive: DeviceHiveStandIn) -> None:
    devicehive.devices["marsh"] = {"name": "somebody's"}
    make().deliver([message()])
    assert devicehive.devices == {"marsh": {"name": "somebody's"}}


def test_the_form_of_devicehive_audio_analysis(make: Make, devicehive: DeviceHiveStandIn) -> None:
    make('refresh_token = {file = "token"}\nform = "name"').deliver([message()])
    ((_, notification),) = devicehive.notifications
    assert json.loads(notification["notification"]) == [["birds-crow", 0.875]]
    assert notification["parameters"] == {"id": message().id}


def test_alerts_are_notifications_of_their_own(make: Make, devicehive: DeviceHiveStandIn) -> None:
    alert = Alert("fox", "class", "pen:out_1", NOON, "fox: heard", "mammals-fox", 0.9, 1)
    make().deliver([message_of(alert, NOON)])
    ((_, notification),) = devicehive.notifications
    assert notification["notification"] == "alert"
    assert notification["parameters"]["text"] == "fox: heard"


def test_an_access_token_that_ended_is_replaced(make: Make, devicehive: DeviceHiveStandIn) -> None:
    output = make()
    output.deliver([message(0)])
    devicehive.expire()
    output.deliver([message(1)])
    assert devicehive.ids == ids(messages(2))


def test_an_access_token_of_ones_own(make: Make, devicehive: DeviceHiveStandIn, tmp_path: Path) -> None:
    private(tmp_path / "access", "access-0")
    output = make('access_token = {file = "access"}')
    output.deliver([message(0)])
    devicehive.expire()
    with pytest.raises(OutputError, match="token"):
        output.deliver([message(1)])
    private(tmp_path / "access", "access-1")
    output.deliver([message(1)])
    assert devicehive.ids == ids(messages(2))


def test_a_wrong_refresh_token_is_said(make: Make, devicehive: DeviceHiveStandIn, tmp_path: Path) -> None:
    private(tmp_path / "token", "wrong-one")
    with pytest.raises(OutputError, match="token") as caught:
        make().deliver([message()])
    assert "wrong-one" not in str(caught.value)


def test_a_device_that_was_removed_is_made_again(make: Make, devicehive: DeviceHiveStandIn) -> None:
    output = make()
    output.deliver([message(0)])
    devicehive.devices.clear()
    with pytest.raises(OutputError):
        output.deliver([message(1)])
    output.deliver([message(1)])
    assert devicehive.ids == ids(messages(2))
