"""``./tidzam events`` against an analyzer's real socket."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streamer.cli.asking import why_nothing_is_heard
from streamer.cli.events import events
from tests.support.fake_analyzer import FakeAnalyzer, told_window
from tidzam_platform.settings import Settings


@pytest.fixture
def analyzer(home: Settings) -> Iterator[FakeAnalyzer]:
    with FakeAnalyzer(home.home) as analyzer:
        yield analyzer


def followed(analyzer: FakeAnalyzer, *arguments: str) -> Result:
    """The command, which is told of a window, of a loss, and of another window."""

    def tell() -> None:
        analyzer.wait_followed()
        analyzer.tell_windows([told_window()])
        analyzer.events.publish("lost", count=12)
        analyzer.tell_windows([told_window(after_s=1)])

    telling = threading.Thread(target=tell)
    telling.start()
    try:
        return CliRunner().invoke(
            events, ["--what", "windows", "--channel", "marsh:*", *arguments], catch_exceptions=False
        )
    finally:
        telling.join(30)


def test_that_events_were_lost_is_a_remark_and_does_not_count(analyzer: FakeAnalyzer) -> None:
    result = followed(analyzer, "--count", "2")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 2
    assert all("marsh:out_1" in line for line in result.stdout.splitlines())
    assert "12 events were lost" in result.stderr


def test_in_json_it_is_a_line_of_its_own(analyzer: FakeAnalyzer) -> None:
    result = followed(analyzer, "--count", "2", "--json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["event"] for line in lines] == ["window", "lost", "window"]
    assert lines[1]["count"] == 12
    assert "lost" not in result.stderr


def test_what_it_waits_for_is_a_remark(analyzer: FakeAnalyzer) -> None:
    analyzer.status = {"model": {"generation": None, "problem": "there is no generation to answer with"}}
    result = followed(analyzer, "--count", "2", "--json")
    assert "nothing is heard yet: there is no generation to answer with" in result.stderr
    assert len(result.stdout.splitlines()) == 3


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ({}, ""),
        ({"model": {"generation": 3, "problem": "it is slow"}, "hearing": {"engine": ""}}, ""),
        (
            {"model": {"generation": None, "problem": "none"}, "hearing": {"engine": "away"}},
            "engine: away; none",
        ),
    ],
)
def test_why_nothing_is_heard(status: dict[str, Any], why: str) -> None:
    assert why_nothing_is_heard(status) == why
