"""The counting reader of ``./tidzam bench stream``, a process of its own: it knows the rings and nothing else.

Standard input has lines: ``from <ring frame>`` begins, ``until <ring frame>`` ends. Standard output gets ``ready``,
and at the end one JSON object, the tally.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any, Final

from streamer.engine.benchmarks.proof import Proof, Tally
from streamer.engine.benchmarks.tones import tones
from streamer.engine.rings import ChannelRings, Directory, SourceRing
from tidzam_platform.errors import EngineUnavailableError

_ROUND_S: Final = 0.1


def main() -> None:
    """See the module."""
    directory = Directory.open(Path(sys.argv[1]))
    document = directory.read()
    folder = directory.path.parent
    rings = ChannelRings.open(folder / document["channel_rings"])
    sources = [
        (
            SourceRing.open(folder / source["file"]),
            [entry["slot"] for entry in document["slots"] if entry["source"] == name],
        )
        for name, source in document["sources"].items()
    ]
    every = tones(0, len(document["slots"]))
    print("ready", flush=True)  # noqa: T201 - the engine waits for it
    begin = _frame("from", sys.stdin.readline())
    proofs = [Proof(rings, ring, slots, slots[0], every, begin) for ring, slots in sources]
    ending = _Ending()
    waited = threading.Event()
    while (until := ending.frame) is None or min(proof.next_frame for proof in proofs) < until:
        for proof in proofs:
            proof.read(until if until is not None else rings.written_frames)
        waited.wait(_ROUND_S)
    total = Tally()
    for proof in proofs:
        for name, frames in proof.tally.as_dict().items():
            setattr(total, name, getattr(total, name) + frames)
    times = os.times()
    answer: dict[str, Any] = {**total.as_dict(), "cpu_s": times.user + times.system}
    print(json.dumps(answer), flush=True)  # noqa: T201 - the answer


class _Ending:
    """Waits for the line that says where to end."""

    def __init__(self) -> None:
        self.frame: int | None = None
        threading.Thread(target=self._wait, daemon=True).start()

    def _wait(self) -> None:
        line = sys.stdin.readline()
        if not line:  # the engine has died
            os._exit(1)
        self.frame = _frame("until", line)


def _frame(word: str, line: str) -> int:
    found, _, number = line.strip().partition(" ")
    if found != word:
        raise EngineUnavailableError(f"the engine said {line!r} instead of {word} and a frame")
    return int(number)


if __name__ == "__main__":
    main()
