"""``./tidzam rule``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tests.labels.made import make_clip
from tests.support.in_process import run_here
from tidzam_platform.cli.rule import add
from tidzam_platform.clips.rules import MAX_LENGTH_S, MIN_LENGTH_S, RecorderRuleSpec
from tidzam_platform.clips.rules_store import classes_not_known
from tidzam_platform.home import Home
from tidzam_platform.labels.annotations import annotate
from tidzam_platform.labels.statement import Statement
from tidzam_platform.labels.targets import ClipTarget
from tidzam_platform.settings import Settings


def test_rules_are_added_listed_and_removed(tmp_path: Path) -> None:
    made = run_here(
        [
            *("rule", "add", "--channels", "marsh:out_*", "--classes", "birds,frogs", "--classes", "unknown"),
            *(
                "--rate",
                "auto",
                "--at-least",
                "100",
                "--length",
                "2",
                "--score",
                "0.3 to 0.6",
                "--object-filter",
            ),
            *(
                "--times",
                "22:00-04:00",
                "--zone",
                "Europe/Paris",
                "--daily-quota",
                "50",
                "--by",
                "ann",
                "--json",
            ),
        ],
        tmp_path,
    )
    assert made.returncode == 0, made.stderr
    said = json.loads(made.stdout)
    assert said["classes"] == ["birds", "frogs", "unknown"]
    assert (said["rate"], said["at_least"], said["length_s"], said["made_by"]) == ("auto", 100, 2.0, "ann")
    assert said["schedule"]["times"] == ["22:00-04:00"]
    assert run_here(["rule", "add", "--forbid", "--classes", "human"], tmp_path).returncode == 0
    listed = run_here(["rule", "list"], tmp_path).stdout
    assert "keep birds, frogs, unknown of marsh:out_*" in listed
    assert "forbid human of *" in listed
    assert run_here(["rule", "remove", str(said["id"])], tmp_path).returncode == 0
    left = json.loads(run_here(["rule", "list", "--json"], tmp_path).stdout)["rules"]
    assert [rule["forbid"] for rule in left] == [True]
    everything = json.loads(run_here(["rule", "list", "--removed", "--json"], tmp_path).stdout)["rules"]
    assert [rule["removed_at"] is None for rule in everything] == [False, True]


def test_the_range_of_the_length_is_that_of_rules() -> None:
    (length,) = (option for option in add.params if option.name == "length_s")
    assert isinstance(length.type, click.FloatRange)
    assert (length.type.min, length.type.max) == (MIN_LENGTH_S, MAX_LENGTH_S)


def test_no_pause_is_a_pause_of_0_s(tmp_path: Path) -> None:
    made = run_here(["rule", "add", "--classes", "unknown", "--cooldown", "0", "--json"], tmp_path)
    assert json.loads(made.stdout)["cooldown_s"] == 0


def test_a_class_that_nobody_knows_is_told(tmp_path: Path) -> None:
    made = run_here(["rule", "add", "--classes", "no_such_class,unknown", "--json"], tmp_path)
    assert made.returncode == 0
    assert json.loads(made.stdout)["unknown_classes"] == ["no_such_class"]
    assert "'no_such_class'" in made.stderr
    assert "'unknown'" not in made.stderr


def test_classes_of_labels_and_those_above_them_are_known(home: Settings) -> None:
    opened = Home.open(home)
    statement = [Statement("birds-american_robin")]
    annotate(opened.catalog, ClipTarget(make_clip(opened.catalog)), statement, annotator="ann", tool="web")
    spec = RecorderRuleSpec.parse({"classes": "birds,birds-american_robin,birds-robin,*,no_signal"})
    assert classes_not_known(opened.catalog, spec) == ["birds-robin"]


def test_what_makes_no_sense_is_exit_code_2_with_its_reason(tmp_path: Path) -> None:
    for arguments, reason in (
        (["--rate", "often"], "no rate"),
        (["--classes", ""], "--classes"),
        (["--channels", " , "], "--channels"),
        (["--score", ""], "--score"),
        (["--length", "0"], "0.5"),
        (["--length", "61"], "60"),
        (["--length", "nan"], "length_s"),
        (["--uncertainty", "0"], "uncertainty"),
        (["--daily-quota", "0"], "daily_quota"),
        (["--destination", "../x"], "no path"),
        (["--channels", "marsh"], "marsh:out_"),
        (["--length", "60", "--channels", ",".join(f"marsh:out_{n}" for n in range(1, 201))], "preroll_mb"),
    ):
        refused = run_here(["rule", "add", *arguments], tmp_path)
        assert refused.returncode == 2
        assert reason in refused.stderr
        assert "Traceback" not in refused.stderr
    refused = run_here(["rule", "remove", "3"], tmp_path)
    assert refused.returncode == 2
    assert "rule list" in refused.stderr
