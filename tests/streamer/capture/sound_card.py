"""Sound cards for machines without one: ffmpeg with a tone where ALSA would be, and with a card's faults."""

from __future__ import annotations

import os
from pathlib import Path

from tidzam_platform.audio.ffmpeg import program

CARD_HZ = 440


def path_with_card(folder: Path, *, seconds: float = 600, complaint_bytes: int = 0, then: str = "") -> str:
    """A value of PATH on which ffmpeg hears a tone, whichever device it is asked for.

    Args:
        folder: where the program is put.
        seconds: after so long the card is pulled out; ffmpeg calls that a good end.
        complaint_bytes: what it writes on standard error before anything else.
        then: what it does after that, in the shell's language, instead of ending.
    """
    tone = f"-f lavfi -i sine=frequency={CARD_HZ}:sample_rate=48000:duration={seconds}"
    hear = f'{program("ffmpeg")} -hide_banner -loglevel error -nostdin -re {tone} "$@"'
    lines = [
        "#!/bin/sh",
        f"head -c {complaint_bytes} /dev/zero | tr '\\0' x >&2",
        'while [ "$1" != -i ]; do shift; done',
        "shift 2",
        f"{hear}\n{then}" if then else f"exec {hear}",
    ]
    folder.mkdir(exist_ok=True)
    card = folder / "ffmpeg"
    card.write_text("\n".join(lines) + "\n")
    card.chmod(0o700)
    return f"{folder}:{os.environ['PATH']}"
