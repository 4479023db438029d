"""Rules of the catalog that cannot be read: the others hold, it is said, and they can be removed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.clips.made import NOON, break_rule, metadata, record, rule
from tests.support.in_process import run_here
from tests.support.parts import require_part
from tidzam_platform.catalog import Catalog
from tidzam_platform.clips import RecorderRuleSpec, UnreadableRule, list_rules, read_rules, remove_rule
from tidzam_platform.clips.reading_rules import Misread, read_specification
from tidzam_platform.clips.rules_store import MAX_RULES, add_rule, replace_rules
from tidzam_platform.errors import RuleError
from tidzam_platform.home import Home
from tidzam_platform.settings import load_settings
from tidzam_platform.store import LocalStore

LATER = '{"classes": ["birds"], "colour": "red", "forbid": false}'
ZONE = '{"classes": ["birds"], "schedule": {"zone": "Moon/Crater"}}'
DAMAGED = '{"classes": ["bi'  # no database but SQLite keeps that


@pytest.mark.parametrize("specification", [LATER, ZONE, "[]", "7", "null", '{"classes": {"a": 1}}'])
def test_one_costs_the_others_nothing_and_is_removed_as_they_are(
    catalog: Catalog, specification: str
) -> None:
    before = rule(catalog, classes="birds")
    broken = break_rule(catalog, specification)
    after = rule(catalog, classes="rain")
    assert [one.id for one in list_rules(catalog)] == [before.id, after.id]
    readable, (unreadable,) = read_rules(catalog, counted=True)
    assert [one.spec for one in readable] == [before.spec, after.spec]
    assert unreadable.id == broken
    assert f"rule remove {broken}" in unreadable.problem
    removed = remove_rule(catalog, broken)
    assert isinstance(removed, UnreadableRule)
    assert removed.removed_at is not None
    assert read_rules(catalog) == ((before, after), ())
    assert [one.id for one in read_rules(catalog, removed=True).unreadable] == [broken]
    with pytest.raises(RuleError, match="no rule"):
        remove_rule(catalog, broken)


def test_damaged_text_is_no_exception_either(tmp_path: Path) -> None:
    catalog = Catalog.open(f"sqlite:///{tmp_path / 'catalog.db'}")
    try:
        kept, broken = rule(catalog, classes="birds"), break_rule(catalog, DAMAGED)
        assert [one.id for one in list_rules(catalog)] == [kept.id]
        assert "no JSON" in read_rules(catalog).unreadable[0].problem
        (new,) = replace_rules(catalog, [broken], [RecorderRuleSpec()], "ann")
        readable, unreadable = read_rules(catalog)
        assert ([one.id for one in readable], unreadable) == ([kept.id, new.id], ())
    finally:
        catalog.close()


def test_it_counts_among_those_that_stand(catalog: Catalog) -> None:
    for _ in range(MAX_RULES - 1):
        add_rule(catalog, RecorderRuleSpec(), "ann")
    broken = break_rule(catalog, LATER)
    with pytest.raises(RuleError, match="remove one"):
        rule(catalog)
    remove_rule(catalog, broken)
    rule(catalog)


def test_a_clip_of_such_a_rule_is_recorded(catalog: Catalog, tmp_path: Path) -> None:
    require_part("ffmpeg")
    broken = break_rule(catalog, LATER)
    record(catalog, LocalStore(tmp_path / "store"), tmp_path / "spool", metadata(rule_id=broken), frames=480)
    assert read_rules(catalog, counted=True).unreadable[0].clips == 1


@pytest.mark.parametrize(
    ("specification", "channels"),
    [
        (LATER, ()),
        ('{"colour": 1}', ()),
        ('{"forbid": true, "colour": 1}', ("*",)),
        ('{"forbid": true, "colour": 1, "channels": ["garden:*", "pond:out_1"]}', ("garden:*", "pond:out_1")),
        ('{"forbid": true, "channels": ["garden"]}', ("*",)),
        ('{"forbid": {"classes": ["human"]}, "channels": []}', ("*",)),
        (DAMAGED, ("*",)),
        ("[]", ("*",)),
    ],
)
def test_where_it_may_forbid_everything_is_forbidden(specification: str, channels: tuple[str, ...]) -> None:
    """Nobody can tell which sounds were not to be kept: then none is."""
    read = read_specification(specification)
    assert isinstance(read, Misread)
    assert read.forbids_on == channels


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(sorted(RecorderRuleSpec.model_fields))


@given(
    st.one_of(
        st.text(max_size=50), st.dictionaries(FIELDS, JSON, max_size=4).map(json.dumps), JSON.map(json.dumps)
    )
)
def test_whatever_stands_there_nothing_is_raised(text: str) -> None:
    read = read_specification(text)
    if isinstance(read, Misread):
        assert read.reason
        stand_in = UnreadableRule(1, read, "ann", NOON, None).stand_in()
        assert stand_in is None or stand_in.forbid
    else:
        assert RecorderRuleSpec.parse(read.as_dict()) == read


def test_the_commands_tell_of_it_and_remove_it(tmp_path: Path) -> None:
    assert run_here(["rule", "add", "--classes", "birds"], tmp_path).returncode == 0
    home = Home.open(load_settings().model_copy(update={"home": tmp_path, "database_url": ""}))
    try:
        broken = break_rule(home.catalog, DAMAGED)
    finally:
        home.catalog.close()
    listed = run_here(["rule", "list"], tmp_path)
    assert "keep birds" in listed.stdout
    assert "cannot be read" in listed.stdout
    assert f"./tidzam rule remove {broken}" in " ".join(listed.stderr.split())
    told = json.loads(run_here(["rule", "list", "--json"], tmp_path).stdout)
    assert [one["classes"] for one in told["rules"]] == [["birds"]]
    assert [(one["id"], "no JSON" in one["problem"]) for one in told["unreadable"]] == [(broken, True)]
    removed = run_here(["rule", "remove", str(broken), "--json"], tmp_path)
    assert (removed.returncode, json.loads(removed.stdout)["id"]) == (0, broken)
    assert json.loads(run_here(["rule", "list", "--json"], tmp_path).stdout)["unreadable"] == []
