"""N times in M minutes, cooldowns and quiet hours, against a plain statement of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.analyzer.alerts import Alert, AlertRule
from streamer.analyzer.alerts.class_counts import ClassCounts
from streamer.analyzer.alerts.cooldowns import Cooldowns
from tests.streamer.analyzer.alerts.made import NOON, detection, rule
from tidzam_platform.detections.detection import Detection


def alerts_of(
    folder: Path, rules: Sequence[AlertRule], detections: Sequence[Detection], now: datetime = NOON
) -> list[Alert]:
    counts = ClassCounts(rules, Cooldowns(folder))
    return [alert for one in detections for alert in counts.take(one, now)]


def at(alerts: Sequence[Alert]) -> list[float]:
    return [(alert.at - NOON).total_seconds() for alert in alerts]


def test_the_third_within_ten_minutes_is_an_alert(tmp_path: Path) -> None:
    three = rule(times=3, within_s=600, cooldown_s=0)
    heard = [detection(second) for second in (0, 300, 601, 700, 5000, 5001, 5600)]
    (first, second) = alerts_of(tmp_path, [three], heard)
    assert at([first, second]) == [700, 5600]
    assert first.detections == tuple(one.id for one in heard[1:4])
    assert (first.channel, first.class_path, first.times, first.about) == (
        "pen:out_1",
        "mammals-fox",
        3,
        "class",
    )
    assert first.text == "fox: mammals-fox heard 3 times within 10 min on pen:out_1 (score 0.90)"


@given(
    gaps=st.lists(st.integers(0, 400), max_size=60),
    times=st.integers(1, 5),
    within_s=st.integers(1, 900),
    cooldown_s=st.integers(0, 900),
    channels=st.integers(1, 3),
    together=st.booleans(),
)
def test_counting_is_as_stated(
    tmp_path_factory: pytest.TempPathFactory,
    gaps: list[int],
    times: int,
    within_s: int,
    cooldown_s: int,
    channels: int,
    together: bool,
) -> None:
    """Per channel, or of all: N not yet used detections within M seconds, and no alert within the cooldown."""
    heard = []
    now_s = 0
    for number, gap in enumerate(gaps):
        now_s += gap
        heard.append(detection(now_s, number, channel=f"pen:out_{number % channels + 1}"))
    unused: dict[str, list[int]] = {}
    last: dict[str, int] = {}
    expected = []
    for one in heard:
        where = "" if together else one.channel
        second = int((one.start - NOON).total_seconds())
        unused.setdefault(where, []).append(second)
        newest = unused[where][-times:]
        if len(newest) < times or newest[-1] - newest[0] > within_s:
            continue
        unused[where] = []
        if where in last and second - last[where] < cooldown_s:
            continue
        expected.append((where, second))
        last[where] = second
    made = rule(times=times, within_s=within_s, cooldown_s=cooldown_s, together=together)
    folder = tmp_path_factory.getbasetemp() / "counts"
    found = alerts_of(folder, [made], heard)
    assert [(alert.channel, int(second)) for alert, second in zip(found, at(found), strict=True)] == expected


def test_the_same_detection_counts_once(tmp_path: Path) -> None:
    assert alerts_of(tmp_path, [rule(times=2)], [detection(0)] * 5) == []
    assert len(alerts_of(tmp_path, [rule(times=2)], [detection(0), detection(0), detection(1)])) == 1


def test_detections_that_come_late_count_at_their_own_time(tmp_path: Path) -> None:
    late = [detection(0), detection(3600), detection(60)]  # the second one was live, the third waited
    (alert,) = alerts_of(tmp_path, [rule(times=2, within_s=300)], late)
    assert alert.detections == (late[0].id, late[2].id)
    assert (alert.times, at([alert])) == (2, [60])
    assert len(alerts_of(tmp_path, [rule(times=2, within_s=300)], [*late, detection(120)])) == 1
    assert alerts_of(tmp_path, [rule(times=2, within_s=59)], late) == []
    assert (
        len(alerts_of(tmp_path, [rule(cooldown_s=600)], [detection(3600), detection(3300), detection(0)]))
        == 2
    )


def test_an_archive_among_live_channels_is_counted(tmp_path: Path) -> None:
    """Each time counts for itself, however their detections are mixed."""
    both = rule(times=3, within_s=60, cooldown_s=0, together=True)
    mixed = [
        detection(second + era, channel=channel)
        for second in (0, 10, 20)
        for era, channel in ((90_000, "pen:out_1"), (0, "archive:out_1"))
    ]
    alerts = alerts_of(tmp_path, [both], mixed)
    assert at(alerts) == [90_020, 20]
    assert [alert.detections for alert in alerts] == [
        tuple(one.id for one in mixed[::2]),
        tuple(one.id for one in mixed[1::2]),
    ]


@given(order=st.permutations(range(12)), times=st.integers(1, 4), within_s=st.integers(0, 40))
def test_in_any_order_no_alert_is_missed_nor_made_up(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], times: int, within_s: int
) -> None:
    seconds = [0, 1, 2, 30, 31, 70, 71, 72, 73, 100, 140, 141]
    heard = [detection(seconds[number], number) for number in order]
    begin = {one.id: one.start for one in heard}
    made = rule(times=times, within_s=within_s + 0.5, cooldown_s=0)
    alerts = alerts_of(tmp_path_factory.getbasetemp() / "orders", [made], heard)
    used = [identity for alert in alerts for identity in alert.detections]
    assert len(set(used)) == len(used) == times * len(alerts)
    for alert in alerts:
        starts = [begin[identity] for identity in alert.detections]
        assert starts == sorted(starts)
        assert (starts[-1] - starts[0]).total_seconds() <= made.within_s
    left = sorted(start for identity, start in begin.items() if identity not in used)
    for first, last in zip(left, left[times - 1 :], strict=False):
        assert (last - first).total_seconds() > made.within_s


def test_what_is_kept_is_bounded(tmp_path: Path) -> None:
    counts = ClassCounts([rule(times=2, within_s=1, cooldown_s=0)], Cooldowns(tmp_path))
    heard = [detection(10 * number, number) for number in range(200)]
    for one in heard:
        assert counts.take(one, NOON) == []
    assert counts.take(detection(0.5), NOON) == []  # its neighbour came long ago
    assert len(counts.take(detection(1990.5), NOON)) == 1


def test_what_fell_into_a_cooldown_or_quiet_hours_is_not_counted_later(tmp_path: Path) -> None:
    three = rule(times=3, within_s=600, cooldown_s=100, quiet={"times": "22:00-06:00", "zone": "UTC"})
    counts = ClassCounts([three], Cooldowns(tmp_path))
    night = NOON.replace(hour=23)
    told = [counts.take(detection(second), night) for second in (0, 1, 2)]
    assert (told, counts.suppressed) == ([[], [], []], 1)
    told = [counts.take(detection(second), NOON) for second in (3, 4, 5)]
    assert [len(alerts) for alerts in told] == [0, 0, 1]
    told = [counts.take(detection(second), NOON) for second in (6, 7, 8, 110, 111)]
    assert (told, counts.suppressed) == ([[]] * 5, 2)  # alerts, and not detections
    assert [one.times for one in counts.take(detection(112), NOON)] == [3]


def test_each_rule_counts_for_itself(tmp_path: Path) -> None:
    rules = [
        rule(name="one"),
        rule(name="mammals", **{"class": "mammals"}),
        rule(name="rain", **{"class": "rain"}),
    ]
    assert [one.rule for one in alerts_of(tmp_path, rules, [detection(0)])] == ["one", "mammals"]


def test_in_quiet_hours_nothing_is_told_and_afterwards_it_is(tmp_path: Path) -> None:
    quiet = rule(quiet={"times": "22:00-06:00", "zone": "Europe/Paris"})
    counts = ClassCounts([quiet], Cooldowns(tmp_path))
    night = datetime(2026, 4, 1, 3, 59, tzinfo=UTC)  # 05:59 in Paris
    assert counts.take(detection(0), night) == []
    assert counts.suppressed == 1
    assert len(counts.take(detection(1), night + timedelta(minutes=1))) == 1


def test_a_cooldown_outlives_a_restart(tmp_path: Path) -> None:
    cooldowns = Cooldowns(tmp_path)
    assert len(ClassCounts([rule()], cooldowns).take(detection(0), NOON)) == 1
    cooldowns.save()
    again = ClassCounts([rule()], Cooldowns(tmp_path))
    assert again.take(detection(599), NOON) == []
    assert len(again.take(detection(600), NOON)) == 1
    (tmp_path / "alerts.json").write_text("{damaged")
    assert len(ClassCounts([rule()], Cooldowns(tmp_path)).take(detection(1), NOON)) == 1


def test_the_same_alert_made_again_has_the_same_id(tmp_path: Path) -> None:
    (first,) = alerts_of(tmp_path / "a", [rule()], [detection(0)])
    (again,) = alerts_of(tmp_path / "b", [rule()], [detection(0)])
    (other,) = alerts_of(tmp_path / "c", [rule()], [detection(1)])
    assert first.id == again.id != other.id
    assert first.as_dict()["id"] == first.id


def test_alerts_that_differ_have_ids_that_differ(tmp_path: Path) -> None:
    """Two foxes at once in a rule without a cooldown are two alerts; so are a fox and a badger."""
    everything = rule(**{"class": "*", "cooldown_s": 0, "together": True})
    heard = [
        detection(0, 1),
        detection(0, 2, channel="pen:out_2"),
        detection(0, 3, class_path="mammals-badger"),
    ]
    alerts = alerts_of(tmp_path, [everything], heard)
    assert len({alert.id for alert in alerts}) == len(alerts) == 3
    (fox, _, _) = alerts
    assert replace(fox, class_path="mammals").id != fox.id != replace(fox, detections=("another",)).id
    bars = [replace(fox, rule="a", channel="b|c"), replace(fox, rule="a|b", channel="c")]
    assert bars[0].id != bars[1].id
