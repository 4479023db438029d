"""Packets out of pages (RFC 3533 section 5)."""

from __future__ import annotations

from tidzam_platform.audio.ogg.pages import Page


class PacketJoiner:
    """Gives the packets that end on a page, joined with what earlier pages held of them."""

    def __init__(self) -> None:
        self._open: bytes | None = None

    @property
    def is_open(self) -> bool:
        """Whether a packet has begun that has not ended."""
        return self._open is not None

    def lose(self) -> None:
        """Forget the packet that has begun: its rest is lost."""
        self._open = None

    def take(self, page: Page, *, drop_first: bool, keep_bytes: int) -> list[bytes]:
        """The packets that end on ``page``, of each the first ``keep_bytes`` at most.

        Args:
            page: the page that follows; if a packet is open, it must continue it.
            drop_first: the page begins with the rest of a packet whose beginning is lost.
            keep_bytes: bounds the memory; what is beyond is cut off.
        """
        lengths, unfinished = page.packet_lengths()
        position = 0
        if drop_first and lengths:
            position = lengths.pop(0)
            unfinished = unfinished and bool(lengths)
        if not lengths:
            return []
        body = page.body
        packets = []
        for length in lengths:
            packets.append(body[position : position + min(length, keep_bytes)])
            position += length
        if self._open is not None:
            packets[0] = (self._open + packets[0])[:keep_bytes]
        self._open = packets.pop() if unfinished else None
        return packets
