"""All outputs together: nobody who hands in waits, whatever disks and networks do."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from streamer.analyzer.alerts import Alert, Alerts, ChannelState, Condition
from streamer.analyzer.outputs import Outputs
from streamer.analyzer.outputs.places import queue_file
from streamer.analyzer.outputs.prometheus import MAX_LABELS, OTHER, DetectionCounters
from tests.streamer.analyzer.outputs.disks import full_disk, slow_disk, small_disk
from tests.streamer.analyzer.outputs.made import (
    NOON,
    detection,
    detections,
    ids,
    outputs_settings,
    seconds,
)
from tests.support.waiting import wait_for
from tests.support.webhook_receiver import WebhookReceiver
from tidzam_platform.analyzer_sections import OutputsSettings
from tidzam_platform.errors import RuleError

DOCS = Path(__file__).resolve().parents[4] / "docs"
QUICK_S = 0.5  # for a thousand calls, on a machine that does other things too


def webhook(receiver: WebhookReceiver, name: str = "ops", more: str = "") -> str:
    return (
        f'[[output]]\nname = "{name}"\nkind = "webhook"\nurl = "{receiver.url()}"\n'
        f"deadline_s = 2\nbackoff_max_s = 0.2\nbatch = 100\n{more}\n"
    )


def test_without_a_file_nobody_is_told_and_detections_are_counted(tmp_path: Path) -> None:
    with Outputs(OutputsSettings(), tmp_path) as outputs:
        for one in detections(3):
            outputs.detection(one)
        outputs.detection(detection(9, channel="pond:out_2", class_path="rain"))
        assert (outputs.names, outputs.status()) == ((), [])
        assert outputs.counts() == {
            "outputs_not_handed_in_total": 0,
            "detections_by_class_total": {"birds-crow": 3, "rain": 1},
            "detections_by_channel_total": {"marsh:out_1": 3, "pond:out_2": 1},
        }
    assert not (tmp_path / "spool").exists()


def test_each_output_gets_what_concerns_it(tmp_path: Path) -> None:
    with WebhookReceiver() as birds, WebhookReceiver() as people:
        text = webhook(birds, "birds", 'classes = ["birds"]\nmessages = ["detection"]')
        text += webhook(people, "people", 'classes = ["human"]\nmessages = ["detection", "alert", "state"]')
        text += webhook(people, "off", "enabled = false")
        with Outputs(outputs_settings(tmp_path, text), tmp_path) as outputs:
            assert outputs.names == ("birds", "people", "off")
            assert outputs.names_for_alerts == ("people",)
            outputs.detection(detection(1))
            outputs.detection(detection(2, class_path="human-speech"))
            outputs.alert(Alert("fox", "class", "pen:out_1", NOON, "fox"))
            outputs.alert(Alert("owl", "class", "pen:out_1", NOON, "owl", outputs=("birds",)))
            outputs.state(ChannelState("pen:out_1", Condition.AWAY, NOON))
            wait_for(lambda: len(people.messages) == 3 and len(birds.messages) == 1, "all is told")
            status = {one["name"]: one for one in outputs.status()}
            wait_for(lambda: outputs.counts()["output_delivered_total"]["people"] == 3, "it is counted")
        assert birds.ids == ids([detection(1)])
        assert [one["kind"] for one in people.messages] == ["detection", "alert", "state"]
        assert status["off"]["state"] == "off"
        assert status["birds"]["to"] == birds.url("/")


def test_every_metric_is_documented(tmp_path: Path, receiver: WebhookReceiver) -> None:
    outputs = Outputs(outputs_settings(tmp_path, webhook(receiver)), tmp_path)
    text = (DOCS / "outputs.md").read_text()
    assert [name for name in outputs.counts() if f"`{name}`" not in text] == []
    outputs.stop()
    alerts = Alerts(OutputsSettings(), tmp_path, print)
    text = (DOCS / "alerts.md").read_text()
    assert [name for name in alerts.counts() if f"`{name}`" not in text] == []


def test_labels_are_bounded() -> None:
    counters = DetectionCounters()
    for number in range(MAX_LABELS + 5):
        counters.add(detection(class_path=f"class_{number}"))
    counters.add(detection(class_path="class_0"))
    by_class = counters.counts()["detections_by_class_total"]
    assert (len(by_class), by_class[OTHER], by_class["class_0"]) == (MAX_LABELS + 1, 5, 2)


def test_a_file_that_makes_no_sense_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(RuleError):
        Outputs(outputs_settings(tmp_path, '[[output]]\nname = "a"\n'), tmp_path)


def test_what_waits_is_told_after_a_restart(tmp_path: Path, receiver: WebhookReceiver) -> None:
    settings = outputs_settings(tmp_path, webhook(receiver))
    receiver.down()
    with Outputs(settings, tmp_path) as outputs:
        for one in detections(50):
            outputs.detection(one)
    receiver.up()
    with Outputs(settings, tmp_path) as outputs:
        wait_for(lambda: len(receiver.messages) == 50, "all is told")
        for one in detections(51):  # heard again after a crash
            outputs.detection(one)
        wait_for(lambda: len(receiver.messages) == 51, "what is new is told")
        wait_for(lambda: outputs.counts()["output_waiting"]["ops"] == 0, "nothing waits")
    assert receiver.ids == ids(detections(51))


def hand_in(outputs: Outputs, count: int, first: int = 0) -> float:
    """Seconds that it took whoever did so."""
    told = detections(count, first)
    return seconds(lambda: [outputs.detection(one) for one in told])


def test_nobody_waits_for_a_slow_disk(tmp_path: Path, receiver: WebhookReceiver) -> None:
    with Outputs(outputs_settings(tmp_path, webhook(receiver)), tmp_path) as outputs:
        hand_in(outputs, 1)
        wait_for(lambda: len(receiver.messages) == 1, "the first is told")
        with slow_disk(queue_file(tmp_path, "ops")):
            assert hand_in(outputs, 1000, first=1) < QUICK_S
            assert seconds(outputs.counts) < QUICK_S
            assert seconds(outputs.status) < QUICK_S
        wait_for(lambda: len(receiver.messages) == 1001, "all is told")
    assert receiver.ids == ids(detections(1001))


def test_nobody_waits_for_outputs_that_are_down_or_hang(tmp_path: Path, receiver: WebhookReceiver) -> None:
    with WebhookReceiver() as hanging:
        text = webhook(receiver, "down") + webhook(hanging, "hanging").replace(
            "deadline_s = 2", "deadline_s = 0.5"
        )
        receiver.down()
        hanging.mishaps += ["hang"] * 3
        with Outputs(outputs_settings(tmp_path, text), tmp_path) as outputs:
            assert hand_in(outputs, 1000) < QUICK_S
            wait_for(lambda: outputs.counts()["output_down"] == {"down": 1, "hanging": 1}, "both are down")
            assert hand_in(outputs, 1000, first=1000) < QUICK_S
            receiver.up()
            wait_for(lambda: len(receiver.messages) == 2000, "one is told, whatever the other does")
            wait_for(lambda: len(hanging.messages) >= 2000, "and so is the other")
        assert receiver.ids == ids(detections(2000))
        assert list(dict.fromkeys(hanging.ids)) == ids(detections(2000))


def test_on_a_full_disk_everything_is_told_all_the_same(tmp_path: Path, receiver: WebhookReceiver) -> None:
    with (
        small_disk(queue_file(tmp_path, "ops").parent) as disk,
        Outputs(outputs_settings(tmp_path, webhook(receiver)), tmp_path) as outputs,
    ):
        hand_in(outputs, 10)
        wait_for(lambda: len(receiver.messages) == 10, "the first are told")
        with full_disk(disk):
            assert hand_in(outputs, 1000, first=10) < QUICK_S
            wait_for(lambda: len(receiver.messages) >= 1010, "all is told")
            wait_for(lambda: outputs.status()[0]["disk"] != "", "it is said that the disk refuses")
        wait_for(lambda: outputs.counts()["output_disk_refuses"]["ops"] == 0, "the disk is used again")
        hand_in(outputs, 10, first=1010)
        wait_for(lambda: len(receiver.messages) >= 1020, "all is told")
        assert outputs.status()[0]["dropped"] == 0
    assert receiver.ids == ids(detections(1020))


def test_a_queue_that_cannot_be_opened_keeps_nobody_from_being_told(
    tmp_path: Path, receiver: WebhookReceiver
) -> None:
    folder = queue_file(tmp_path, "ops").parent
    folder.parent.mkdir()
    folder.write_text("a file where the folder belongs")
    with Outputs(outputs_settings(tmp_path, webhook(receiver)), tmp_path) as outputs:
        hand_in(outputs, 5)
        wait_for(lambda: len(receiver.messages) == 5, "all is told")
        assert "cannot be used" in outputs.status()[0]["disk"]
        folder.unlink()
        wait_for(lambda: outputs.status()[0]["disk"] == "", "the disk is used again")
        hand_in(outputs, 6)
        wait_for(lambda: len(receiver.messages) == 6, "what is new is told")
    assert receiver.ids == ids(detections(6))


def test_what_cannot_be_told_at_all_does_not_keep_the_others(
    tmp_path: Path, receiver: WebhookReceiver
) -> None:
    with Outputs(outputs_settings(tmp_path, webhook(receiver)), tmp_path) as outputs:
        outputs.detection(detection(0, score=float("nan")))
        hand_in(outputs, 2, first=1)
        wait_for(lambda: len(receiver.messages) == 2, "the others are told")
        assert outputs.counts()["outputs_not_handed_in_total"] == 1


def test_an_end_in_order_leaves_no_thread(tmp_path: Path, receiver: WebhookReceiver) -> None:
    before = threading.active_count()
    receiver.down()
    outputs = Outputs(outputs_settings(tmp_path, webhook(receiver, "a") + webhook(receiver, "b")), tmp_path)
    outputs.start()
    hand_in(outputs, 10)
    wait_for(lambda: outputs.counts()["output_down"] == {"a": 1, "b": 1}, "both are down")
    assert seconds(outputs.stop) < 5
    assert threading.active_count() <= before
    Outputs(outputs_settings(tmp_path, webhook(receiver)), tmp_path).stop()  # never started
