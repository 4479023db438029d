"""From results of windows to clips in store and catalog."""

from __future__ import annotations

import sqlite3
import threading
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from streamer.analyzer.keeping import keeper as keeper_module
from tests.clips.made import break_rule
from tests.streamer.analyzer.keeping.made import LEAVES, NOON_NS, PATHS, hear, run, sound, window
from tests.streamer.analyzer.keeping.site_under_test import running_site, seconds
from tests.support.parts import require_part
from tests.support.waiting import wait_for
from tidzam_platform.audio import read_audio
from tidzam_platform.clips import ClipMetadata, remove_rule
from tidzam_platform.clips.flac import read_flac_head
from tidzam_platform.settings import Settings


@pytest.fixture(autouse=True)
def _ffmpeg() -> None:
    require_part("ffmpeg")


def test_a_clip_is_the_sound_with_all_that_is_known_of_it(home: Settings) -> None:
    with running_site(home, {"classes": "birds", "length_s": 2, "destination": "night"}) as site:
        audio = site.sound(seconds=4, scores={"rain": 0.25})  # the window is from 1.5 to 2.5 s
        site.wait_kept(1)
        (clip,) = site.clips()
        with site.home.store.as_file(clip.store_key) as file:
            np.testing.assert_array_equal(read_audio(file)[0] * 32768, seconds(audio, 1, 3))
            inside = ClipMetadata.from_comments(read_flac_head(file.read_bytes()).comments)
        assert inside.start_utc_ns == NOON_NS + 101_000_000_000
        assert inside.window == (0.5, 1.5)
        assert inside.scores["rain"] == 0.25
        assert (clip.channel, clip.class_path, clip.score) == (
            "marsh:out_1",
            "birds-robin",
            pytest.approx(0.9),
        )
        assert (clip.start, clip.destination, clip.generation) == (inside.start, "night", 1)
        assert clip.group == "live/marsh/2026-04-01T12:00:00Z"
        (told,) = site.events("clip_kept")
        assert (told["id"], told["channel"], told["class_path"]) == (clip.id, "marsh:out_1", "birds-robin")
        counts = site.keeper.counts()
        assert (counts["kept"], counts["chosen"], counts["results"]) == (1, 1, 7)
        assert site.keeper.status()["rules"] == [{"id": clip.rule_id, "clips": 1}]
        assert site.keeper.status()["is_running"]


def test_the_same_recording_played_again_adds_nothing(home: Settings) -> None:
    with running_site(home, {"classes": "birds", "length_s": 2, "cooldown_s": 0}) as site:
        for _ in range(2):
            site._runs = 0
            site.sound()
            wait_for(lambda: not site.keeper.counts()["waiting"], "the clip waits no more")
        wait_for(lambda: site.keeper.counts()["known"] == 1, "the second one is known")
        assert len(site.clips()) == 1
        assert site.keeper.status()["rules"][0]["clips"] == 1


def test_a_voice_beside_it_keeps_a_clip_from_being_kept(home: Settings) -> None:
    forbid = {"classes": "human", "forbid": True, "channels": "marsh:out_1"}
    with running_site(home, {"classes": "birds,human", "length_s": 2}, forbid) as site:
        site.sound("human-speech")
        site.sound("birds-robin", scores={"human-speech": 0.4})
        site.sound()
        site.keeper.on_result(site.result(1, "human-speech"))  # the window beside comes last
        wait_for(lambda: "forbidden" in site.reasons(), "the clip is not kept")
        site.sound(channel=2)  # nothing is forbidden there
        site.sound()
        site.wait_kept(2)
        assert [clip.channel for clip in site.clips()] == ["marsh:out_1", "marsh:out_2"]
        assert site.reasons() == ["forbidden"]


