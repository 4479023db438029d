"""What people hear of a channel, in a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Final

from streamer.cli.mounts import SILENT_S
from tidzam_platform.audio.ffmpeg import Child
from tidzam_platform.audio.probing import probe
from tidzam_platform.errors import DecodingError, EmptyAudioError, FetchError
from tidzam_platform.files import remove_empty_partial_folder, whole_file

_READ_BYTES: Final = 1 << 14
_SHORT_S: Final = 0.1  # two packets of the longest kind: who has asked for 60 s need not be told of 59.96 s


@dataclass(frozen=True)
class ListenedFile:
    """What was written.

    Attributes:
        seconds: by the stream's own time.
        bytes: of the file.
        why_short: why it is shorter than was asked; empty if it is not.
        interrupt: Ctrl-C or SIGTERM, if that ended it.
    """

    seconds: float
    bytes: int
    why_short: str = ""
    interrupt: KeyboardInterrupt | None = None


def write_listened(stream: HTTPResponse, output: Path, seconds: float) -> ListenedFile:
    """Write the packets of an Ogg stream to ``output`` as they are, for ``seconds`` at most.

    However it ends, what was heard is kept: ``output`` is a whole Ogg file then, or as it was before where nothing
    was heard.

    Raises:
        FetchError: nothing was heard, or what came is no Ogg, or cannot be written.
        KeyboardInterrupt: nothing was heard before it.
    """
    source = _Source(stream)
    interrupt: KeyboardInterrupt | None = None
    try:
        with whole_file(output) as partial:
            with Child("ffmpeg", _copy(partial, seconds), feed=source.pieces(), stall_s=SILENT_S) as ffmpeg:
                try:
                    ffmpeg.read_all(1)  # until it ends: its output goes into the file
                except KeyboardInterrupt as stopped:
                    interrupt = stopped
                ffmpeg.finish()
            heard_s, size_bytes = probe(partial).seconds, partial.stat().st_size
    except (EmptyAudioError, DecodingError) as error:
        if interrupt is not None:
            raise interrupt from error
        because = "; ".join(filter(None, [source.why_ended, str(error)]))
        raise FetchError(f"nothing could be written to {output}: {because}") from error
    finally:
        remove_empty_partial_folder(output.parent)
    if interrupt is not None:
        return ListenedFile(heard_s, size_bytes, "it was interrupted", interrupt)
    if heard_s > seconds - _SHORT_S:
        return ListenedFile(heard_s, size_bytes)
    return ListenedFile(heard_s, size_bytes, source.why_ended or f"ffmpeg ended: {ffmpeg.complaint}")


class _Source:
    """The bytes of a stream, and why there are no more."""

    def __init__(self, stream: HTTPResponse) -> None:
        self._stream = stream
        self.why_ended = ""

    def pieces(self) -> Iterator[bytes]:
        try:
            while piece := self._stream.read1(_READ_BYTES):
                yield piece
        except TimeoutError:
            self.why_ended = f"nothing came for {SILENT_S:g} s"
        except (OSError, HTTPException) as error:
            self.why_ended = f"the connection to Icecast broke ({error})"
        else:
            self.why_ended = "Icecast ended the stream: the channel or the engine is gone"


def _copy(partial: Path, seconds: float) -> list[str]:
    """Arguments of ffmpeg. Each page goes to the disk when it is whole."""
    return [
        *("-hide_banner", "-loglevel", "error", "-protocol_whitelist", "pipe", "-f", "ogg", "-i", "pipe:0"),
        *("-t", str(seconds), "-c", "copy", "-f", "ogg", "-flush_packets", "1", f"file:{partial.absolute()}"),
    ]
