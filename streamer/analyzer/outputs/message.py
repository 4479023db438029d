"""What outputs tell: one JSON object with an id that stays the same however often it is told."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, get_args

from streamer.analyzer.alerts.alert import Alert
from streamer.analyzer.alerts.channel_state import ChannelState
from streamer.analyzer.told import detection_as_told
from tidzam_platform.clock import format_utc
from tidzam_platform.detections.detection import Detection

Kind = Literal["detection", "alert", "state", "test"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        id: unlike that of any other message; of a detection its own id.
        kind: what ``content`` is.
        content: all of it, ``id`` and ``kind`` among it: see docs/outputs.md.
        replaces: a newer message with the same text here takes the place of an older one that still waits.
        outputs: names of those that tell it; none: all that tell this kind.
    """

    id: str
    kind: Kind
    content: Mapping[str, Any]
    replaces: str | None = None
    outputs: tuple[str, ...] = field(default=())

    @property
    def channel(self) -> str:
        """The channel that it is about; empty where there is none."""
        return str(self.content.get("channel") or "")

    def as_json(self) -> str:
        """``content`` in one line."""
        return json.dumps(dict(self.content), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def message_of(told: Detection | Alert | ChannelState, made_at: datetime) -> Message:
    """The message that says it; ``made_at`` is when it was handed in, UTC."""
    if isinstance(told, Detection):
        return _message("detection", told.id, detection_as_told(told), made_at)
    if isinstance(told, Alert):
        return _message("alert", told.id, told.as_dict(), made_at, outputs=told.outputs)
    content = told.as_dict()
    identity = f"state-{told.channel}-{content['since']}-{told.condition.value}"
    return _message("state", identity, content, made_at, replaces=f"state {told.channel}")


def message_to_try(made_at: datetime) -> Message:
    """A message that says nothing, for a person who wants to see whether it arrives."""
    text = "This is a test: nothing was heard."
    return _message("test", f"test-{secrets.token_hex(8)}", {"text": text}, made_at)


def _message(
    kind: Kind,
    identity: str,
    content: Mapping[str, Any],
    made_at: datetime,
    *,
    replaces: str | None = None,
    outputs: tuple[str, ...] = (),
) -> Message:
    whole = {"id": identity, "kind": kind, "made_at": format_utc(made_at), **content}
    return Message(identity, kind, {**whole, "id": identity}, replaces, outputs)
