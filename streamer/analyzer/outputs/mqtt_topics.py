"""Topics of MQTT, and what is said on them: messages, retained states, and Home Assistant's discovery of channels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from streamer.analyzer.alerts.channel_state import Condition
from streamer.analyzer.outputs.message import Message
from tidzam_platform.names import split_channel

ONLINE: Final = "online"
OFFLINE: Final = "offline"
_MAX_CHANNELS: Final = 10_000
_MAX_KEPT: Final = 4 * _MAX_CHANNELS


@dataclass(frozen=True, slots=True)
class Publication:
    """What is published: payload on a topic; retained: the broker keeps it for those who come later."""

    topic: str
    payload: str
    retain: bool = False


class Topics:
    """What each message becomes.

    What is retained is remembered, because a broker may lose it: ``kept`` is published with each new connection. Of a
    channel that is gone all that is retained is taken back (an empty payload does that: MQTT 3.1.1, 3.3.1.3), until it
    has a state again or is heard anew; detections of before may still come late, and retain nothing.

    Args:
        prefix: what all topics begin with.
        discovery: prefix of Home Assistant's discovery topics; None: it is not told.
    """

    def __init__(self, prefix: str, discovery: str | None) -> None:
        self._prefix, self._discovery = prefix, discovery
        self._kept: dict[str, Publication] = {}
        self._last_start: dict[str, str] = {}
        self._gone: dict[str, str] = {}  # by channel: since when

    @property
    def status(self) -> str:
        """Where it is said, retained, whether we are ``online`` or ``offline``."""
        return f"{self._prefix}/status"

    def publications(self, message: Message) -> Iterator[Publication]:
        """What a message becomes, in order. Home Assistant is told of a channel with its first message."""
        text = message.as_json()
        if not message.channel:  # of several channels, or of none
            yield Publication(f"{self._prefix}/{message.kind}", text)
            return
        source, number = split_channel(message.channel)
        base = f"{self._prefix}/{source}/{number}"
        if message.kind == "state" and message.content["condition"] == Condition.GONE:
            yield from self._taken_back(message, base)
            return
        if self._is_gone(message):
            yield Publication(f"{base}/{message.kind}", text)
            return
        for one in self._configurations(message.channel, base):
            if one.topic not in self._kept:
                yield self._retained(one)
        if message.kind == "state":
            yield self._retained(Publication(f"{base}/state", text, retain=True))
            return
        yield Publication(f"{base}/{message.kind}", text)
        if message.kind == "detection" and self._is_newest(message):
            yield self._retained(Publication(f"{base}/last", text, retain=True))

    def kept(self) -> list[Publication]:
        """All that the broker shall hold."""
        return list(self._kept.values())

    def _configurations(self, channel: str, base: str) -> Iterator[Publication]:
        if self._discovery is not None:
            yield from _configurations(self._discovery, self.status, channel, base)

    def _taken_back(self, message: Message, base: str) -> Iterator[Publication]:
        """Whatever we remember of it: it may have been retained before we were started."""
        self._gone[message.channel] = str(message.content["since"])
        while len(self._gone) > _MAX_CHANNELS:
            del self._gone[next(iter(self._gone))]
        self._last_start.pop(message.channel, None)
        configurations = [one.topic for one in self._configurations(message.channel, base)]
        for topic in (*configurations, f"{base}/state", f"{base}/last"):
            self._kept.pop(topic, None)
            yield Publication(topic, "", retain=True)

    def _is_gone(self, message: Message) -> bool:
        """Whether its channel is; a state, or a detection of later, brings it back."""
        since = self._gone.get(message.channel)
        if since is None:
            return False
        if message.kind == "state" or (
            message.kind == "detection" and str(message.content["start"]) >= since
        ):
            del self._gone[message.channel]
            return False
        return True

    def _retained(self, publication: Publication) -> Publication:
        self._kept[publication.topic] = publication
        while len(self._kept) > _MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        return publication

    def _is_newest(self, message: Message) -> bool:
        """Whether no detection of the channel began later; those that waited for the model server come late."""
        start = str(message.content["start"])  # all in UTC and of one length: they sort as text
        if start < self._last_start.get(message.channel, ""):
            return False
        if len(self._last_start) >= _MAX_CHANNELS:
            self._last_start.clear()
        self._last_start[message.channel] = start
        return True


def _configurations(discovery: str, status: str, channel: str, base: str) -> Iterator[Publication]:
    """Two entities a channel: what was heard last, and whether its microphone is well.

    As https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery has them.
    """
    source, number = split_channel(channel)
    device = f"tidzam_{source}_{number}"
    common: dict[str, Any] = {
        "availability_topic": status,
        "payload_available": ONLINE,
        "payload_not_available": OFFLINE,
        "device": {"identifiers": [device], "name": channel, "manufacturer": "Tidzam"},
        "origin": {"name": "Tidzam"},
    }
    heard = {
        "name": "heard",
        "unique_id": f"{device}_heard",
        "state_topic": f"{base}/last",
        "value_template": "{{ value_json.class_path }}",
        "json_attributes_topic": f"{base}/last",
        "icon": "mdi:waveform",
    }
    microphone = {
        "name": "microphone",
        "unique_id": f"{device}_microphone",
        "state_topic": f"{base}/state",
        "value_template": "{{ 'OFF' if value_json.condition == 'hearing' else 'ON' }}",
        "json_attributes_topic": f"{base}/state",
        "device_class": "problem",
        "entity_category": "diagnostic",
    }
    for component, entity in (("sensor", heard), ("binary_sensor", microphone)):
        topic = f"{discovery}/{component}/{entity['unique_id']}/config"
        yield Publication(topic, json.dumps(entity | common), retain=True)
