"""Frame headers of MPEG audio (ISO 11172-3, 13818-3) and ADTS (ISO 13818-7): their only signature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

# Any two bytes in 2048 look like a frame header; two in a row at the right distance do not by chance.
_FRAMES_IN_A_ROW: Final = 2
_MPEG_1: Final = 3
_LAYER_1, _LAYER_2, _LAYER_3 = 3, 2, 1

_KBPS_1_1 = (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448)
_KBPS_1_2 = (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384)
_KBPS_1_3 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBPS_2_1 = (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256)
_KBPS_2_23 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES_HZ: Final = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_ADTS_RATES: Final = 13


def mp3_frame_bytes(head: bytes) -> int:
    """Length of the MPEG audio frame (any version and layer) that begins here, 0 if none does."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return 0
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bitrate, rate, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version not in _RATES_HZ or layer == 0 or rate == 3 or bitrate in (0, 15):
        return 0
    if version == _MPEG_1:
        kbps = {_LAYER_1: _KBPS_1_1, _LAYER_2: _KBPS_1_2, _LAYER_3: _KBPS_1_3}[layer][bitrate]
    else:
        kbps = (_KBPS_2_1 if layer == _LAYER_1 else _KBPS_2_23)[bitrate]
    rate_hz = _RATES_HZ[version][rate]
    if layer == _LAYER_1:
        return (12 * kbps * 1000 // rate_hz + padding) * 4
    half = layer == _LAYER_3 and version != _MPEG_1
    return (72 if half else 144) * kbps * 1000 // rate_hz + padding


def adts_frame_bytes(head: bytes) -> int:
    """Length of the ADTS frame that begins here, 0 if none does."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 15 >= _ADTS_RATES:
        return 0
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return length if length > 7 else 0


def begins_with_frames(head: bytes, frame_bytes: Callable[[bytes], int]) -> bool:
    """Whether ``head`` begins with frames in a row; one is enough if ``head`` ends with it."""
    position = 0
    for _ in range(_FRAMES_IN_A_ROW):
        length = frame_bytes(head[position : position + 7])
        if not length:
            return False
        position += length
        if position == len(head):
            return True
    return True
