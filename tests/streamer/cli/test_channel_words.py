"""What the table of channels says that the mixer does."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.cli.channel_words import mixer_words

NOTHING: dict[str, Any] = {"muted": False, "solo": False, "gain_db": 0.0, "by": "", "heard": True}


@pytest.mark.parametrize(
    ("channel", "solo", "said"),
    [
        ({}, [], ""),
        ({"gain_db": -6.0, "by": "ann"}, [], "-6.0 dB, by ann"),
        ({"muted": True, "heard": False, "by": "hum"}, [], "muted, by hum"),
        ({"solo": True, "by": "ann"}, ["pond:out_1"], "solo, by ann"),
        ({"heard": False}, ["pond:out_2"], "not heard: pond:out_2 is solo"),
        ({"heard": False}, ["a:out_1", "b:out_1", "c:out_1"], "not heard: a:out_1 and 2 more are solo"),
        ({"heard": False}, [], "not heard: another is solo"),
        ({"heard": False, "muted": True}, ["a:out_1"], "muted; not heard: a:out_1 is solo"),
        ({"heard": False, "muted": True, "solo": True}, ["a:out_1", "pond:out_1"], "muted, solo"),
    ],
)
def test_what_the_mixer_does_to_a_channel(channel: dict[str, Any], solo: list[str], said: str) -> None:
    assert mixer_words({**NOTHING, **channel}, solo) == said
