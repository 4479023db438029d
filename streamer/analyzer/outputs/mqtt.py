"""MQTT 3.1.1: messages on topics, retained states, Home Assistant's discovery, a last will."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from streamer.analyzer.alerts.channel_state import Condition
from streamer.analyzer.outputs.message import Kind, Message
from streamer.analyzer.outputs.mqtt_topics import Publication, Topics
from streamer.analyzer.outputs.output import Output
from streamer.analyzer.outputs.reach import Reach
from streamer.analyzer.outputs.secret import Secret
from streamer.analyzer.outputs.specification import Host, OutputSpecification
from tidzam_platform.channel_patterns import matches_channel
from tidzam_platform.errors import OutputError
from tidzam_platform.operations.ports import join_address

_TOPIC: Final = r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+){0,9}$"
_BATCH: Final = 50
_PORT: Final = 1883
_TLS_PORT: Final = 8883


class MqttSpecification(OutputSpecification):
    """A broker.

    Attributes:
        host: name or address of the broker.
        port: 8883 with TLS, 1883 without, unless said otherwise.
        tls: whether the connection is encrypted and the broker's certificate checked.
        user: whom the broker knows us as.
        password: of the user.
        prefix: what all topics begin with.
        home_assistant: whether Home Assistant is told of each channel, so that it shows it by itself.
        discovery_prefix: what Home Assistant listens to.
        client_id: unlike that of every other client of the broker; made from the home and the name unless said.
    """

    usual: ClassVar[tuple[Kind, ...]] = ("detection", "alert", "state")

    kind: Literal["mqtt"] = "mqtt"
    host: Host
    port: int | None = Field(None, ge=1, le=65535)
    tls: bool = True
    user: str | None = Field(None, min_length=1, max_length=200)
    password: Secret | None = None
    prefix: str = Field("tidzam", pattern=_TOPIC, max_length=100)
    home_assistant: bool = False
    discovery_prefix: str = Field("homeassistant", pattern=_TOPIC, max_length=100)
    client_id: str | None = Field(None, pattern=r"^[A-Za-z0-9_-]{1,60}$")

    def concerns(self, message: Message) -> bool:
        """As of all outputs; and a channel that is gone concerns it whatever it tells: something of it is retained."""
        is_gone = message.kind == "state" and message.content["condition"] == Condition.GONE
        return super().concerns(message) or (is_gone and matches_channel(message.channel, self.channels))

    @property
    def target(self) -> str:
        """Broker and prefix."""
        scheme = "mqtts" if self.tls else "mqtt"
        return f"{scheme}://{self.address}/{self.prefix}"

    @property
    def known_port(self) -> int:
        """The port, the usual one resolved."""
        return self.port or (_TLS_PORT if self.tls else _PORT)

    @property
    def address(self) -> str:
        """``host:port``."""
        return join_address(self.host, self.known_port)

    @model_validator(mode="after")
    def _user_and_password(self) -> Self:
        if self.password is not None and self.user is None:
            raise ValueError("a password wants a user")
        return self


class Mqtt(Output):
    """Tells one broker; the connection stays open, also while there is nothing to tell.

    Args:
        specification: which broker.
        reach: what it connects by.
        client_id: used unless the specification says another.
        speaks_for_all: whether it says that Tidzam is online; a trial does not.
    """

    def __init__(
        self,
        specification: MqttSpecification,
        reach: Reach,
        *,
        client_id: str,
        speaks_for_all: bool = True,
    ) -> None:
        super().__init__(reach, batch=_BATCH)
        self._specification = specification
        self._client_id = specification.client_id or client_id
        self._speaks_for_all = speaks_for_all
        self._topics = Topics(
            specification.prefix, specification.discovery_prefix if specification.home_assistant else None
        )
        self._connection: Any = None  # a BrokerConnection; paho is imported when it is needed

    def deliver(self, messages: Sequence[Message]) -> int:
        """Publish them, and wait until the broker has taken them (QoS 1)."""
        self._connect()
        return self._publish([list(self._topics.publications(message)) for message in messages])

    def idle(self) -> None:
        """Keep the connection alive, or make it again, so that everybody sees that we are there."""
        self._connect()
        try:
            self._connection.turn()
        except OutputError:
            self._drop()
            raise

    def try_out(self, message: Message) -> str:
        """Publish it beside what runs."""
        self.deliver([message])
        return f"the broker took a message on {self._specification.prefix}/test"

    def close(self) -> None:
        """Say that we are offline, and end."""
        self._drop()
        super().close()

    def _connect(self) -> None:
        if self._connection is not None:
            return
        from streamer.analyzer.outputs.mqtt_connection import BrokerConnection

        specification = self._specification
        login = None
        if specification.user is not None:
            password = "" if specification.password is None else specification.password.read()
            login = (specification.user, password)
        deadline_s = self.reach.deadline_s()
        connected = self.reach.open_socket(
            specification.host, specification.known_port, tls=specification.tls, deadline_s=deadline_s
        )
        self._connection = BrokerConnection(
            connected,
            name=specification.address,
            client_id=self._client_id,
            login=login,
            status_topic=self._topics.status if self._speaks_for_all else None,
            cancel=self.reach.cancel,
            deadline_s=deadline_s,
        )
        kept = self._topics.kept()
        for first in range(0, len(kept), _BATCH):
            some = [[one] for one in kept[first : first + _BATCH]]
            if self._publish(some) < len(some):
                raise OutputError(f"the broker {specification.address} did not take all that it shall keep")

    def _publish(self, groups: list[list[Publication]]) -> int:
        """How many of the first groups the broker has taken; where it is not all of them the connection has ended."""
        try:
            taken: int = self._connection.publish(groups, self.reach.deadline_s())
        except OutputError:
            self._drop()
            raise
        if taken < len(groups):
            self._drop()
        return taken

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
