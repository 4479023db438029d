"""A broker, a webhook, chain-api and DeviceHive are all gone for a while: nothing is lost, and nobody else notices."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamer.analyzer.outputs import Outputs
from tests.streamer.analyzer.outputs.made import detection, ids, outputs_settings, private, seconds
from tests.support.chain_api_stand_in import ChainApiStandIn
from tests.support.devicehive_stand_in import DeviceHiveStandIn
from tests.support.mosquitto import Mosquitto, MqttListener
from tests.support.waiting import wait_for
from tests.support.webhook_receiver import WebhookReceiver
from tidzam_platform.analyzer_sections import OutputsSettings

CALL_S = 0.25  # longest that handing in one detection may take, on a machine that does other things too


class Others:
    """All whom the outputs tell."""

    def __init__(self, folder: Path) -> None:
        self.receiver, self.chain, self.hive = WebhookReceiver(), ChainApiStandIn(), DeviceHiveStandIn()
        self.broker = Mosquitto(folder / "broker", remembers=True)
        self.broker.start()

    def up(self) -> None:
        for one in (self.receiver, self.chain, self.hive):
            one.up()
        self.broker.start()

    def down(self) -> None:
        for one in (self.receiver, self.chain, self.hive):
            one.down()
        self.broker.stop()

    def settings(self, folder: Path, backoff_max_s: float) -> OutputsSettings:
        private(folder / "chain", ChainApiStandIn.PASSWORD)
        private(folder / "hive", DeviceHiveStandIn.REFRESH_TOKEN)
        shared = f"deadline_s = 3\nbackoff_max_s = {backoff_max_s}\nmessages = ['detection']\n"
        return outputs_settings(
            folder,
            f'[[output]]\nname = "hook"\nkind = "webhook"\nurl = "{self.receiver.url()}"\n{shared}'
            f'[[output]]\nname = "chain"\nkind = "chain-api"\nurl = "{self.chain.site}"\nuser = "tidzam"\n'
            f'password = {{file = "chain"}}\n{shared}'
            f'[[output]]\nname = "hive"\nkind = "devicehive"\nurl = "{self.hive.api}"\ndevice_id = "marsh"\n'
            f'refresh_token = {{file = "hive"}}\n{shared}'
            f'[[output]]\nname = "home"\nkind = "mqtt"\nhost = "127.0.0.1"\nport = {self.broker.port}\n'
            f"tls = false\n{shared}",
        )


@contextmanager
def others(folder: Path) -> Iterator[Others]:
    made = Others(folder)
    try:
        yield made
    finally:
        made.down()


@pytest.mark.parametrize(
    ("outage_s", "backoff_max_s"),
    [
        pytest.param(3.0, 0.3, id="short"),
        pytest.param(60.0, 5.0, id="a minute", marks=pytest.mark.long),
    ],
)
def test_all_outputs_are_gone_for_a_while(tmp_path: Path, outage_s: float, backoff_max_s: float) -> None:
    slowest_s = 0.0
    count = 0

    def tell(outputs: Outputs, for_s: float) -> None:
        nonlocal slowest_s, count
        end_s = time.monotonic() + for_s
        while time.monotonic() < end_s:
            one = detection(count)
            slowest_s = max(slowest_s, seconds(lambda one=one: outputs.detection(one)))
            count += 1
            time.sleep(0.03)

    with others(tmp_path) as told, MqttListener(told.broker, session="listener") as listener:
        settings = told.settings(tmp_path, backoff_max_s)
        with Outputs(settings, tmp_path) as outputs:
            tell(outputs, 0.5)
            wait_for(
                lambda: set(outputs.counts()["output_delivered_total"].values()) == {count}, "all is told"
            )
            told.down()
            tell(outputs, outage_s / 2)
            wait_for(lambda: set(outputs.counts()["output_down"].values()) == {1}, "all are known to be down")
        with Outputs(settings, tmp_path) as outputs:  # the analyzer was restarted in the middle of it
            tell(outputs, outage_s / 2)
            assert outputs.counts()["output_waiting"]["hook"] > 0
            told.up()
            tell(outputs, 0.5)
            wait_for(
                lambda: set(outputs.counts()["output_waiting"].values()) == {0},
                "all is told",
                deadline_s=30 + 2 * backoff_max_s,
            )
            dropped = outputs.counts()["output_dropped_total"]
            refused = outputs.counts()["output_refused_total"]
        expected = ids(detection(number) for number in range(count))
        wait_for(lambda: _mqtt_ids(listener)[-1:] == expected[-1:], "the listener has heard all")

        for name, found in (
            ("webhook", told.receiver.ids),
            ("DeviceHive", told.hive.ids),
            ("MQTT", _mqtt_ids(listener)),
        ):
            assert list(dict.fromkeys(found)) == expected, f"{name}: lost, or out of order"
            # At least once: what was under way when the connection ended may come again, with its id.
            assert len(found) - len(expected) <= 50, name
        starts = [detection(number).start.isoformat() for number in range(count)]
        assert told.chain.values() == {("marsh:out_1", "birds-crow"): starts}
        assert set(dropped.values()) == set(refused.values()) == {0}
    assert count > 50
    assert slowest_s < CALL_S


def _mqtt_ids(listener: MqttListener) -> list[str]:
    return [one.content["id"] for one in listener.of("tidzam/marsh/1/detection")]
