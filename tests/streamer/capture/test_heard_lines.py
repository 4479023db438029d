"""What is heard of a live stream is told in lines, not in objects of a program."""

from __future__ import annotations

from typing import Any

from streamer.capture import HeardLines


def window(time: str, result: list[str], outputs: dict[str, float]) -> dict[str, Any]:
    return {
        "chan": "tidzam-livestreams:out_1",
        "analysis": {"time": time, "result": result, "outputs": outputs},
    }


def test_a_line_says_what_is_heard_when_it_changes() -> None:
    heard = HeardLines()
    robin = ["birds-robin"]
    first = window("05:00:00", robin, {"birds-robin": 0.934, "rain": 0.1})
    assert list(heard.lines([first, window("05:00:01", robin, {"birds-robin": 0.8})])) == [
        "05:00:00  birds-robin  0.93"
    ]
    assert list(heard.lines([window("05:00:02", ["unknown"], {"rain": 0.1})])) == ["05:00:02  unknown"]
    assert list(heard.lines([window("05:00:03", robin, {})])) == ["05:00:03  birds-robin"]


def test_answers_and_what_makes_no_sense_are_no_lines() -> None:
    heard = HeardLines()
    for event in ({"sys": {"add_livestream": {}}, "portname": "x"}, None, "text", [5, {}, {"analysis": 3}]):
        assert list(heard.lines(event)) == []