def test_rules_are_followed_within_seconds(home: Settings) -> None:
    with running_site(home) as site:
        site.sound()
        rule_id = site.add_rule(classes="birds", length_s=2)
        wait_for(lambda: bool(site.keeper.status()["rules"]), "the rule is known", 5)
        assert site.clips() == ()
        site.sound()
        site.wait_kept(1)
        remove_rule(site.home.catalog, rule_id)
        wait_for(lambda: not site.keeper.status()["rules"], "the rule is gone", 5)
        site.sound()
        site.sound()
        wait_for(lambda: site.keeper.counts()["results"] == 28, "they are heard")
        assert site.keeper.counts()["chosen"] == 1


def test_a_rule_that_cannot_be_read_stops_no_other_and_is_told_once(
    home: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with running_site(home, {"classes": "birds", "length_s": 2, "cooldown_s": 0}) as site:
        later = break_rule(site.home.catalog, '{"classes": ["rain"], "colour": "red"}')
        wait_for(lambda: bool(site.keeper.status()["unreadable_rules"]), "it is known", 5)
        (told,) = site.keeper.status()["unreadable_rules"]
        assert (told["id"], f"rule remove {later}" in told["problem"]) == (later, True)
        site.add_rule(classes="frogs")  # they are read again
        wait_for(lambda: len(site.keeper.status()["rules"]) == 2, "others are followed", 5)
        site.sound()
        site.wait_kept(1)
        assert sum("cannot be read" in record.getMessage() for record in caplog.records) == 1
        assert site.keeper.status()["rules_problem"] == ""


def test_where_it_may_forbid_no_clip_is_kept_until_it_is_removed(home: Settings) -> None:
    with running_site(home, {"classes": "birds", "length_s": 2, "cooldown_s": 0}) as site:
        broken = break_rule(
            site.home.catalog, '{"forbid": true, "channels": ["marsh:out_1"], "colour": "red"}'
        )
        wait_for(lambda: bool(site.keeper.status()["unreadable_rules"]), "it is known", 5)
        site.sound()
        site.sound(channel=2)
        site.wait_kept(1)
        assert [clip.channel for clip in site.clips()] == ["marsh:out_2"]
        remove_rule(site.home.catalog, broken)
        wait_for(lambda: not site.keeper.status()["unreadable_rules"], "it is gone", 5)
        site.sound()
        site.wait_kept(2)


def test_a_class_that_becomes_forbidden_is_not_kept_from_then_on(home: Settings) -> None:
    with running_site(home, {"classes": "birds", "length_s": 2}) as site:
        site.keeper.on_result(window(0, "birds-robin"))  # waits for its audio
        wait_for(lambda: site.keeper.counts()["waiting"] == 1, "it waits")
        site.add_rule(classes="birds-robin", forbid=True)
        wait_for(lambda: len(site.keeper.status()["rules"]) == 2, "it is forbidden", 5)
        hear(site.history, sound(4))
        for number in range(7):
            site.keeper.on_result(window(number, "birds-robin"))
        wait_for(lambda: site.reasons() == ["forbidden"], "it is not kept")
        assert site.clips() == ()


def test_cut_sounds_and_near_duplicates_are_skipped_and_told(home: Settings) -> None:
    rules = (
        {"classes": "rain", "length_s": 2, "object_filter": True},
        {"classes": "birds", "length_s": 2, "distinct": 0.2, "cooldown_s": 0},
    )
    here = np.array([1, 0], np.float32)
    with running_site(home, *rules) as site:
        assert site.keeper.wants_embeddings
        site.sound("rain")  # noise from end to end
        wait_for(lambda: site.reasons() == ["cut_sound"], "it is skipped")
        site.sound(embedding=here)
        site.wait_kept(1)
        site.sound(embedding=here)
        wait_for(lambda: site.keeper.counts()["results"] == 21, "they are heard")
        site.sound(embedding=here[::-1].copy())
        site.wait_kept(2)
        assert len(site.clips()) == 2


@pytest.mark.parametrize("comes_first", ["result", "canary"])
def test_what_the_canary_hears_otherwise_is_kept(home: Settings, comes_first: str) -> None:
    with running_site(
        home, {"disagreement": True, "length_s": 2}, {"classes": "rain", "length_s": 2}
    ) as site:
        assert site.keeper.wants_disagreements
        start = run(later_s=100).time_zero + timedelta(seconds=1.5)
        if comes_first == "canary":
            site.keeper.on_disagreement("marsh:out_1", start, "birds-crow")
        site.sound()
        if comes_first == "result":
            wait_for(lambda: site.keeper.counts()["results"] == 7, "it is heard")
            site.keeper.on_disagreement("marsh:out_1", start, "birds-crow")
        site.wait_kept(1)
        (clip,) = site.clips()
        assert (clip.class_path, clip.origin["canary"]) == ("birds-robin", "birds-crow")


def test_a_catalog_that_does_not_answer_holds_nobody_up(home: Settings) -> None:
    with running_site(home, {"classes": "birds", "length_s": 2}) as site:
        other = sqlite3.connect(home.home / "catalog.db", isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")  # as a long import does
        try:
            site.sound()
            wait_for(
                lambda: site.keeper.counts()["queued"] == 0 and site.keeper.counts()["chosen"] == 1, "chosen"
            )
            began_s = time.monotonic()
            for number in range(2000):
                site.keeper.on_result(window(number, "rain"))
            assert time.monotonic() - began_s < 1
            wait_for(lambda: site.keeper.counts()["results"] == 2007, "all of them are looked at")
            assert site.clips() == ()
        finally:
            other.execute("ROLLBACK")
            other.close()
        site.wait_kept(1)


def test_while_the_store_is_away_clips_wait_in_the_spool(home: Settings) -> None:
    with running_site(home, {"classes": "birds", "length_s": 2}) as site:
        in_the_way = home.store_folder / "clips"
        in_the_way.write_text("in the way")
        site.sound()
        site.sound(channel=2)
        wait_for(lambda: site.keeper.counts()["spooled"] == 2, "they wait")
        assert "wait in" in site.keeper.status()["problem"]
        assert len(list((home.home / "spool" / "clips").glob("*.flac"))) == 2
        in_the_way.unlink()
        site.wait_kept(2)
        wait_for(lambda: site.keeper.status()["problem"] == "", "nothing is wrong any more")
        assert site.keeper.counts()["spooled"] == 0


def test_a_rule_for_which_there_is_no_memory_is_refused_and_the_others_hold(home: Settings) -> None:
    with running_site(home, history_mb=2) as site:
        hear(site.history, sound(0.1))  # a channel: 96 kB for each second
        small = site.add_rule(classes="birds", length_s=2)
        large = site.add_rule(classes="rain", length_s=60)
        also = site.add_rule(classes="human", length_s=3)
        wait_for(lambda: len(site.keeper.status()["rules"]) == 3, "they are known")
        told = {one["id"]: one.get("refused", "") for one in site.keeper.status()["rules"]}
        assert "clips.preroll_mb" in told[large]
        assert told[small] == told[also] == ""
        site.sound("rain", seconds=6)
        site.sound("birds-robin", seconds=4)
        site.wait_kept(1)
        assert site.keeper.counts()["chosen"] == 1
        assert site.history.memory_bytes <= 2_000_000


def test_results_that_are_too_many_are_dropped_and_counted(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.analyzer.keeping.keeper.MAX_INBOX", 100)
    with running_site(home, {"classes": "birds"}) as site:
        with site.keeper._arrived:  # nobody looks meanwhile
            threads = [
                threading.Thread(target=lambda: [site.keeper.on_result(window(n)) for n in range(100)])
                for _ in range(3)
            ]
            for thread in threads:
                thread.start()
            for _ in range(250):
                site.keeper.on_result(window(0, "rain"))
        for thread in threads:
            thread.join()
        wait_for(
            lambda: sum(site.keeper.counts()[name] for name in ("results", "dropped_results")) == 550,
            "counted",
        )
        assert site.keeper.counts()["dropped_results"] >= 150


def test_a_thousand_windows_a_second_cost_little(home: Settings) -> None:
    rules = [{"classes": path, "rate": "auto", "at_least": 50} for path in LEAVES]
    others = ({"classes": "human", "forbid": True}, {"uncertainty": 0.1, "rate": 0})
    with running_site(home, *rules, *others) as site:
        results = [window(number // 64, "unknown", 0.2, channel=1 + number % 64) for number in range(4000)]
        began_s = time.thread_time()
        for result in results:
            site.keeper._cutter.take(result)
        assert time.thread_time() - began_s < 1.0


def test_at_the_end_clips_that_have_their_audio_are_written(home: Settings) -> None:
    with running_site(home, {"classes": "birds", "length_s": 2, "cooldown_s": 0}) as site:
        for number in range(5):
            site.sound(channel=2 + number)
        site.keeper.on_result(window(0, "birds-robin"))  # its audio never comes
        wait_for(lambda: site.keeper.counts()["chosen"] == 6, "they are chosen")
        wait_for(lambda: site.keeper.counts()["waiting"] == 1, "one waits")
    assert site.keeper.counts()["kept"] == 5
    assert not list((home.home / "spool" / "clips").glob("*.flac"))


def test_a_rule_that_forbids_what_no_class_stands_for_keeps_all_clips_of_its_channels_away(
    home: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    forbid = {"classes": "voices", "forbid": True, "channels": "marsh:out_1"}
    with running_site(home, {"classes": "birds", "length_s": 2}, forbid) as site:
        site.keeper.on_thresholds(dict.fromkeys(PATHS, 0.5))
        wait_for(lambda: "problem" in site.keeper.status()["rules"][1], "it is said")
        assert "has no class voices" in site.keeper.status()["rules"][1]["problem"]
        assert "problem" not in site.keeper.status()["rules"][0]
        assert [record.levelname for record in caplog.records if "has no class voices" in record.message] == [
            "ERROR"
        ]
        site.sound()
        site.sound(channel=2)
        site.wait_kept(1)
        assert [clip.channel for clip in site.clips()] == ["marsh:out_2"]
        assert site.keeper.counts()["chosen"] == 1
        site.keeper.on_thresholds(dict.fromkeys((*PATHS, "voices"), 0.5))
        wait_for(lambda: "problem" not in site.keeper.status()["rules"][1], "a generation has it")


def test_a_window_or_a_clip_that_makes_a_fault_costs_no_other(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_site(home, {"classes": "birds", "length_s": 2, "cooldown_s": 0}) as site:
        site.keeper.on_result(replace(window(0), scores=None))  # type: ignore[arg-type]
        site.keeper.on_result(replace(window(0), answer=None))  # type: ignore[arg-type]
        wait_for(lambda: site.keeper.counts()["faults"] > 0, "it is counted")
        site.sound()
        site.wait_kept(1)
        audio, faults = site.history.audio, [ValueError("nobody foresaw this")]

        def faulty(*what: Any) -> Any:
            if faults:
                raise faults.pop()
            return audio(*what)

        monkeypatch.setattr(site.history, "audio", faulty)
        site.sound()
        wait_for(lambda: "fault" in site.reasons(), "it is given up")
        site.sound()
        site.wait_kept(2)
        assert site.keeper.status()["is_running"]


def test_rules_that_cannot_be_followed_keep_all_clips_away_until_they_can(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [ValueError("nobody foresaw this")]
    give = keeper_module.give_memory

    def faulty(*what: Any) -> dict[int, str]:
        if faults and len(what[1]) > 1:
            raise faults[0]
        return give(*what)

    monkeypatch.setattr(keeper_module, "give_memory", faulty)
    with running_site(home, {"classes": "birds", "length_s": 2}) as site:
        site.add_rule(classes="human", forbid=True)
        wait_for(lambda: site.keeper.counts()["faults"] > 1, "it is tried again and again")
        site.sound()
        wait_for(lambda: site.keeper.counts()["results"] == 7, "they are heard")
        assert site.keeper.counts()["chosen"] == 0
        faults.clear()
        wait_for(lambda: len(site.keeper.status()["rules"]) == 2, "it is followed")
        site.sound()
        site.wait_kept(1)
