"""Rules of the recorder over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.clips.made import break_rule, metadata, record, rule
from tests.streamer.web.web_process import WebProcess
from tests.support.fake_engine import FakeEngine
from tidzam_platform.access import Role
from tidzam_platform.clips import list_rules
from tidzam_platform.home import Home

RULES = "/api/v1/rules"
RULE = {
    "channels": "marsh:out_*",
    "classes": ["birds"],
    "score": "0.3 to 0.6",
    "rate": "auto",
    "at_least": 100,
}


def test_a_rule_is_added_listed_with_its_clips_and_removed(
    web: WebProcess, library: Home, tmp_path: Path
) -> None:
    token = web.tokens.create(Role.OPERATE, "ann of the rules")[1]
    made = web.request("POST", RULES, RULE, token=token)
    assert made.status == 201
    assert {key: made.body[key] for key in ("channels", "classes", "score", "made_by", "clips")} == {
        "channels": ["marsh:out_*"],
        "classes": ["birds"],
        "score": [0.3, 0.6],
        "made_by": "ann of the rules",
        "clips": 0,
    }
    number = made.body["id"]
    record(library.catalog, library.store, tmp_path, metadata(rule_id=number))
    assert [(rule["id"], rule["clips"]) for rule in web.request("GET", RULES).body["rules"]] == [(number, 1)]
    removed = web.request("DELETE", f"{RULES}/{number}", token=token)
    assert (removed.status, removed.body["removed_at"] is not None) == (200, True)
    assert web.request("GET", RULES).body == {"rules": [], "unreadable": []}
    assert [rule["id"] for rule in web.request("GET", f"{RULES}?removed=true").body["rules"]] == [number]
    assert web.request("DELETE", f"{RULES}/{number}", token=token).status == 404


def test_a_rule_that_cannot_be_read_is_told_beside_the_others_and_removed(
    web: WebProcess, library: Home
) -> None:
    kept, broken = rule(library.catalog, classes="birds"), break_rule(library.catalog, '{"classes": ["bi')
    told = web.request("GET", RULES).body
    assert [one["id"] for one in told["rules"]] == [kept.id]
    assert [(one["id"], "cannot be read" in one["problem"]) for one in told["unreadable"]] == [(broken, True)]
    removed = web.request("DELETE", f"{RULES}/{broken}", token=web.token())
    assert (removed.status, removed.body["id"]) == (200, broken)
    assert web.request("GET", RULES).body["unreadable"] == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", RULES, {"rate": 2}, 400), ("POST", RULES, {"colour": 1}, 400), ("POST", RULES, [], 400),
        ("POST", RULES, {"destination": "../x"}, 400), ("POST", RULES, {"classes": "Birds"}, 400),
        ("POST", RULES, {"length_s": 60, "channels": ",".join(f"m:out_{n}" for n in range(1, 200))}, 400),
        ("POST", RULES, b"{", 400), ("GET", f"{RULES}?removed=perhaps", None, 400),
        ("GET", f"{RULES}?colour=red", None, 400), ("DELETE", f"{RULES}/999", None, 404),
        ("DELETE", f"{RULES}/0", None, 404), ("DELETE", f"{RULES}/{10**30}", None, 404),
        ("DELETE", f"{RULES}/x", None, 404), ("PUT", RULES, {}, 405),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    web: WebProcess, library: Home, method: str, path: str, body: Any, status: int
) -> None:
    headers = {"Content-Type": "application/json"} if body is not None else {}
    answer = web.request(method, path, body, token=web.token(), headers=headers)
    assert (answer.status, sorted(answer.body)) == (status, ["code", "error"])
    assert list_rules(library.catalog, removed=True) == []


def test_changing_wants_role_operate(web: WebProcess, engine: FakeEngine, library: Home) -> None:
    for token, status in ((None, 401), (web.token("listen"), 403), (web.token("label"), 403)):
        assert web.request("POST", RULES, RULE, token=token).status == status
        assert web.request("DELETE", f"{RULES}/1", token=token).status == status
    assert list_rules(library.catalog) == []
