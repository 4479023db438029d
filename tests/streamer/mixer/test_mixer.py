"""The mixer as the engine uses it: by hand, by policy, over restarts."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from streamer.engine.mixer import Mixer
from tests.streamer.mixer.made import Clock, meters
from tidzam_platform.errors import EngineError, InvalidNameError, SettingsError
from tidzam_platform.streamer_sections import MixerSettings

ONE, TWO = "marsh:out_1", "marsh:out_2"
HUM = '[[rule]]\nname = "hum"\nmeasure = "hum"\nabove = 0.5\nfor_s = 0\nhold_s = 0\nrelease_s = 0\nmute = true\n'
DC = np.full(4800, 0.5, np.float32)


def _mixer(home: Path, rules: str = "", clock: Clock | None = None) -> Mixer:
    file = None
    if rules:
        file = home / "rules.toml"
        file.write_text(rules)
    return Mixer(MixerSettings(policy_file=file), home, clock=clock or Clock())


def _level(mixer: Mixer, channel: str) -> float:
    """What a listener hears of a constant 0.5, once the ramp is over."""
    return float(mixer.apply(channel, DC)[-1])


def test_a_channel_that_nobody_touched_passes(tmp_path: Path) -> None:
    assert (_mixer(tmp_path).apply(ONE, DC) == DC).all()


def test_gain_and_mute_act_on_their_channel_alone(tmp_path: Path) -> None:
    mixer = _mixer(tmp_path)
    mixer.set(ONE, gain_db=-20, by="ann")
    mixer.set(TWO, mute=True, by="ann")
    assert _level(mixer, ONE) == pytest.approx(0.05)
    assert _level(mixer, TWO) == 0
    assert _level(mixer, "marsh:out_3") == 0.5
    mixer.set(TWO, mute=False, by="ann")
    assert _level(mixer, TWO) == 0.5


def test_a_change_while_somebody_listens_is_smooth_for_each_listener(tmp_path: Path) -> None:
    mixer = _mixer(tmp_path)
    first, second = mixer.stage(ONE), mixer.stage(ONE)
    first.process(DC)
    mixer.set(ONE, mute=True, by="ann")
    out = first.process(DC)
    assert (np.diff(out[:960]) < 0).all()
    assert 0.49 < out[0] < 0.5
    assert 0.49 < second.process(DC)[0] < 0.5
    assert not mixer.stage(ONE).process(DC).any()  # who comes later hears nothing of it


def test_solo_silences_all_others_and_its_end_brings_them_back(tmp_path: Path) -> None:
    mixer = _mixer(tmp_path)
    mixer.set(TWO, gain_db=-20, by="ann")
    mixer.set(ONE, solo=True, by="ann")
    assert (_level(mixer, ONE), _level(mixer, TWO), _level(mixer, "new:out_1")) == (0.5, 0, 0)
    assert not mixer.channel(TWO).heard
    mixer.set(TWO, solo=True, by="ann")
    assert _level(mixer, TWO) == pytest.approx(0.05)
    mixer.release(ONE, by="ann")
    mixer.set(TWO, solo=False, by="ann")
    assert (_level(mixer, ONE), _level(mixer, TWO)) == (0.5, pytest.approx(0.05))
    assert mixer.status()["solo"] == []


@pytest.mark.parametrize("gain_db", [-61, 25, float("nan"), float("inf")])
def test_a_gain_out_of_range_is_refused_and_changes_nothing(tmp_path: Path, gain_db: float) -> None:
    mixer = _mixer(tmp_path)
    with pytest.raises(EngineError, match="between -60 and 24 dB"):
        mixer.set(ONE, gain_db=gain_db, by="ann")
    with pytest.raises(InvalidNameError):
        mixer.set("../etc", mute=True, by="ann")
    assert mixer.status()["channels"] == {}
    assert not (tmp_path / "mixer.json").exists()


def test_the_policy_mutes_and_releases_and_says_why(tmp_path: Path) -> None:
    mixer = _mixer(tmp_path, HUM)
    assert [change.acts for change in mixer.observe(ONE, meters(hum=0.9))] == [True]
    assert _level(mixer, ONE) == 0
    assert mixer.channel(ONE).rules == ("hum",)
    mixer.observe(ONE, meters(hum=0.0))
    assert _level(mixer, ONE) == 0.5
    on, off = mixer.audit.tail(10)
    assert (on["channel"], on["what"], on["to"], on["by"]) == (ONE, "mute", True, "rule hum")
    assert "hum is 0.9, above 0.5" in on["reason"]
    assert "below 0.4" in off["reason"]


def test_what_a_person_set_wins_until_it_is_released(tmp_path: Path) -> None:
    mixer = _mixer(tmp_path, HUM)
    mixer.set(ONE, mute=False, by="ann")
    mixer.observe(ONE, meters(hum=0.9))
    assert _level(mixer, ONE) == 0.5
    assert mixer.channel(ONE).rules == ("hum",)  # it is seen all the same
    assert mixer.audit.tail(1)[0]["overridden"] is True
    mixer.release(ONE, by="ben")
    assert _level(mixer, ONE) == 0
    entry = mixer.audit.tail(1)[0]
    assert (entry["from"], entry["to"], entry["by"], entry["reason"]) == (False, None, "ben", "released")


def test_gain_by_hand_leaves_the_mute_to_the_policy(tmp_path: Path) -> None:
    mixer = _mixer(tmp_path, HUM)
    mixer.set(ONE, gain_db=6, by="ann")
    mixer.observe(ONE, meters(hum=0.9))
    assert _level(mixer, ONE) == 0


def test_all_of_it_survives_a_restart(tmp_path: Path) -> None:
    clock = Clock()
    mixer = _mixer(tmp_path, HUM, clock)
    mixer.set(ONE, gain_db=-20, by="ann")
    mixer.set(TWO, mute=True, by="ann")
    clock.now_s += 2
    mixer.observe("lake:out_1", meters(hum=0.9))
    again = _mixer(tmp_path, HUM)
    assert _level(again, ONE) == pytest.approx(0.05)
    assert _level(again, TWO) == 0
    assert _level(again, "lake:out_1") == 0
    assert again.channel(ONE).by == "ann"
    assert again.status()["channels"].keys() == {ONE, TWO, "lake:out_1"}


def test_rules_that_are_gone_act_no_more_after_a_restart(tmp_path: Path) -> None:
    mixer = _mixer(tmp_path, HUM)
    mixer.observe(ONE, meters(hum=0.9))
    mixer.close()
    assert json.loads((tmp_path / "mixer.json").read_bytes())["acting"] == {ONE: ["hum"]}
    assert _level(_mixer(tmp_path), ONE) == 0.5


@pytest.mark.parametrize(
    "data", [b"", b"{", b'{"version": 9}', b'{"version": 1, "manual": {"x": {}}}', b"\xff\xfe"]
)
def test_a_damaged_state_is_put_aside_and_said(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "mixer.json").write_bytes(data)
    mixer = _mixer(tmp_path)
    assert _level(mixer, ONE) == 0.5
    assert "is damaged" in mixer.status()["problem"]
    assert "is damaged" in mixer.audit.tail(1)[0]["reason"]
    (aside,) = tmp_path.glob("mixer.json.damaged-*")
    assert aside.read_bytes() == data


def test_a_home_that_cannot_be_written_to_mutes_all_the_same(tmp_path: Path) -> None:
    mixer = _mixer(tmp_path)
    (tmp_path / "mixer.json").mkdir()
    mixer.set(ONE, mute=True, by="ann")
    assert _level(mixer, ONE) == 0
    assert mixer.counts()["save_failures"] == 1
    assert "not kept" in mixer.status()["problem"]


def test_a_policy_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        _mixer(tmp_path, "[[rule]]\nname = 3")


def test_threads_may_set_and_listen_at_once(tmp_path: Path) -> None:
    mixer = _mixer(tmp_path, HUM)
    done = threading.Event()

    def change() -> None:
        for number in range(30):
            mixer.set(ONE, mute=bool(number % 2), solo=bool(number % 3), by="ann")
            mixer.observe(TWO, meters(hum=float(number % 2)))
        done.set()

    stage = mixer.stage(ONE)
    level = float(stage.process(DC[:480])[-1])  # it begins with what holds then
    thread = threading.Thread(target=change)
    thread.start()
    while not done.is_set():
        out = stage.process(DC[:480])
        assert abs(float(out[0]) - level) < 0.01
        level = float(out[-1])
    thread.join()
    assert mixer.counts()["manual_changes"] == 60
