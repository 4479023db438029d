"""The blocks of int64 words that compiled callbacks work on, and numpy arrays that hold them.

A block is made by Python and handed to a callback by its address. Whoever hands it over keeps it alive for as long as
the callback may run.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from streamer.engine.rings.layout import Words

# The head of a client's block: of what plays, and of what records.
C_CLIENT: Final = 0  # jack_client_t*, or the words of a clock
C_GET_BUFFER: Final = 1  # float *(port, uint32 frames)
C_FRAME_TIME: Final = 2  # uint32 (client): the first frame of this cycle
C_MICROSECONDS: Final = 3  # uint64 (client): the time by the system's clock
C_OFFSET: Final = 4  # jack frame of our counting minus extended frame of JACK's
C_EXTENDED: Final = 5  # JACK's 32-bit frame at the last cycle, extended to 64 bit
C_CALLS: Final = 6
C_FRAMES: Final = 7  # of the last cycle
C_HELD: Final = 8  # 1: what plays waits, silent, until all connections are made
C_HEAD: Final = 12

# What plays: up to P_COUNT addresses of players' blocks from P_TABLE on; 0 where there is none.
P_COUNT: Final = 12
P_TABLE: Final = 16

# A player: a ring and its ports.
PLAYER_RING: Final = 0
PLAYER_PORTS: Final = 1  # how many
# jack_port_t* of each port; behind them as many words for the addresses of their buffers.
PLAYER_HANDLES: Final = 2

# What records: one port a slot from R_HANDLES on; 0 where a slot is not bound.
R_RING: Final = 12
R_SLOTS: Final = 13
R_XRUNS_AT: Final = 14  # address of the word that counts xruns
R_HANDLES: Final = 16

# What the callback of a client that JACK has thrown out, or whose server has died, writes to.
L_LOST: Final = 0
L_EVENT: Final = 1  # an eventfd that wakes a thread of Python
L_ONE: Final = 2  # what is written there
L_WRITE: Final = 3  # write of the C library
L_STRNCPY: Final = 4
L_REASON: Final = 8  # text
L_REASON_BYTES: Final = 255
L_WORDS: Final = L_REASON + (L_REASON_BYTES + 1) // 8


class Block:
    """Words with an address."""

    def __init__(self, words: int) -> None:
        self.words: Words = np.zeros(words, np.int64)

    @property
    def address(self) -> int:
        """Valid while this object lives."""
        return int(self.words.ctypes.data)


def client_block(size: int) -> Block:
    """The block of a client that plays up to ``size`` rings."""
    block = Block(P_TABLE + size)
    block.words[P_COUNT] = size
    return block


def player_block(ring_address: int, handles: list[int]) -> Block:
    """A ring that plays into ports."""
    block = Block(PLAYER_HANDLES + 2 * len(handles))
    block.words[PLAYER_RING], block.words[PLAYER_PORTS] = ring_address, len(handles)
    block.words[PLAYER_HANDLES : PLAYER_HANDLES + len(handles)] = handles
    return block


def recorder_block(ring_address: int, slots: int, xruns_address: int) -> Block:
    """Channel rings that record from ports; no slot is bound yet."""
    block = Block(R_HANDLES + slots)
    words = block.words
    words[R_RING], words[R_SLOTS], words[R_XRUNS_AT] = ring_address, slots, xruns_address
    return block
