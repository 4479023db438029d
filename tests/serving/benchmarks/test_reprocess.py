"""The bench measures a whole reprocessing: every recording heard, all figures there."""

from __future__ import annotations

import pytest

from serving.benchmarks.reprocess import measure_reprocessing
from tests.support.parts import require_part


@pytest.mark.long
def test_a_small_archive_is_measured() -> None:
    require_part("ffmpeg")
    figures = measure_reprocessing(channel_hours=0.8, rounds=1, processes=1)
    assert (figures["recordings"], figures["channels"]) == (4, 4)
    assert figures["channel_hours"] == pytest.approx(0.8, rel=0.01)
    assert figures["detections"] > 0
    assert figures["cpu_s"] > figures["decode_only_cpu_s"] > 0
    assert figures["ratio_to_decode_only"] == pytest.approx(figures["cpu_s"] / figures["decode_only_cpu_s"])
    assert figures["ratio_to_user_loop"] > 1
    assert abs(figures["memory_slope"]) < 200  # MB a channel-hour, of a quarter of an hour: noise
