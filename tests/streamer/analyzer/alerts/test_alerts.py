"""Microphones that are dead, silent or clip: what is told, when, and that it is well again."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from streamer.analyzer.alerts import Alerts, Condition
from streamer.analyzer.alerts.measuring import soundness
from streamer.analyzer.core import Analyzer
from streamer.engine.reserved_names import LIVE_STREAMS
from tests.streamer.analyzer.alerts.made import NOON, Site, audio, detection, moment
from tests.support.waiting import wait_for
from tidzam_platform.analyzer_sections import OutputsSettings
from tidzam_platform.errors import RuleError
from tidzam_platform.settings import Settings

DEAD = '[[alert]]\nname = "mic"\nmicrophone = "dead"\nfor_s = 60\n'
CLIPS = '[[alert]]\nname = "loud"\nmicrophone = "clipping"\nfor_s = 10\n'
FOX = '[[alert]]\nname = "fox"\nclass = "mammals-fox"\n'


def test_windows_are_told_apart() -> None:
    sounds = soundness(np.stack([audio("sound"), audio("zeros"), audio("clipped")]))
    assert [one.is_zero for one in sounds] == [False, True, False]
    assert [one.clipped_share > 0.5 for one in sounds] == [False, False, True]
    one_click = np.zeros((1, 1000), np.float32)
    one_click[0, 5] = -1.0
    (click,) = soundness(one_click)
    assert (click.is_zero, click.clipped_share) == (False, 0.001)
    assert soundness(np.empty((0, 1000), np.float32)) == []


@pytest.mark.parametrize(
    ("fault", "said"), [("zeros", "nothing but zeros for 60 s"), (None, "nothing for 60 s")]
)
def test_a_dead_microphone_is_told_once_and_again_when_it_is_well(
    tmp_path: Path, fault: str | None, said: str
) -> None:
    site = Site(tmp_path, DEAD)
    site.pass_time(30, {1: "sound", 2: "sound"})
    others = {1: "sound"} | ({2: fault} if fault else {})
    site.pass_time(59, others)
    assert site.told == []
    site.pass_time(300, others)
    (dead,) = site.told
    assert (dead.about, dead.channel, dead.ended, dead.rule) == ("dead", "pen:out_2", False, "mic")
    assert said in dead.text
    site.pass_time(10, {1: "sound", 2: "sound"})
    assert [(one.channel, one.ended) for one in site.told[1:]] == [("pen:out_2", True)]
    assert site.told[1].text == "mic: pen:out_2 is well again"


def test_a_click_now_and_then_does_not_make_it_well(tmp_path: Path) -> None:
    site = Site(tmp_path, DEAD + "cooldown_s = 0\n")
    site.pass_time(1, {1: "sound"})
    for _ in range(10):
        site.pass_time(80, {1: "zeros"})
        site.pass_time(0.5, {1: "sound"})
    assert [one.ended for one in site.told] == [False]
    site.pass_time(8, {1: "sound"})
    assert [one.ended for one in site.told] == [False, True]


def test_one_that_comes_and_goes_is_told_once_in_a_cooldown(tmp_path: Path) -> None:
    site = Site(tmp_path, DEAD + "cooldown_s = 600\n")
    for _ in range(7):  # 700 s
        site.pass_time(20, {1: "sound"})
        site.pass_time(80)
    assert [one.ended for one in site.told] == [False, True, False]
    begins = [(one.at - NOON).total_seconds() for one in site.told if not one.ended]
    assert begins[1] - begins[0] >= 600


def test_what_is_expected_is_missed_though_it_never_came(tmp_path: Path) -> None:
    site = Site(tmp_path, DEAD)
    site.alerts.expect(["pen:out_3"])
    site.pass_time(61)
    assert [one.channel for one in site.told] == ["pen:out_3"]
    site.alerts.forget("pen:out_3")
    site.pass_time(100)
    assert len(site.told) == 1


def test_who_was_taken_away_on_purpose_is_not_missed(tmp_path: Path) -> None:
    site = Site(tmp_path, DEAD)
    site.pass_time(5, {1: "sound"})
    site.pass_time(5, {1: "sound"}, source=LIVE_STREAMS)  # browsers come and go
    site.alerts.forget("pen:out_1")
    site.pass_time(200)
    assert site.told == []
    assert site.alerts.conditions() == {}


def test_a_rule_looks_at_its_channels_alone(tmp_path: Path) -> None:
    site = Site(tmp_path, DEAD + 'channels = ["pen:out_2"]\noutputs = ["mail"]\n')
    site.pass_time(1, {1: "sound", 2: "sound"})
    site.pass_time(100)
    assert [(one.channel, one.outputs) for one in site.told] == [("pen:out_2", ("mail",))]


def test_clipping_must_last(tmp_path: Path) -> None:
    site = Site(tmp_path, CLIPS)
    for _ in range(10):
        site.pass_time(8, {1: "clipped"})
        site.pass_time(1, {1: "sound"})
    assert site.told == []
    site.pass_time(11, {1: "clipped"})
    (loud,) = site.told
    assert (loud.about, loud.channel) == ("clipping", "pen:out_1")
    assert "clips" in loud.text
    site.pass_time(20, {1: "sound"})
    assert [one.ended for one in site.told] == [False, True]


def test_a_microphone_that_dies_in_quiet_hours_is_told_after_them(tmp_path: Path) -> None:
    site = Site(tmp_path, DEAD + 'quiet = {times = "12:00-12:10"}\n')
    site.pass_time(1, {1: "sound"})
    site.pass_time(590)
    assert site.told == []
    site.pass_time(20)
    assert len(site.told) == 1


def test_conditions_are_told_when_they_change(tmp_path: Path) -> None:
    site = Site(tmp_path, silent_s=30)
    for sound, seconds in (("sound", 5), ("zeros", 40), ("sound", 5), ("clipped", 20), ("sound", 5)):
        site.pass_time(seconds, {1: sound})
    site.pass_time(40)
    found = [(state.condition, (state.since - NOON).total_seconds()) for state in site.states]
    assert [condition for condition, _ in found] == [
        Condition.HEARING,
        Condition.SILENT,
        Condition.HEARING,
        Condition.CLIPPING,
        Condition.HEARING,
        Condition.AWAY,
    ]
    assert [seconds for _, seconds in found] == pytest.approx([0.5, 35.5, 45.5, 60.5, 70.5, 105], abs=0.6)
    assert site.alerts.counts()["channels_silent"] == 1
    assert site.alerts.status()["unwell"] == {"pen:out_1": "away"}


def test_detections_are_told_and_counted(tmp_path: Path) -> None:
    site = Site(tmp_path, FOX + DEAD)
    for second in range(0, 1300, 10):
        site.alerts.detection(detection(second))
    assert [one.rule for one in site.told] == ["fox"] * 3
    assert site.alerts.counts()["alerts_total"] == {"fox": 3, "mic": 0}
    assert site.alerts.counts()["alerts_suppressed_total"] == 127
    assert site.alerts.status()["rules"][0] == {"name": "fox", "told": 3}


def test_without_a_file_there_are_no_rules(tmp_path: Path) -> None:
    alerts = Alerts(OutputsSettings(), tmp_path, lambda _: pytest.fail("nothing is an alert"))
    alerts.detection(detection(0))
    alerts.hear(moment({1: "zeros"}))
    assert alerts.rules == ()
    alerts.stop()


def test_rules_that_name_nobody_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "alerts.toml"
    file.write_text(FOX + 'outputs = ["nobody"]\n')
    with pytest.raises(RuleError, match="nobody"):
        Alerts(OutputsSettings(alerts_file=file), tmp_path, print, outputs=("mail",))


def test_the_analyzer_takes_no_rule_that_names_who_does_not_tell_alerts(tmp_path: Path) -> None:
    outputs, rules = tmp_path / "outputs.toml", tmp_path / "alerts.toml"
    hook = '[[output]]\nname = "{}"\nkind = "webhook"\nurl = "https://ops.example.org/"\n'
    off = hook.format("off") + "enabled = false\n"
    deaf = hook.format("deaf") + 'messages = ["detection"]\n'
    outputs.write_text(hook.format("ops") + off + deaf)
    settings = Settings(home=tmp_path / "home", outputs={"file": outputs, "alerts_file": rules})
    for name in ("off", "deaf"):
        rules.write_text(f'{FOX}outputs = ["{name}"]\n')
        with (
            pytest.raises(RuleError, match=f"'{name}'; outputs that are enabled and tell alerts: ops"),
            Analyzer(settings),
        ):
            pytest.fail("it began")


def test_rules_that_nobody_tells_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "alerts.toml"
    file.write_text(FOX)
    for outputs, is_warned in (((), True), (("mail",), False), (None, False)):
        caplog.clear()
        with Alerts(OutputsSettings(alerts_file=file), tmp_path, print, outputs=outputs):
            assert ("no output that is enabled tells alerts" in caplog.text) == is_warned
    caplog.clear()
    with Alerts(OutputsSettings(), tmp_path, print, outputs=()):
        assert caplog.text == ""


def test_one_that_is_forgotten_is_said_to_be_gone_once(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.pass_time(5, {1: "sound"})
    site.alerts.expect(["pen:out_2"])
    for _ in range(3):
        site.alerts.forget("pen:out_1")
        site.alerts.forget("pen:out_2")
        site.alerts.forget("never:out_1")
    site.pass_time(100)
    found = [(state.channel, state.condition) for state in site.states]
    gone = [("pen:out_1", Condition.GONE), ("pen:out_2", Condition.GONE)]
    assert found == [("pen:out_1", Condition.HEARING), *gone]
    site.pass_time(1, {1: "sound"})
    assert site.states[-1].condition == Condition.HEARING
    assert "gone" not in site.alerts.status()["unwell"].values()


def test_its_thread_looks_by_itself_and_keeps_what_was_told(tmp_path: Path) -> None:
    file = tmp_path / "alerts.toml"
    file.write_text('[[alert]]\nname = "mic"\nmicrophone = "dead"\nfor_s = 1\n')
    told: list[str] = []
    before = threading.active_count()
    with Alerts(OutputsSettings(alerts_file=file), tmp_path, lambda one: told.append(one.text)) as alerts:
        alerts.hear(moment({1: "sound"}))
        wait_for(lambda: bool(told), "the microphone is missed")
    assert "mic: pen:out_1 has given nothing" in told[0]
    assert "pen:out_1" in (tmp_path / "alerts.json").read_text()
    assert threading.active_count() == before
