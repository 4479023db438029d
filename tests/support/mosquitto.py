"""Debian's mosquitto, a real MQTT broker, on loopback; and a client that listens to it."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path
from typing import Any, NamedTuple, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.parts import require_part
from tests.support.waiting import wait_for
from tidzam_platform.operations.child_process import ChildProcess
from tidzam_platform.operations.ports import free_port


class Heard(NamedTuple):
    """A message that a listener got."""

    topic: str
    payload: str
    retained: bool

    @property
    def content(self) -> Any:
        return json.loads(self.payload)


class Mosquitto:
    """A broker, up while the context lasts; ``stop`` and ``start`` in between, on the same port.

    Args:
        folder: for its files.
        password: of the user ``tidzam``; without it anybody is let in.
        certificate: folder with ``certificate.pem`` and ``key.pem``: it then speaks TLS alone.
        remembers: whether sessions outlive a stop.
    """

    def __init__(
        self,
        folder: Path,
        *,
        password: str | None = None,
        certificate: Path | None = None,
        remembers: bool = False,
    ) -> None:
        self.program = require_part("mosquitto")
        self.port = free_port()
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        lines = [f"listener {self.port} 127.0.0.1", f"persistence {str(remembers).lower()}"]
        lines += [f"persistence_location {folder}/", "max_queued_messages 0", "max_inflight_messages 0"]
        if password is None:
            lines.append("allow_anonymous true")
        else:
            passwords = folder / "passwords"
            command = ["mosquitto_passwd", "-b", "-c", str(passwords), "tidzam", password]
            subprocess.run(command, check=True, timeout=30, capture_output=True)
            lines += ["allow_anonymous false", f"password_file {passwords}"]
        if certificate is not None:
            lines += [f"certfile {certificate / 'certificate.pem'}", f"keyfile {certificate / 'key.pem'}"]
        lines.append("user root")  # tests may run as root in folders that nobody else may read
        self._file = folder / "mosquitto.conf"
        self._file.write_text("\n".join(lines) + "\n")
        self._process: ChildProcess | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        self._process = ChildProcess(
            "mosquitto", [str(self.program), "-c", str(self._file)], self._folder / "mosquitto.log", {}
        )
        self._process.wait_until_listening(self.port, 20)

    def stop(self) -> None:
        """Down: nobody listens."""
        if self._process is not None:
            self._process.stop()
            self._process = None


class MqttListener:
    """Subscribed to everything while the context lasts, also after the broker was away.

    Args:
        broker: which; it is running.
        session: a name under which the broker keeps what comes while we are not connected.

    Attributes:
        heard: all messages, in order.
    """

    def __init__(self, broker: Mosquitto, *, session: str = "") -> None:
        self.heard: list[Heard] = []
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=session, clean_session=not session)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("#", 1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._port = broker.port

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        assert self._subscribed.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def wait_for(self, topic: str, count: int = 1, deadline_s: float = 20.0) -> list[Heard]:
        """Those of a topic, once there are so many."""
        wait_for(lambda: len(self.of(topic)) >= count, f"{count} messages on {topic}", deadline_s)
        return self.of(topic)

    def of(self, topic: str) -> list[Heard]:
        return [one for one in list(self.heard) if one.topic == topic]

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.heard.append(Heard(message.topic, bytes(message.payload).decode(), message.retain))
