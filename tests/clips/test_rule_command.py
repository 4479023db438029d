"""``./tidzam rule``."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.in_process import run_here


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


def test_what_makes_no_sense_is_exit_code_2_with_its_reason(tmp_path: Path) -> None:
    for arguments, reason in (
        (["--rate", "often"], "no rate"),
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
