"""Names of sound cards: ALSA devices, and capture ports of JACK."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

# ALSA has plugins that open files or start programs: only names of hardware are let through.
_ALSA: Final = re.compile(
    r"(?:default|null|pulse|pipewire|(?:hw|plughw|dsnoop|sysdefault|front)(?::[A-Za-z0-9_]+(?:[=,][A-Za-z0-9_]+)*)?)"
)
_JACK_PORT: Final = re.compile(r"[A-Za-z0-9 ._()-]+:[A-Za-z0-9 ._()/-]+")
_JACK: Final = "jack:"
_SYSTEM: Final = "system"


@dataclass(frozen=True)
class AlsaDevice:
    """An ALSA capture device, e.g. ``hw:1,0``."""

    name: str


@dataclass(frozen=True)
class JackPorts:
    """Ports of the JACK graph that already carry sound; none named means all of JACK's own capture ports."""

    ports: tuple[str, ...]


Device = AlsaDevice | JackPorts


def parse_device(text: str) -> Device:
    """Read ``alsa:hw:1,0`` (or ``hw:1,0``), ``jack:system``, or ``jack:system:capture_1,system:capture_3``.

    Raises:
        ValueError: it is none of these.
    """
    if text.startswith(_JACK):
        named = text.removeprefix(_JACK)
        if named in ("", _SYSTEM):
            return JackPorts(())
        ports = tuple(part.strip() for part in named.split(","))
        for port in ports:
            if not _JACK_PORT.fullmatch(port):
                raise ValueError(
                    f"{port!r} is no port of JACK: write jack:system:capture_1, or jack:system for all"
                )
        if len(set(ports)) < len(ports):
            raise ValueError("a port of JACK is named twice")
        return JackPorts(ports)
    name = text.removeprefix("alsa:")
    if not _ALSA.fullmatch(name):
        raise ValueError(
            f"{text!r} is no sound card: write alsa:hw:1,0 or alsa:default (`arecord -L` lists them), or jack:system"
        )
    return AlsaDevice(name)
