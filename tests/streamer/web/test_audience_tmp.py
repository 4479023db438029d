"""Many clients at once, of whom some do not read: the others hear everything in time, and memory stays bounded."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

from tests.streamer.web.audience import Audience, paced
from tests.streamer.web.test_websocket import memory_bytes
from tests.streamer.web.web_process import WebProcess
from tests.support.fake_analyzer import FakeAnalyzer
from tests.support.fake_engine import FakeEngine
from tests.support.waiting import wait_for

MIB = 1 << 20
WINDOWS = 32  # a moment: the channels of one source
MOMENTS_PER_S = 16.0  # eight sources, each twice a second: 64 channels with windows of 1 s and hops of 0.5 s
CLASSES = 60


def moment(number: int) -> list[dict[str, Any]]:
    """Windows whose class says when they were told."""
    outputs = {f"class_{index}-and_one_below": 0.1234 for index in range(CLASSES)}
    return [
        {
            "chan": f"source_{number % 8}:out_{channel}",
            "time": f"2026-04-01T05:{number // 60 % 60:02d}:{number % 60:02d}.000Z",
            "result": [f"at_{time.monotonic_ns()}"],
            "outputs": outputs,
            "generation": 3,
            "level_dbfs": -31.5,
            "late": False,
        }
        for channel in range(1, WINDOWS + 1)
    ]


def counted(web: WebProcess, name: str) -> float:
    text = web.request("GET", "/metrics").body.decode()
    found = re.search(rf"^tidzam_web_{name} (\S+)$", text, re.MULTILINE)
    assert found is not None
    return float(found[1])


class Memory:
    """The most that a process holds while the context lasts; looked at ten times a second."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.before_bytes = self.most_bytes = memory_bytes(pid)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stopping.set()
        self._thread.join()

    @property
    def growth_mib(self) -> float:
        """Since it was made."""
        return (self.most_bytes - self.before_bytes) / MIB

    def _look(self) -> None:
        while not self._stopping.wait(0.1):
            self.most_bytes = max(self.most_bytes, memory_bytes(self._pid))


@pytest.mark.parametrize(("clients", "idle", "seconds"), [(200, 20, 20.0)])
def test_who_does_not_read_holds_up_nobody(own_home: Path, clients: int, idle: int, seconds: float) -> None:
    with (
        FakeEngine(own_home),
        FakeAnalyzer(own_home) as analyzer,
        WebProcess(own_home, max_connections=300) as web,
    ):
        analyzer.wait_followed()
        with Memory(web.pid) as memory, Audience(web, clients - idle, idle) as audience:
            assert counted(web, "socket_clients") == clients
            connected_mib = (memory_bytes(web.pid) - memory.before_bytes) / MIB
            told = 0
            for number in paced(MOMENTS_PER_S, seconds):
                analyzer.tell_windows(moment(number))
                told += WINDOWS
            wait_for(lambda: all(one.windows >= told for one in audience.listeners), "all is heard")
            left_out = counted(web, "left_out_messages_total")
            lost = counted(web, "lost_events_total")
        latencies_s = np.concatenate([one.latencies_s for one in audience.listeners])
        p50_s, p99_s = np.quantile(latencies_s, (0.5, 0.99))
        print(
            f"{clients} clients, {idle} idle, {told} windows each in {seconds:g} s, {len(latencies_s)} messages: "
            f"p50 {p50_s * 1000:.0f} ms, p99 {p99_s * 1000:.0f} ms, longest {latencies_s.max() * 1000:.0f} ms; "
            f"memory grew by {connected_mib:.0f} MiB with the clients, {memory.growth_mib:.0f} MiB at most; "
            f"{left_out:.0f} messages left out"
        )
        assert p99_s < 1
        assert memory.growth_mib < 100e6 / MIB
        for one in audience.listeners:
            assert (one.windows, one.ended) == (told, False)
            assert one.stamps == sorted(set(one.stamps)), "each once, in order"
        assert lost == 0
        assert left_out > 0, "those who do not read were left behind"
