"""What failed is tried again later each time, never at once and never after an age."""

from __future__ import annotations

from serving.server.back_off import FIRST_DELAY_S, MAX_DELAY_S, BackOff


def test_waits_double_up_to_a_limit_and_differ_between_servers():
    now_s = 100.0
    back_off, other = BackOff(lambda: now_s), BackOff(lambda: now_s)
    expected_s = FIRST_DELAY_S
    waits = []
    for _ in range(12):
        wait_s = back_off.failed()
        waits.append((wait_s, other.failed()))
        assert 0.8 * expected_s <= wait_s <= 1.2 * expected_s
        assert not back_off.is_due()
        now_s += wait_s
        assert back_off.is_due()
        expected_s = min(2 * expected_s, MAX_DELAY_S)
    assert any(mine != theirs for mine, theirs in waits)
