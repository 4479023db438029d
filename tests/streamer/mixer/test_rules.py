"""Rules of the policy, as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.engine.mixer.rules import load_rules
from tidzam_platform.errors import SettingsError

HUM = """
[[rule]]
name = "mains hum"
channels = ["marsh:out_*"]
measure = "hum"
above = 0.5
gain_db = -20
"""


def _file(folder: Path, text: str) -> Path:
    path = folder / "rules.toml"
    path.write_text(text)
    return path


def test_a_rule_says_when_what_and_where(tmp_path: Path) -> None:
    text = (
        HUM
        + '[[rule]]\nname = "people"\nmeasure = "class"\nclass = "human-speech"\nabove = 0.7\nmute = true\n'
    )
    hum, people = load_rules(_file(tmp_path, text))
    assert (hum.measure, hum.above, hum.below, hum.gain_db, hum.mute) == (
        "hum",
        0.5,
        pytest.approx(0.4),
        -20,
        False,
    )
    assert hum.concerns("marsh:out_12")
    assert not hum.concerns("marsh2:out_1")
    assert people.class_path == "human-speech"
    assert people.concerns("anything:out_1")
    assert people.mute


def test_in_decibels_a_rule_is_released_3_db_below(tmp_path: Path) -> None:
    text = '[[rule]]\nname = "loud"\nmeasure = "level"\nabove = -10\nmute = true\n'
    assert load_rules(_file(tmp_path, text))[0].below == -13


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rule = 3", r"write tables \[\[rule\]\]"),
        ("[[rules]]\nname = 'a'", r"write tables \[\[rule\]\]"),
        ("[[rule]\n", "cannot be read"),
        (HUM.replace('hum"\nabove', 'volume"\nabove'), "measure"),
        (HUM.replace("above = 0.5", ""), "above"),
        (HUM.replace("above = 0.5", "above = 1.5"), "between 0 and 1"),
        (HUM.replace("above = 0.5", "above = nan"), "above"),
        (HUM.replace("above = 0.5", "above = 0.5\nbelow = 0.6"), "must not be greater"),
        (HUM.replace("gain_db = -20", ""), "one thing"),
        (HUM.replace("gain_db = -20", "gain_db = -20\nmute = true"), "one thing"),
        (HUM.replace("gain_db = -20", "gain_db = -90"), "gain_db"),
        (HUM.replace('measure = "hum"', 'measure = "class"'), "names the class"),
        (HUM.replace('measure = "hum"', 'measure = "class"\nclass = "Bird!"'), "class path"),
        (HUM.replace("gain_db = -20", "gain_db = -20\nvolume = 3"), "volume"),
        (HUM + HUM, "two rules are named"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_rule_and_the_reason(
    tmp_path: Path, text: str, says: str
) -> None:
    with pytest.raises(SettingsError, match=says):
        load_rules(_file(tmp_path, text))


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"gone\.toml cannot be read"):
        load_rules(tmp_path / "gone.toml")
