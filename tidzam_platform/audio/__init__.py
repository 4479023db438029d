"""Audio: what a file holds, decoding and encoding, windows, levels, names of archive files.

Audio in memory is float32 ``[channels, frames]`` in [-1, 1]; its rate travels with it in Hz.
"""

from tidzam_platform.audio.audio_info import AudioInfo, holes_in_frames
from tidzam_platform.audio.blocks import Block
from tidzam_platform.audio.decoding import decode_blocks, decode_interleaved, read_audio
from tidzam_platform.audio.encoding import write_audio
from tidzam_platform.audio.levels import rms_dbfs
from tidzam_platform.audio.probing import probe
from tidzam_platform.audio.windows import Window, cut_windows

__all__ = [
    "AudioInfo",
    "Block",
    "Window",
    "cut_windows",
    "decode_blocks",
    "decode_interleaved",
    "holes_in_frames",
    "probe",
    "read_audio",
    "rms_dbfs",
    "write_audio",
]
