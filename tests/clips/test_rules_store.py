"""Rules in the catalog, and the counts by which they are weighed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.clips.made import metadata, record, rule, say, supersede
from tests.support.parts import require_part
from tidzam_platform.catalog import Catalog
from tidzam_platform.clips import add_rule, clips_per_class, list_rules, remove_rule
from tidzam_platform.clips.counting import clips_per_rule
from tidzam_platform.clips.rules import RecorderRuleSpec
from tidzam_platform.clips.rules_store import MAX_RULES, read_rules, replace_rules
from tidzam_platform.clock import utc_now
from tidzam_platform.errors import RuleError
from tidzam_platform.store import LocalStore


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    require_part("ffmpeg")
    return LocalStore(tmp_path / "store")


def test_a_removed_rule_stands_no_more_and_is_still_known(catalog: Catalog) -> None:
    first, second = rule(catalog, classes="birds"), rule(catalog, forbid=True, classes="human")
    assert [one.id for one in read_rules(catalog).readable] == [first.id, second.id]
    removed = remove_rule(catalog, first.id)
    assert removed.removed_at is not None
    assert [one.id for one in read_rules(catalog).readable] == [second.id]
    assert [one.id for one in list_rules(catalog)] == [second.id]
    assert [one.spec for one in list_rules(catalog, removed=True)] == [first.spec, second.spec]
    for gone in (first.id, 999):
        with pytest.raises(RuleError, match="no rule"):
            remove_rule(catalog, gone)


def test_there_are_only_so_many(catalog: Catalog) -> None:
    for _ in range(MAX_RULES):
        add_rule(catalog, RecorderRuleSpec(), "ann")
    with pytest.raises(RuleError, match="remove one"):
        rule(catalog)
    remove_rule(catalog, read_rules(catalog).readable[0].id)
    rule(catalog)


def test_rules_are_replaced_all_at_once_or_not_at_all(catalog: Catalog) -> None:
    old, other = rule(catalog, classes="birds"), rule(catalog, classes="rain")
    too_many = [RecorderRuleSpec.parse({"classes": f"class{number}"}) for number in range(MAX_RULES)]
    with pytest.raises(RuleError, match=f"more than {MAX_RULES}"):
        replace_rules(catalog, [old.id], too_many, "somebody")
    assert [one.id for one in read_rules(catalog).readable] == [old.id, other.id]
    new = replace_rules(catalog, [old.id, 999], too_many[:2], "somebody")
    assert [one.spec for one in read_rules(catalog).readable] == [other.spec, *too_many[:2]]
    assert [one.made_by for one in new] == ["somebody", "somebody"]


def test_rules_are_listed_with_their_clips(catalog: Catalog, store: LocalStore, tmp_path: Path) -> None:
    birds, rain = rule(catalog, classes="birds"), rule(catalog, classes="rain")
    for number in range(3):
        record(catalog, store, tmp_path / "spool", metadata(rule_id=birds.id), seed=number, frames=480)
    assert {one.id: one.clips for one in list_rules(catalog)} == {birds.id: 3, rain.id: 0}
    soon, long_ago = utc_now() + timedelta(hours=1), utc_now() - timedelta(hours=1)
    counts = clips_per_rule(catalog, {birds.id: long_ago, rain.id: long_ago})
    assert (counts.total, counts.today) == ({birds.id: 3, rain.id: 0}, {birds.id: 3, rain.id: 0})
    assert clips_per_rule(catalog, {birds.id: soon}).today == {birds.id: 0}


def test_a_clip_counts_for_what_people_say_is_in_it_else_for_what_it_was_kept_for(
    catalog: Catalog, store: LocalStore, tmp_path: Path
) -> None:
    made = [
        record(catalog, store, tmp_path / "spool", metadata("birds-robin"), seed=number, frames=480).id
        for number in range(6)
    ]
    assert clips_per_class(catalog) == {"birds-robin": 6}
    say(catalog, made[0], "birds-robin")  # right
    say(catalog, made[1], "birds-crow")  # another, and rain with it
    say(catalog, made[1], "rain")
    say(catalog, made[2], "birds-robin", "absent")  # refuted
    say(catalog, made[3], "birds-robin", "unsure")
    wrong = say(catalog, made[4], "rain")  # corrected
    supersede(catalog, wrong, say(catalog, made[4], "birds-robin"))
    say(catalog, made[0], "birds-robin")  # somebody else says so, too
    assert clips_per_class(catalog) == {"birds-robin": 4, "birds-crow": 1, "rain": 1}
