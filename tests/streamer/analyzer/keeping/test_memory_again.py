"""A rule that was refused for want of memory gets it when channels have gone."""

from __future__ import annotations

import pytest

from streamer.analyzer.keeping import keeper as keeper_module
from tests.streamer.analyzer.keeping.made import hear, sound
from tests.streamer.analyzer.keeping.site_under_test import running_site
from tests.support.parts import require_part
from tests.support.waiting import wait_for
from tidzam_platform.settings import Settings


def test_a_refused_rule_holds_as_soon_as_there_is_memory(
    home: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    require_part("ffmpeg")
    monkeypatch.setattr(keeper_module, "MEMORY_S", 0.05)
    with running_site(home, history_mb=2) as site:
        for channel in (1, 2, 3):
            hear(site.history, sound(0.1), channel=channel)
        number = site.add_rule(classes="birds", length_s=5)
        wait_for(lambda: len(site.keeper.status()["rules"]) == 1, "it is known")
        assert "clips.preroll_mb" in site.keeper.status()["rules"][0]["refused"]
        asked_before = caplog.text.count(f"rule {number} keeps nothing")
        assert asked_before == 1
        site.history.leave("marsh", (2, 3))
        wait_for(lambda: "refused" not in site.keeper.status()["rules"][0], "there is memory now")
        assert caplog.text.count(f"rule {number} keeps nothing") == 1, "it is said once"
        site.sound(seconds=6)
        site.wait_kept(1)
