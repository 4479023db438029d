"""``./tidzam analyze --jack``: which channels are meant, and what is said where there are none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from click.testing import CliRunner

from streamer.cli import live_analysis
from streamer.cli.analyze import analyze
from tests.streamer.analyzer.asking.made import StandIn
from tests.streamer.analyzer.hearing.small_engine import SmallEngine
from tidzam_platform.errors import InvalidNameError, SettingsError
from tidzam_platform.settings import Settings, load_settings


def test_a_source_means_all_of_its_channels() -> None:
    assert live_analysis.patterns_of("marsh, pond:out_1,l*:out_?,*") == [
        "marsh:out_*",
        "pond:out_1",
        "l*:out_?",
        "*",
    ]


@pytest.mark.parametrize("text", ["marsh,", "marsh:out_", "two words", "../x", "*a*a*a*a*a*", "marsh;rm"])
def test_what_describes_no_channel_is_refused(home: Settings, text: str) -> None:
    assert home.home.is_dir()
    with pytest.raises(InvalidNameError):
        CliRunner().invoke(analyze, ["--jack", text], catch_exceptions=False)


@pytest.mark.parametrize("pattern", ["marsh", "marsh:out_", "../x"])
def test_the_setting_takes_patterns_alone(
    home: Settings, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    monkeypatch.setenv("TIDZAM_ANALYZER__CHANNELS", f'["{pattern}"]')
    with pytest.raises(SettingsError, match="channel"):
        load_settings()
    monkeypatch.setenv("TIDZAM_ANALYZER__CHANNELS", '["marsh:**", "pond:out_1", "marsh:*"]')
    assert load_settings().analyzer.channels == ("marsh:*", "pond:out_1")
    assert home.analyzer.channels == ("*",)


@pytest.mark.parametrize("option", ["--generation", "--channel"])
def test_what_is_of_files_is_refused_beside_channels(home: Settings, option: str) -> None:
    assert home.home.is_dir()
    result = CliRunner().invoke(analyze, ["--jack", "marsh", option, "1"])
    assert result.exit_code == 2
    assert "with --stream also" in result.output


def test_with_nothing_to_hear_it_is_said_what_there_is(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def model(*_what: Any, **_how: Any) -> Iterator[StandIn]:
        yield StandIn()

    said: list[str] = []

    def say(text: str, **_how: Any) -> None:
        said.append(text)
        raise KeyboardInterrupt

    monkeypatch.setattr(live_analysis, "_model", model)
    monkeypatch.setattr(live_analysis, "_NOTHING_S", 0.2)
    monkeypatch.setattr(live_analysis.remarks, "print", say)
    with SmallEngine(home.home) as engine:
        for name in (None, "pond", "lake"):
            if name is not None:
                engine.add(name)
            with pytest.raises(KeyboardInterrupt):
                live_analysis.hear_channels(["marsh:*"], None, live_analysis.Display())
    assert "no channel matches marsh:*: the engine has no channels" in said[0]
    assert "there are pond:out_1" in said[1]
    assert "there are lake:out_1" in said[2]
