"""``./tidzam outputs``: with and without an analyzer that runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streamer.analyzer.outputs import Outputs
from streamer.cli.outputs import outputs
from tests.streamer.analyzer.outputs.made import detections, ids, outputs_file
from tests.support.http_stand_in import Reply
from tests.support.waiting import wait_for
from tests.support.webhook_receiver import WebhookReceiver
from tidzam_platform.errors import OutputError, RuleError
from tidzam_platform.settings import Settings, load_settings


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as running:
        yield running


@pytest.fixture
def settings(home: Settings, receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """With two outputs, one of which is off."""
    text = (
        f'[[output]]\nname = "ops"\nkind = "webhook"\nurl = "{receiver.url("/?key=abc")}"\nbackoff_max_s = 0.1\n'
        '[[output]]\nname = "off"\nkind = "mqtt"\nhost = "broker.example.org"\nenabled = false\n'
    )
    monkeypatch.setenv("TIDZAM_OUTPUTS__FILE", str(outputs_file(home.home, text)))
    return load_settings()


def run(*arguments: object) -> Result:
    """Run a command that shall succeed."""
    result = CliRunner().invoke(outputs, [str(one) for one in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def answer(*arguments: object) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


def refuse_two(settings: Settings, receiver: WebhookReceiver) -> None:
    """Of three detections the first two are refused."""
    receiver.mishaps += [Reply(422), Reply(400)]
    with Outputs(settings.outputs, settings.home) as running:
        for one in detections(3):
            running.detection(one)
        wait_for(lambda: running.counts()["output_delivered_total"]["ops"] == 1, "one is told")


def test_outputs_are_listed_before_anything_was_told(settings: Settings) -> None:
    ops, off = answer("list")["outputs"]
    assert (ops["name"], ops["kind"], ops["state"], ops["waiting"]) == ("ops", "webhook", "new", 0)
    assert "abc" not in ops["to"]
    assert (off["enabled"], off["to"]) == (False, "mqtts://broker.example.org:8883/tidzam")
    assert "ops" in run("list").stdout
    assert not (settings.home / "spool").exists()


def test_what_was_refused_is_shown_and_told_again(settings: Settings, receiver: WebhookReceiver) -> None:
    refuse_two(settings, receiver)
    listed = answer("list")["outputs"][0]
    assert (listed["delivered"], listed["failed"], listed["waiting"], listed["state"]) == (1, 2, 0, "stopped")
    newest, oldest = answer("failed", "ops")["failed"]
    assert [oldest["id"], newest["id"]] == ids(detections(2))
    assert (oldest["kind"], "422" in oldest["reason"]) == ("detection", True)
    assert oldest["content"]["class_path"] == "birds-crow"
    assert len(answer("failed", "ops", "--limit", 1)["failed"]) == 1
    assert "422" in run("failed", "ops").stdout
    assert answer("retry", "ops", "--id", oldest["id"]) == {"retried": 1}
    assert run("retry", "ops").stdout == "1 message will be told to ops again\n"
    assert answer("list")["outputs"][0]["waiting"] == 2
    with Outputs(settings.outputs, settings.home):
        wait_for(lambda: len(receiver.messages) == 3, "all are told")
    assert receiver.ids == ids([detections(3)[2], *detections(2)])
    assert answer("retry", "ops") == {"retried": 0}


def test_a_running_analyzer_notices(settings: Settings, receiver: WebhookReceiver) -> None:
    refuse_two(settings, receiver)
    with Outputs(settings.outputs, settings.home):
        run("retry", "ops")
        wait_for(lambda: len(receiver.messages) == 3, "all are told")


def test_a_queue_of_an_output_that_is_in_the_file_no_more_is_listed(
    settings: Settings, receiver: WebhookReceiver
) -> None:
    refuse_two(settings, receiver)
    file = settings.outputs.file
    assert file is not None
    file.write_text(file.read_text().replace('"ops"', '"new"'))
    listed = {one["name"]: one for one in answer("list")["outputs"]}
    assert (listed["ops"]["kind"], listed["ops"]["failed"], listed["new"]["failed"]) == ("", 2, 0)
    assert "not in the file any more" in run("list").stdout
    assert len(answer("failed", "ops")["failed"]) == 2


def test_a_test_message_is_sent_now(settings: Settings, receiver: WebhookReceiver) -> None:
    assert answer("test", "ops") == {"name": "ops", "ok": True, "said": "it took a test message"}
    assert [one["kind"] for one in receiver.messages] == ["test"]
    assert "took" in run("test", "ops").stdout
    receiver.down()
    with pytest.raises(OutputError, match="not reachable"):
        CliRunner().invoke(outputs, ["test", "ops"], catch_exceptions=False)


@pytest.mark.parametrize("command", ["failed", "retry", "test"])
@pytest.mark.parametrize("name", ["nothing", "../ops", ""])
def test_an_output_that_is_not_there_is_said(settings: Settings, command: str, name: str) -> None:
    with pytest.raises(RuleError, match="there are: ops, off"):
        CliRunner().invoke(outputs, [command, name], catch_exceptions=False)


def test_a_message_that_was_not_refused_is_said(settings: Settings) -> None:
    with pytest.raises(RuleError, match="refused no message 'nothing'"):
        CliRunner().invoke(outputs, ["retry", "ops", "--id", "nothing"], catch_exceptions=False)


def test_without_a_file_it_is_said_where_one_is_named(home: Settings) -> None:
    assert answer("list") == {"outputs": []}
    with pytest.raises(RuleError, match=r"outputs\.file"):
        CliRunner().invoke(outputs, ["test", "ops"], catch_exceptions=False)


def test_a_file_that_makes_no_sense_is_said(
    home: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "outputs.toml"
    file.write_text("[[output]]\n")
    monkeypatch.setenv("TIDZAM_OUTPUTS__FILE", str(file))
    with pytest.raises(RuleError, match="table 1"):
        CliRunner().invoke(outputs, ["list"], catch_exceptions=False)
