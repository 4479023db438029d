"""Sound cards: of ALSA by ffmpeg, of JACK by connecting the ports that are there already."""

from __future__ import annotations

from typing import Final

from streamer.engine.graph.interface import PortKind
from streamer.engine.sources.attempt import Attempt
from streamer.engine.sources.channel_map import chosen_ports
from streamer.engine.sources.decoder import StreamDecoder
from streamer.engine.sources.devices import AlsaDevice, JackPorts
from streamer.engine.sources.feeding import play_live
from tidzam_platform.errors import AudioGraphError, DecodingError

_CAPTURE: Final = "system:capture_"
# ALSA's own files and plugins for sound servers look there.
_ENVIRONMENT: Final = ("HOME", "XDG_RUNTIME_DIR")
_LOOK_S: Final = 1.0


class AlsaFeed:
    """A capture device of ALSA. See ``attempt.Feed``."""

    def __init__(self, device: AlsaDevice) -> None:
        self._device = device

    def run(self, attempt: Attempt) -> str:
        """See ``attempt.Feed``."""
        channels = attempt.specification.nb_channels
        arguments = [
            *(
                "-protocol_whitelist",
                "pipe",
                "-thread_queue_size",
                "512",
                "-f",
                "alsa",
                "-sample_rate",
                "48000",
            ),
            *(() if channels is None else ("-channels", str(channels))),
            *("-i", self._device.name),
        ]
        with (
            attempt.child() as cancellation,
            StreamDecoder(arguments, cancellation, environment=_ENVIRONMENT) as decoder,
        ):
            attempt.memory.details = {"device": self._device.name, "decoder_pid": decoder.pid}
            try:
                play_live(attempt, decoder, can_wait=False)
            except DecodingError as error:
                raise DecodingError(
                    f"{self._device.name} gives no audio: {error}; `arecord -l` lists sound cards"
                ) from error


class JackFeed:
    """Ports that are in the graph already: nothing is fed, their names are told and looked after."""

    def __init__(self, device: JackPorts) -> None:
        self._device = device

    def run(self, attempt: Attempt) -> str:
        """See ``attempt.Feed``."""
        ports = self._found(attempt)
        attempt.memory.foreign_ports = ports
        attempt.gives_samples()
        attempt.context.tell_ports(attempt.specification, ports)
        try:
            while attempt.wait(_LOOK_S):
                if self._found(attempt) != ports:
                    raise AudioGraphError("the ports of the sound card have changed")
        finally:
            attempt.memory.foreign_ports = ()
            attempt.context.tell_ports(attempt.specification, ())
        attempt.cancellation.require_going()
        return "it was ended"

    def _found(self, attempt: Attempt) -> tuple[str, ...]:
        graph = attempt.context.graph
        there = graph.ports(PortKind.OUTPUT)
        wanted = self._device.ports or tuple(
            sorted((port for port in there if port.startswith(_CAPTURE)), key=_number)
        )
        absent = [port for port in wanted if port not in there]
        if absent or not wanted:
            named = ", ".join(absent) or f"{_CAPTURE}1"
            raise AudioGraphError(
                f'the audio graph has no port {named}: start JACK with a sound card (graph.driver = "alsa"), '
                "or mend `device`"
            )
        return chosen_ports(attempt.specification, wanted)


def _number(port: str) -> tuple[int, str]:
    digits = port.removeprefix(_CAPTURE)
    return (int(digits) if digits.isdecimal() else 0), port
