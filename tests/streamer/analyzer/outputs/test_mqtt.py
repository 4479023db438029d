"""MQTT against a real broker: topics, retained states, Home Assistant, the last will, logins, TLS."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from streamer.analyzer.alerts import Alert, ChannelState, Condition
from streamer.analyzer.outputs.kinds import load_outputs, make_output
from streamer.analyzer.outputs.message import message_of, message_to_try
from streamer.analyzer.outputs.mqtt import Mqtt
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
from tests.support.certificates import tls_for
from tests.support.mosquitto import Mosquitto, MqttListener
from tests.support.waiting import wait_for
from tidzam_platform.errors import OutputError


@pytest.fixture(scope="module")
def shared_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path_factory.mktemp("mosquitto")) as running:
        yield running


@pytest.fixture
def broker(shared_broker: Mosquitto) -> Mosquitto:
    """A broker that holds nothing."""
    shared_broker.stop()
    shared_broker.start()
    return shared_broker


@contextmanager
def mqtt(folder: Path, broker: Mosquitto, more: str = "") -> Iterator[Output]:
    text = f'name = "home"\nkind = "mqtt"\nhost = "127.0.0.1"\nport = {broker.port}\ndeadline_s = 3\n{more}'
    output = plug_in(folder, text if "tls" in more else f"{text}\ntls = false")
    try:
        yield output
    finally:
        output.close()


def _is_connected(output: Output) -> bool:
    try:
        output.idle()
    except OutputError:
        return False
    return True


def state(condition: Condition, channel: str = "marsh:out_1") -> ChannelState:
    return ChannelState(channel, condition, NOON)


def test_detections_alerts_and_states_have_topics_of_their_own(tmp_path: Path, broker: Mosquitto) -> None:
    with mqtt(tmp_path, broker) as output, MqttListener(broker) as listener:
        deliver_all(output, messages(120))
        found = listener.wait_for("tidzam/marsh/1/detection", 120)
        assert [one.content["id"] for one in found] == ids(messages(120))
        assert found[0].content == dict(message(0).content)
        alert = Alert("fox", "class", "pen:out_2", NOON, "fox: heard", "mammals-fox", 0.9, 1)
        together = Alert("foxes", "class", "", NOON, "foxes: heard", "mammals-fox", 0.9, 3)
        told = [message_of(one, NOON) for one in (alert, together, state(Condition.AWAY, "pen:out_2"))]
        deliver_all(output, told)
        assert listener.wait_for("tidzam/pen/2/alert")[0].content["rule"] == "fox"
        assert listener.wait_for("tidzam/alert")[0].content["rule"] == "foxes"
        assert listener.wait_for("tidzam/pen/2/state")[0].content["condition"] == "away"
        assert not any(one.retained for one in listener.heard)


def test_who_comes_later_finds_what_is_retained(tmp_path: Path, broker: Mosquitto) -> None:
    with mqtt(tmp_path, broker) as output:
        deliver_all(output, messages(3))
        deliver_all(output, [message(1, id="late")])  # it waited for the model server
        deliver_all(output, [message_of(state(Condition.HEARING), NOON)])
        with MqttListener(broker) as listener:
            (last,) = listener.wait_for("tidzam/marsh/1/last")
            assert (last.content["id"], last.retained) == (message(2).id, True)
            assert listener.wait_for("tidzam/marsh/1/state")[0].content["condition"] == "hearing"
            assert listener.wait_for("tidzam/status")[0].payload == "online"
            assert listener.of("tidzam/marsh/1/detection") == []


def test_home_assistant_finds_each_channel_once(tmp_path: Path, broker: Mosquitto) -> None:
    with mqtt(tmp_path, broker, "home_assistant = true") as output:
        deliver_all(output, [*messages(3), message(9, channel="a_1:out_12")])
        with MqttListener(broker) as listener:
            (heard,) = listener.wait_for("homeassistant/sensor/tidzam_marsh_1_heard/config")
            (well,) = listener.wait_for("homeassistant/binary_sensor/tidzam_marsh_1_microphone/config")
            listener.wait_for("homeassistant/sensor/tidzam_a_1_12_heard/config")
            assert heard.retained
            assert heard.content["state_topic"] == "tidzam/marsh/1/last"
            assert heard.content["availability_topic"] == "tidzam/status"
            assert heard.content["device"] == well.content["device"]
            assert heard.content["unique_id"] != well.content["unique_id"]
            assert well.content["device_class"] == "problem"
            # What the templates look at is there.
            last = listener.wait_for("tidzam/marsh/1/last")[0].content
            assert "value_json.class_path" in heard.content["value_template"]
            assert last["class_path"] == "birds-crow"


def test_a_broker_that_lost_everything_gets_it_again(tmp_path: Path, broker: Mosquitto) -> None:
    with mqtt(tmp_path, broker, "home_assistant = true") as output:
        deliver_all(output, [message(0), message_of(state(Condition.AWAY), NOON)])
        broker.stop()
        with pytest.raises(OutputError, match=r"lost|not reachable"):
            output.deliver([message(1)])
        broker.start()
        output.deliver([message(1)])
        with MqttListener(broker) as listener:
            assert listener.wait_for("tidzam/marsh/1/state")[0].content["condition"] == "away"
            assert listener.wait_for("tidzam/marsh/1/last")[0].content["id"] == message(1).id
            listener.wait_for("homeassistant/sensor/tidzam_marsh_1_heard/config")
            assert listener.wait_for("tidzam/status")[0].payload == "online"


def test_of_a_channel_that_is_gone_nothing_stays(tmp_path: Path, broker: Mosquitto) -> None:
    """Whatever kinds it tells; also after a restart; and a late detection does not bring it back."""
    more = 'home_assistant = true\nmessages = ["detection"]'
    with mqtt(tmp_path, broker, more) as output:
        deliver_all(output, [message(0), message(0, channel="pen:out_2")])
    with mqtt(tmp_path, broker, more) as output:  # it remembers nothing
        since = NOON + timedelta(seconds=60)
        gone = message_of(ChannelState("marsh:out_1", Condition.GONE, since), NOON)
        found = load_outputs(tmp_path / "outputs.toml")[0]
        assert found.concerns(gone)
        assert not found.concerns(message_of(state(Condition.AWAY), NOON))
        deliver_all(output, [message(1), gone, message(2)])
        with MqttListener(broker) as listener:
            listener.wait_for("tidzam/pen/2/last")
            listener.wait_for("homeassistant/binary_sensor/tidzam_pen_2_microphone/config")
            assert [one.topic for one in listener.heard if "marsh" in one.topic] == []
            deliver_all(output, [message(3)])
            listener.wait_for("tidzam/marsh/1/detection")
            assert listener.of("tidzam/marsh/1/last") == []
        broker.stop()
        wait_for(lambda: not _is_connected(output), "the connection is known to be lost")
        broker.start()
        output.idle()
        deliver_all(output, [message(0, channel="pen:out_2")])
        with MqttListener(broker) as listener:
            listener.wait_for("tidzam/pen/2/last")
            assert [one.topic for one in listener.heard if "marsh" in one.topic] == []
        deliver_all(output, [message(31)])  # 62 s after noon: it is there again
        with MqttListener(broker) as listener:
            listener.wait_for("tidzam/marsh/1/last")
            listener.wait_for("homeassistant/sensor/tidzam_marsh_1_heard/config")


def test_a_state_that_was_kept_goes_with_its_channel_and_comes_again(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with mqtt(tmp_path, broker) as output:
        states = [state(Condition.HEARING), state(Condition.GONE)]
        deliver_all(output, [message_of(one, NOON) for one in states])
        with MqttListener(broker) as listener:
            listener.wait_for("tidzam/status")
            assert listener.of("tidzam/marsh/1/state") == []
        deliver_all(output, [message_of(state(Condition.HEARING), NOON)])
        with MqttListener(broker) as listener:
            listener.wait_for("tidzam/marsh/1/state")


def test_an_end_in_order_says_offline(tmp_path: Path, broker: Mosquitto) -> None:
    with MqttListener(broker) as listener:
        with mqtt(tmp_path, broker) as output:
            output.idle()  # connects though there is nothing to tell
            listener.wait_for("tidzam/status")
        assert [one.payload for one in listener.wait_for("tidzam/status", 2)] == ["online", "offline"]


def test_after_kill_minus_nine_the_broker_says_offline(tmp_path: Path, broker: Mosquitto) -> None:
    program = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        from tests.streamer.analyzer.outputs.made import message, plug_in
        text = f'name = "home"\\nkind = "mqtt"\\nhost = "127.0.0.1"\\nport = {sys.argv[2]}\\ntls = false'
        plug_in(Path(sys.argv[1]), text).deliver([message()])
        print("told", flush=True)
        time.sleep(60)
        """
    )
    with MqttListener(broker) as listener:
        command = [sys.executable, "-c", program, str(tmp_path), str(broker.port)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "told\n"
            child.kill()
        found = [one.payload for one in listener.wait_for("tidzam/status", 2)]
        assert found == ["online", "offline"]


def test_a_connection_that_ends_is_noticed_while_there_is_nothing_to_tell(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with mqtt(tmp_path, broker) as output:
        output.idle()
        broker.stop()
        wait_for(lambda: not _is_connected(output), "the connection is known to be lost")
        broker.start()
        output.idle()
        with MqttListener(broker) as listener:
            assert listener.wait_for("tidzam/status")[0].payload == "online"


def test_a_user_and_a_password(tmp_path: Path) -> None:
    private(tmp_path / "password", "right")
    login = 'user = "tidzam"\npassword = {file = "password"}'
    with Mosquitto(tmp_path / "broker", password="right") as broker:
        with mqtt(tmp_path, broker, login) as output:
            assert output.deliver([message()]) == 1
        private(tmp_path / "password", "wrong-one")
        for more in (login, ""):
            with (
                mqtt(tmp_path, broker, more) as output,
                pytest.raises(OutputError, match="does not let us in") as caught,
            ):
                output.deliver([message()])
            assert "wrong-one" not in str(caught.value)


def test_tls(tmp_path: Path) -> None:
    tls_for("127.0.0.1", folder=tmp_path / "tls")
    with Mosquitto(tmp_path / "broker", certificate=tmp_path / "tls") as broker:
        with mqtt(tmp_path, broker, 'tls = true\nca_file = "tls/certificate.pem"') as output:
            deliver_all(output, messages(200))
            output.idle()
        with mqtt(tmp_path, broker, "tls = true") as output, pytest.raises(OutputError, match="trusted"):
            output.deliver([message()])
        with mqtt(tmp_path, broker, "tls = false") as output, pytest.raises(OutputError):
            output.deliver([message()])


def test_nobody_there(tmp_path: Path, broker: Mosquitto) -> None:
    broker.stop()
    with mqtt(tmp_path, broker) as output:
        with pytest.raises(OutputError, match="not reachable"):
            output.deliver([message()])
        with pytest.raises(OutputError, match="not reachable"):
            output.idle()
    broker.start()


def test_a_trial_does_not_disturb_who_runs(tmp_path: Path, broker: Mosquitto) -> None:
    with mqtt(tmp_path, broker) as output, MqttListener(broker) as listener:
        output.idle()
        listener.wait_for("tidzam/status")
        specification = load_outputs(tmp_path / "outputs.toml")[0]
        trial = make_output(specification, identity="abcdef01", is_trial=True)
        assert isinstance(trial, Mqtt)
        assert "tidzam/test" in trial.try_out(message_to_try(NOON))
        trial.close()
        assert json.loads(listener.wait_for("tidzam/test")[0].payload)["kind"] == "test"
        output.deliver([message()])
        listener.wait_for("tidzam/marsh/1/detection")
        assert [one.payload for one in listener.of("tidzam/status")] == ["online"]
