"""The file of outputs, as people write it, and its secrets."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.analyzer.alerts import Alert, ChannelState, Condition
from streamer.analyzer.outputs.kinds import Specification, load_outputs
from streamer.analyzer.outputs.message import message_of, message_to_try
from streamer.analyzer.outputs.mqtt import MqttSpecification
from streamer.analyzer.outputs.secret import Secret
from streamer.analyzer.outputs.webhook import WebhookSpecification
from tests.streamer.analyzer.outputs.made import NOON, message, private
from tidzam_platform.errors import OutputError, RuleError

DOCS = Path(__file__).resolve().parents[4] / "docs" / "outputs.md"
WEBHOOK = '[[output]]\nname = "ops"\nkind = "webhook"\nurl = "https://ops.example.org/hook?key=abc"\n'
MAIL = '[[output]]\nname = "a"\nkind = "email"\nhost = "b"\nsender = "a@b.org"\n'


def load(folder: Path, text: str) -> tuple[Specification, ...]:
    file = folder / "outputs.toml"
    file.write_text(text)
    return load_outputs(file)


def one(folder: Path, more: str = "") -> Specification:
    return load(folder, WEBHOOK + more)[0]


def test_every_example_of_the_documentation_is_read(tmp_path: Path) -> None:
    examples = [block.partition("```")[0] for block in DOCS.read_text().split("```toml\n")[1:]]
    kinds = [load(tmp_path, example)[0].kind for example in examples]
    assert kinds == ["webhook", "webhook", "mqtt", "chain-api", "devicehive", "email"]


def test_an_output_says_whom_it_tells_what(tmp_path: Path) -> None:
    found = one(tmp_path)
    assert isinstance(found, WebhookSpecification)
    assert found.target == "https://ops.example.org/hook?..."
    assert found.told == ("detection", "alert")
    assert not found.private_addresses
    mqtt, plain = load(
        tmp_path,
        '[[output]]\nname = "a"\nkind = "mqtt"\nhost = "broker"\n'
        '[[output]]\nname = "b"\nkind = "mqtt"\nhost = "[::1]"\ntls = false\nport = 1884\nmessages = ["alert"]\n',
    )
    assert isinstance(mqtt, MqttSpecification)
    assert (mqtt.target, mqtt.told) == ("mqtts://broker:8883/tidzam", ("detection", "alert", "state"))
    assert (plain.target, plain.told) == ("mqtt://[::1]:1884/tidzam", ("alert",))


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    found = one(tmp_path, 'secret = {file = "keys/ops"}\nca_file = "/etc/ca.pem"\n')
    assert isinstance(found, WebhookSpecification)
    assert found.secret is not None
    assert found.secret.file == tmp_path / "keys" / "ops"
    assert found.ca_file == Path("/etc/ca.pem")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[output]]\n", "table 1"),
        ("nonsense", "cannot be read"),
        ("[outputs]\n", r"\[\[output\]\]"),
        (WEBHOOK.replace("webhook", "carrier-pigeon"), "carrier-pigeon"),
        (WEBHOOK + WEBHOOK, "two tables are named 'ops'"),
        (WEBHOOK.replace('"ops"', '"../ops"'), "name"),
        (WEBHOOK + 'colour = "green"', "colour"),
        (WEBHOOK + 'secret = "hunter2-in-the-open"', "name a file or a variable"),
        (WEBHOOK + 'secret = {env = "TIDZAM_KEY"}', "choose another name"),
        (WEBHOOK + 'secret = {env = "A", file = "b"}', "either"),
        (WEBHOOK.replace("https://", "https://ann:hunter2@"), "user and password do not belong"),
        (WEBHOOK.replace("https://", "file://"), "file://"),
        (WEBHOOK.replace("https://", "rtsp://"), "none of http"),
        (WEBHOOK.replace('"https://ops.example.org/hook?key=abc"', "{}"), "either"),
        (WEBHOOK.replace('"https://ops.example.org/hook?key=abc"', "7"), "url"),
        (WEBHOOK + "min_score = 2", "min_score"),
        (WEBHOOK + 'classes = ["Not A Class"]', "classes"),
        (WEBHOOK + 'messages = ["gossip"]', "messages"),
        (WEBHOOK + "deadline_s = nan", "deadline_s"),
        ('[[output]]\nname = "a"\nkind = "mqtt"\nhost = "a b"', "host"),
        ('[[output]]\nname = "a"\nkind = "mqtt"\nhost = "b"\nprefix = "a/#"', "prefix"),
        (
            '[[output]]\nname = "a"\nkind = "mqtt"\nhost = "b"\npassword = {env = "P"}',
            "a password wants a user",
        ),
        ('[[output]]\nname = "a"\nkind = "chain-api"\nurl = "http://b/"\nuser = "c"', "belong together"),
        ('[[output]]\nname = "a"\nkind = "chain-api"\nurl = "http://b/"\nmessages = ["alert"]', "messages"),
        ('[[output]]\nname = "a"\nkind = "devicehive"\nurl = "http://b/"\ndevice_id = "c"', "refresh_token"),
        ('[[output]]\nname = "a"\nkind = "devicehive"\nurl = "http://b/"\ndevice_id = "c/../d"', "device_id"),
        (
            f'{MAIL}recipients = ["c@d.org\\r\\nBcc: e@f.org"]',
            "recipients",
        ),
    ],
)
def test_what_makes_no_sense_is_said(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(RuleError, match=said) as caught:
        load(tmp_path, text)
    assert "hunter2" not in str(caught.value)


@given(text=st.text(max_size=200))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    with contextlib.suppress(RuleError):
        assert isinstance(load_outputs(file), tuple)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="cannot be read"):
        load_outputs(tmp_path / "outputs.toml")


def test_an_output_is_told_what_concerns_it(tmp_path: Path) -> None:
    choosy = one(tmp_path, 'channels = ["marsh:*"]\nclasses = ["birds"]\nmin_score = 0.5\n')
    assert choosy.concerns(message())
    assert choosy.concerns(message(class_path="birds"))
    assert not choosy.concerns(message(class_path="birdsong"))
    assert not choosy.concerns(message(score=0.4))
    assert not choosy.concerns(message(channel="xmarsh:out_1"))
    everything = one(tmp_path, 'messages = ["detection", "alert", "state"]\n')
    for told in (
        Alert("fox", "dead", "pen:out_1", NOON, "fox"),
        ChannelState("pen:out_1", Condition.AWAY, NOON),
    ):
        assert everything.concerns(message_of(told, NOON))
        assert not choosy.concerns(message_of(told, NOON))
    named = Alert("fox", "dead", "marsh:out_1", NOON, "fox", outputs=("mail",))
    assert not everything.concerns(message_of(named, NOON))
    assert not everything.concerns(message_to_try(NOON))


def test_a_secret_is_read_when_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = Secret(file=tmp_path / "key")
    with pytest.raises(OutputError, match="cannot be read"):
        secret.read()
    private(tmp_path / "key", "first")
    assert secret.read() == "first"
    private(tmp_path / "key", "second")
    assert secret.read() == "second"
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(OutputError, match="chmod 600"):
        secret.read()
    for bad in ("", "two\nlines", "a\rb"):
        private(tmp_path / "bad", bad)
        with pytest.raises(OutputError, match="shall hold a secret"):
            Secret(file=tmp_path / "bad").read()
    monkeypatch.setenv("OPS_KEY", "third")
    assert Secret(env="OPS_KEY").read() == "third"
    monkeypatch.delenv("OPS_KEY")
    with pytest.raises(OutputError, match="OPS_KEY"):
        Secret(env="OPS_KEY").read()
