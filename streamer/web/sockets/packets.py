"""Socket.IO packets, refused where they are no well-formed ones, and bounded in their parts."""

from __future__ import annotations

from typing import Any, Final

from socketio import packet

MAX_ATTACHMENTS: Final = 4  # binary parts of one packet: audio has one
_RESERVED: Final = ("connect", "disconnect")  # what only the protocol itself may say
_EVENTS: Final = (packet.EVENT, packet.BINARY_EVENT)


class StrictPacket(packet.Packet):  # type: ignore[misc]
    """A packet; making one from what a client sent raises ValueError where python-socketio would go on."""

    packet_type: int
    data: Any

    def decode(self, encoded_packet: Any) -> int:
        """Read one; returns how many binary parts follow it."""
        if not isinstance(encoded_packet, str):
            raise ValueError("binary data that no event announced")  # noqa: TRY004 - what all refusals are here
        attachments = int(super().decode(encoded_packet) or 0)
        is_binary = self.packet_type in (packet.BINARY_EVENT, packet.BINARY_ACK)
        if not (1 <= attachments <= MAX_ATTACHMENTS if is_binary else attachments == 0):
            raise ValueError(f"{attachments} binary parts")
        if self.packet_type in _EVENTS and not _is_event(self.data):
            raise ValueError("no event with a name of its own")
        return attachments


def _is_event(data: Any) -> bool:
    return isinstance(data, list) and bool(data) and isinstance(data[0], str) and data[0] not in _RESERVED
