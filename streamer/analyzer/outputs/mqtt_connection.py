"""A connection to an MQTT broker: paho's protocol on a socket of ours, driven by the thread that uses it."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Callable
from typing import Any, Final

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from streamer.analyzer.outputs.mqtt_topics import OFFLINE, ONLINE, Publication
from streamer.analyzer.outputs.reach import as_output_error
from streamer.engine.fetching.cancellation import Cancellation
from tidzam_platform.errors import OutputError

QOS: Final = 1  # at least once
_KEEP_ALIVE_S: Final = 30
_TURN_S: Final = 1.0  # paho looks at its keep-alive after each wait
_GOODBYE_S: Final = 1.0


class _Client(Client):
    """Paho's client on a socket that is connected already.

    Paho would look the name up by itself, wait with select(2), which takes no descriptor above 1023, and could not be
    cancelled.
    """

    def __init__(self, connected: socket.socket, client_id: str) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTv311)
        self._connected = connected

    def _create_socket(self) -> socket.socket:
        return self._connected


class BrokerConnection:
    """Connected and accepted by the broker, once made; ends with the first error. Used by one thread.

    Args:
        connected: a socket that does not block, TLS or not; it is taken over.
        name: of the broker, for messages.
        client_id: the broker ends an older connection of the same one.
        login: user and password, or None.
        status_topic: where ``online`` is said now, and ``offline`` at the end, by the broker where we cannot; None
            says neither.
        cancel: ends every wait.
        deadline_s: until when the broker must have accepted us, of ``time.monotonic``.

    Raises:
        OutputError: it did not.
    """

    def __init__(
        self,
        connected: socket.socket,
        *,
        name: str,
        client_id: str,
        login: tuple[str, str] | None,
        status_topic: str | None,
        cancel: Cancellation,
        deadline_s: float,
    ) -> None:
        self._socket, self._name, self._cancel = connected, name, cancel
        self._status_topic = status_topic
        self._answer: ReasonCode | None = None
        self._ended: str | None = None
        self._taken: set[int] = set()
        self._client = _Client(connected, client_id)
        self._client.max_inflight_messages_set(0)  # no bound of its own: we give it one batch at a time
        self._client.on_connect = self._on_connect
        self._client.on_publish = self._on_publish
        self._client.on_disconnect = self._on_disconnect
        if login is not None:
            self._client.username_pw_set(*login)
        if status_topic is not None:
            self._client.will_set(status_topic, OFFLINE, QOS, retain=True)
        try:
            self._begin(deadline_s)
        except BaseException:
            connected.close()
            raise

    def publish(self, publications: list[list[Publication]], deadline_s: float) -> int:
        """Publish groups of publications; returns how many of the first groups the broker has taken whole.

        Raises:
            OutputError: it has taken none, or the connection is lost.
        """
        self._taken.clear()
        groups = [[self._send(one) for one in group] for group in publications]

        def taken() -> int:
            whole = (all(number in self._taken for number in group) for group in groups)
            return next((count for count, is_whole in enumerate(whole) if not is_whole), len(groups))

        try:
            self._turn_until(lambda: taken() == len(groups), deadline_s)
        except OutputError:
            if not taken():
                raise
        return taken()

    def turn(self) -> None:
        """Do what there is to do, without waiting: read, write, keep alive. OutputError where it is lost."""
        self._turn(time.monotonic())

    def close(self) -> None:
        """Say goodbye, where that is still possible, and end. May be called again."""
        if self._ended is None and not self._cancel.is_cancelled:
            with contextlib.suppress(OutputError):
                if self._status_topic is not None:
                    farewell = [[Publication(self._status_topic, OFFLINE, retain=True)]]
                    self.publish(farewell, time.monotonic() + _GOODBYE_S)
                self._client.disconnect()
        self._ended = self._ended or "closed"
        self._socket.close()

    def _begin(self, deadline_s: float) -> None:
        self._require(self._client.connect(self._name, keepalive=_KEEP_ALIVE_S))
        self._turn_until(lambda: self._answer is not None, deadline_s)
        assert self._answer is not None  # noqa: S101 - waited for
        if self._answer.is_failure:
            raise OutputError(
                f"the broker {self._name} does not let us in: {self._answer}; mend user or password"
            )
        if self._status_topic is not None:
            greeting = [[Publication(self._status_topic, ONLINE, retain=True)]]
            self.publish(greeting, deadline_s)

    def _send(self, publication: Publication) -> int:
        info = self._client.publish(publication.topic, publication.payload, QOS, publication.retain)
        self._require(info.rc)
        return info.mid

    def _turn_until(self, is_done: Callable[[], bool], deadline_s: float) -> None:
        while not is_done():
            if time.monotonic() > deadline_s:
                raise OutputError(f"the broker {self._name} did not answer in time")
            self._turn(min(deadline_s, time.monotonic() + _TURN_S))

    def _turn(self, until_s: float) -> None:
        """Wait until ``until_s`` for something to read or room to write, and do it."""
        if not _has_decrypted(self._socket):
            events = select.POLLIN | (select.POLLOUT if self._client.want_write() else 0)
            with as_output_error():
                self._cancel.wait_for(self._socket.fileno(), events, until_s)
        self._require(self._client.loop_read())
        if self._client.want_write():
            self._require(self._client.loop_write())
        self._require(self._client.loop_misc())

    def _require(self, code: MQTTErrorCode) -> None:
        refused = self._answer is not None and self._answer.is_failure
        if refused:  # _begin says it with its reason
            return
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS or self._ended is not None:
            self._ended = self._ended or str(code)
            raise OutputError(f"the connection to the broker {self._name} was lost: {self._ended}")

    def _on_connect(
        self,
        _client: Client,
        _data: Any,
        _flags: ConnectFlags,
        code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._answer = code

    def _on_publish(
        self, _client: Client, _data: Any, number: int, _code: ReasonCode, _properties: Properties | None
    ) -> None:
        self._taken.add(number)

    def _on_disconnect(
        self,
        _client: Client,
        _data: Any,
        _flags: DisconnectFlags,
        code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._ended = self._ended or str(code)


def _has_decrypted(connected: socket.socket) -> bool:
    """Whether TLS holds bytes that the descriptor does not show."""
    pending = getattr(connected, "pending", None)
    return pending is not None and pending() > 0
