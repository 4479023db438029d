"""``./tidzam generation promote, rollback, retire, remove-label, service, history, collect``."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Any

import pytest

from serving.repository import ModelRepository
from tests.serving.repository.tiny_versions import publish_all
from tests.support.in_process import run_here
from tests.support.small_site import last_line

WHY = ("--reason", "a test")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A home whose repository holds versions 1 to 3."""
    publish_all(ModelRepository(tmp_path / "models"), 1, 2, 3)
    return tmp_path


def ask(home: Path, *arguments: str) -> dict[str, Any]:
    finished = run_here(["generation", *arguments, "--json"], home)
    assert finished.returncode == 0, finished.stderr
    return last_line(finished.stdout)


def refused(home: Path, *arguments: str, code: int = 1) -> str:
    finished = run_here(["generation", *arguments], home)
    assert finished.returncode == code, finished.stdout
    assert "Traceback" not in finished.stderr
    return finished.stderr


def test_a_label_goes_there_and_back_with_who_and_why(data):
    assert ask(data, "promote", "1", *WHY)["labels"] == {"stable": 1}
    answer = ask(data, "promote", "2", "--by", "ada", "--reason", "hears wrens")
    assert answer["labels"] == {"stable": 2}
    change = answer["change"]
    assert (change["action"], change["version"], change["previous_version"]) == ("promote", 2, 1)
    assert (change["by"], change["reason"]) == ("ada", "hears wrens")
    assert ask(data, "promote", "3", "--label", "canary", *WHY)["labels"] == {"stable": 2, "canary": 3}
    assert ask(data, "remove-label", "canary", *WHY)["labels"] == {"stable": 2}
    assert ask(data, "rollback", "--from", "2", *WHY)["labels"] == {"stable": 1}
    assert ask(data, "rollback", "--from", "2", *WHY)["labels"] == {"stable": 1}
    assert ask(data, "retire", "2", *WHY)["change"]["action"] == "retire"
    changes = ask(data, "history")["changes"]
    assert [change["action"] for change in changes] == [
        *("retire", "rollback", "remove_label", "promote", "promote", "promote")
    ]
    login = pwd.getpwuid(os.getuid()).pw_name
    assert [change["by"] for change in changes] == [login, login, login, login, "ada", login]


def test_service_shows_labels_versions_and_where_rollback_goes(data):
    assert ask(data, "service") == {
        "in_service": 3,
        "labels": {},
        "versions": [
            {"version": version, "label": None, "retired": False, "rollback_target": False}
            for version in (3, 2, 1)
        ],
        "changes": [],
    }
    ask(data, "promote", "1", *WHY)
    ask(data, "promote", "2", *WHY)
    ask(data, "retire", "3", *WHY)
    answer = ask(data, "service")
    assert answer["in_service"] == 2
    assert answer["labels"]["stable"]["version"] == 2
    assert [version["label"] for version in answer["versions"]] == [None, "stable", None]
    assert [version["retired"] for version in answer["versions"]] == [True, False, False]
    assert [version["rollback_target"] for version in answer["versions"]] == [False, False, True]
    table = run_here(["generation", "service"], data).stdout
    for words in ("stable", "retired", "rollback goes here", "a test"):
        assert words in table


def test_service_brings_a_config_that_lags_behind_up_to_date_and_says_so(data):
    ask(data, "promote", "1", *WHY)
    config = data / "models" / "serving" / "models.config"
    right = config.read_text()
    config.write_text("")
    finished = run_here(["generation", "service"], data)
    assert "models.config was not up to date: written" in finished.stderr
    assert config.read_text() == right


def test_a_version_whose_files_somebody_removed_is_shown_as_gone(data):
    ask(data, "promote", "2", *WHY)
    (data / "models" / "tidzam" / "2").rename(data / "elsewhere")
    assert "its files are gone" in run_here(["generation", "service"], data).stdout


def test_collect_keeps_as_many_as_the_setting_or_the_option_says(data):
    ask(data, "promote", "3", *WHY)
    assert ask(data, "collect") == {"removed": []}
    one = {"TIDZAM_MODEL_REPOSITORY__KEEP": "1"}
    assert "removed: 1" in run_here(["generation", "collect"], data, env=one).stdout
    assert ask(data, "collect", "--keep", "0") == {"removed": [2]}
    assert "removed: nothing" in run_here(["generation", "collect"], data).stdout


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (["promote", "9", *WHY], "no version 9", 1),
        (["promote", "0", *WHY], "0 is not in the range", 2),
        (["promote", "1"], "Missing option '--reason'", 2),
        (["promote", "1", "--reason", " "], "an empty value says nothing", 2),
        (["promote", "1", "--label", "newest", *WHY], "'newest' is not one of", 2),
        (["rollback", *WHY], "nothing is stable yet", 1),
        (["remove-label", "stable", *WHY], "'stable' is not", 2),
        (["retire", "9", *WHY], "no version 9", 1),
    ],
)
def test_what_cannot_be_done_is_one_line_and_an_exit_code(data, arguments, words, code):
    assert words in refused(data, *arguments, code=code)
