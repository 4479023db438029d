"""Rules of alerts, as people write them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.analyzer.alerts import load_alert_rules
from tests.streamer.analyzer.alerts.made import detection, rule
from tidzam_platform.errors import RuleError

DOCS = Path(__file__).resolve().parents[4] / "docs" / "alerts.md"
FOX = '[[alert]]\nname = "fox"\nclass = "mammals-fox"\n'
DEAD = '[[alert]]\nname = "dead"\nmicrophone = "dead"\n'


def _file(folder: Path, text: str) -> Path:
    file = folder / "alerts.toml"
    file.write_text(text)
    return file


def test_every_example_of_the_documentation_is_read(tmp_path: Path) -> None:
    examples = [block.partition("```")[0] for block in DOCS.read_text().split("```toml\n")[1:]]
    assert examples
    for example in examples:
        assert load_alert_rules(_file(tmp_path, example), ["mail", "home"])


def test_what_a_rule_means_unless_it_says_otherwise(tmp_path: Path) -> None:
    clipping = '[[alert]]\nname = "clips"\nmicrophone = "clipping"\n'
    fox, dead, clips = load_alert_rules(_file(tmp_path, FOX + DEAD + clipping))
    assert (fox.class_path, fox.channels, fox.times, fox.above, fox.cooldown_s) == (
        "mammals-fox",
        ("*",),
        1,
        0,
        600,
    )
    assert (dead.microphone, dead.for_s, dead.tell_end, dead.outputs) == ("dead", 60, True, ())
    assert clips.above == 0.01


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "cannot be read"),
        ("[[rule]]\n", r"\[\[alert\]\]"),
        (FOX + FOX, "two tables are named 'fox'"),
        ('[[alert]]\nname = "x"\n', "about one thing"),
        (FOX + 'microphone = "dead"\n', "about one thing"),
        (DEAD + "times = 3\n", "times counts detections"),
        (FOX + "for_s = 3\n", "for_s is about microphones"),
        (FOX.replace("mammals-fox", "No Class"), "class"),
        (FOX + "above = 1.5\n", "above"),
        (FOX + "times = 0\n", "times"),
        (FOX + 'quiet = {times = "all day"}\n', "no span of time"),
        (FOX + 'quiet = {times = "22:00-06:00", zone = "Mars/Olympus"}\n', "Mars/Olympus"),
        (FOX + 'channels = ["pen:out_[12]"]\n', "no pattern of channels"),
        (FOX + 'channels = ["pen"]\n', "no channel"),
        (FOX + 'colour = "red"\n', "colour"),
        (FOX.replace('"fox"', '"a\\nb"'), "name"),
        (
            FOX + 'outputs = ["nobody"]\n',
            "names the output 'nobody'; outputs that are enabled and tell alerts: home, mail",
        ),
    ],
)
def test_what_makes_no_sense_is_said(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(RuleError, match=said):
        load_alert_rules(_file(tmp_path, text), ["mail", "home"])


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="cannot be read"):
        load_alert_rules(tmp_path / "alerts.toml")


@given(text=st.text(max_size=200))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.getbasetemp() / "any-alerts.toml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    with contextlib.suppress(RuleError):
        assert isinstance(load_alert_rules(file), tuple)


def test_a_rule_counts_its_class_with_its_descendants_on_its_channels() -> None:
    mammals = rule(**{"class": "mammals", "channels": ["pen:*", "yard:out_?"], "above": 0.5})
    assert mammals.counts(detection(0))
    assert mammals.counts(detection(0, channel="yard:out_3", class_path="mammals"))
    assert not mammals.counts(detection(0, channel="yard:out_13"))
    assert not mammals.counts(detection(0, class_path="mammalsish"))
    assert not mammals.counts(detection(0, score=0.49))
    assert rule(**{"class": "*"}).counts(detection(0, class_path="rain"))
    assert not rule(microphone="dead").counts(detection(0))
