"""Labels: promote, canary, rollback, retire, and the history that says who did it and why."""

from __future__ import annotations

import json

import pytest

from serving.repository import ModelRepository
from tests.serving.repository.tiny_versions import WHY, publish, publish_all
from tidzam_platform.clock import utc_now
from tidzam_platform.errors import GateRefusedError, ModelRepositoryError


@pytest.fixture
def four(with_versions) -> ModelRepository:
    """Versions 1 to 4, none promoted."""
    repository: ModelRepository = with_versions(1, 2, 3, 4)
    return repository


def promote(repository: ModelRepository, *versions: int, label: str = "stable") -> None:
    for version in versions:
        repository.promote(version, label=label, **WHY)


def rollbacks(repository: ModelRepository) -> list[int]:
    """The versions that became stable, one rollback after the other, until there is none to go to."""
    seen = []
    while repository.rollback_target() is not None:
        expected = repository.rollback_target()
        seen.append(repository.rollback(**WHY).version)
        assert seen[-1] == expected == repository.labels()["stable"]
        assert len(seen) < 20
    with pytest.raises(ModelRepositoryError, match="was stable before"):
        repository.rollback(**WHY)
    return seen


def test_nothing_is_labelled_before_the_first_promotion(four):
    assert four.labels() == {}
    assert four.history() == []
    assert four.retired() == []
    assert four.in_service() == 4
    assert four.rollback_target() is None
    with pytest.raises(ModelRepositoryError, match="nothing is stable yet"):
        four.rollback(**WHY)


def test_a_promotion_is_kept_with_time_name_and_reason(four, home):
    before = utc_now().replace(microsecond=0)
    change = four.promote(2, by="ada", reason="hears wrens")
    assert (change.action, change.label, change.version, change.previous_version) == (
        "promote",
        "stable",
        2,
        None,
    )
    assert (change.by, change.reason) == ("ada", "hears wrens")
    assert before <= change.time <= utc_now()
    again = four.promote(3, by="bob", reason="hears larks")
    assert again.previous_version == 2
    elsewhere = ModelRepository(home.models_folder)
    assert elsewhere.labels() == {"stable": 3}
    assert elsewhere.history() == [change, again]
    assert elsewhere.label_changes() == {"stable": again}
    assert elsewhere.in_service() == 3


def test_promoting_the_same_again_changes_nothing(four):
    first = four.promote(2, **WHY)
    state = (four.serving_folder / "state.json").read_bytes()
    assert four.promote(2, by="bob", reason="again") == first
    assert (four.serving_folder / "state.json").read_bytes() == state


def test_a_canary_that_becomes_stable_stops_being_canary(four):
    promote(four, 2)
    promote(four, 3, label="canary")
    assert four.labels() == {"stable": 2, "canary": 3}
    promote(four, 3)
    assert four.labels() == {"stable": 3}


def test_another_canary_replaces_the_first_and_stable_stays(four):
    promote(four, 2)
    promote(four, 3, 4, label="canary")
    assert four.labels() == {"stable": 2, "canary": 4}
    assert four.history()[-1].previous_version == 3
    promote(four, 1)
    assert four.labels() == {"stable": 1, "canary": 4}


def test_a_canary_needs_another_stable_version_beside_it(four):
    with pytest.raises(ModelRepositoryError, match="nothing is stable yet"):
        promote(four, 2, label="canary")
    promote(four, 2)
    with pytest.raises(ModelRepositoryError, match="2 is stable"):
        promote(four, 2, label="canary")
    assert four.labels() == {"stable": 2}


def test_the_canary_can_be_taken_away_and_stable_cannot(four):
    promote(four, 2)
    promote(four, 3, label="canary")
    change = four.remove_label("canary", **WHY)
    assert (change.action, change.label, change.version) == ("remove_label", "canary", 3)
    assert four.labels() == {"stable": 2}
    with pytest.raises(ModelRepositoryError, match="no version is canary"):
        four.remove_label("canary", **WHY)
    with pytest.raises(ModelRepositoryError, match="only canary"):
        four.remove_label("stable", **WHY)


@pytest.mark.parametrize(
    ("by", "reason", "message"),
    [
        ("", "why", "say who"),
        ("ada", " \n", "say why"),
        ("gate", "why", "say another name"),
        (" Gate ", "why", "say another name"),
        ("a" * 201, "why", "at most 200"),
        ("ada", "w" * 2001, "at most 2000"),
    ],
)
def test_who_and_why_must_be_said_and_be_short(four, by, reason, message):
    with pytest.raises(ModelRepositoryError, match=message):
        four.promote(2, by=by, reason=reason)
    assert four.labels() == {}
    promote(four, 1)
    promote(four, 2, label="canary")
    for change in (
        lambda: four.remove_label("canary", by=by, reason=reason),
        lambda: four.rollback(by=by, reason=reason),
        lambda: four.retire(4, by=by, reason=reason),
    ):
        with pytest.raises(ModelRepositoryError, match=message):
            change()
    assert (four.labels(), four.retired()) == ({"stable": 1, "canary": 2}, [])


def test_any_text_can_be_a_reason(four):
    reason = 'läuft "besser" \u2028 \udcff {} \\ # $(rm)'
    four.promote(2, by="ada", reason=reason)
    assert four.history()[0].reason == reason


@pytest.mark.parametrize(
    ("version", "label", "message"),
    [
        (9, "stable", "no version 9"),
        (0, "stable", "whole numbers"),
        (2, "newest", "labels are stable and canary"),
    ],
)
def test_what_cannot_be_promoted_is_refused_with_a_reason(four, version, label, message):
    with pytest.raises(ModelRepositoryError, match=message):
        four.promote(version, label=label, **WHY)
    assert four.history() == []


def test_a_damaged_version_is_not_promoted(four):
    (four.path(3) / "saved_model.pb").write_text("gRaph")
    with pytest.raises(ModelRepositoryError, match="is damaged"):
        promote(four, 3)
    assert four.labels() == {}


def test_each_rollback_goes_one_step_further_back(four):
    promote(four, 1, 2, 3, 4)
    assert rollbacks(four) == [3, 2, 1]


def test_a_rollback_never_goes_to_what_was_rolled_back_from(four):
    promote(four, 1, 2, 3, 2)  # 2 again, after 3
    assert rollbacks(four) == [3, 1]


def test_after_a_rollback_a_new_promotion_goes_back_to_where_it_came_from(four):
    promote(four, 1, 2, 3)
    assert four.rollback(**WHY).version == 2
    promote(four, 4)
    assert rollbacks(four) == [2, 1]


def test_a_rollback_says_what_it_led_away_from(four):
    promote(four, 1, 4)
    change = four.rollback(by="bob", reason="hears wrens everywhere")
    assert (change.action, change.label, change.version, change.previous_version) == (
        "rollback",
        "stable",
        1,
        4,
    )
    assert four.history()[-1] == change


def test_a_rollback_leaves_out_retired_and_removed_versions(four):
    promote(four, 1, 2, 3, 4)
    four.retire(3, **WHY)
    four.path(2).rename(four.base_path.parent / "gone")
    assert rollbacks(four) == [1]


def test_a_rollback_to_the_canary_makes_it_stable_only(four):
    promote(four, 1, 2)
    promote(four, 1, label="canary")
    assert four.labels() == {"stable": 2, "canary": 1}
    four.rollback(**WHY)
    assert four.labels() == {"stable": 1}


def test_a_rollback_to_a_damaged_version_changes_nothing_and_says_how_to_go_on(four):
    promote(four, 1, 2, 3)
    (four.path(2) / "saved_model.pb").write_text("gRaph")
    with pytest.raises(ModelRepositoryError, match=r"is damaged.*Nothing was changed.*retire 2"):
        four.rollback(**WHY)
    assert four.labels() == {"stable": 3}
    four.retire(2, **WHY)
    assert four.rollback(**WHY).version == 1


def test_a_rollback_from_a_named_version_goes_back_once_however_often_it_is_asked_for(four):
    promote(four, 1, 2, 3)
    change = four.rollback(expected=3, **WHY)
    assert four.rollback(expected=3, by="bob", reason="I saw it too") == change
    assert four.labels() == {"stable": 2}
    assert len(four.history()) == 4
    with pytest.raises(ModelRepositoryError, match=r"version 2 is stable .*not 1: nothing was changed"):
        four.rollback(expected=1, **WHY)
    assert four.rollback(expected=2, **WHY).version == 1


def test_a_retired_version_is_never_served_promoted_or_published_again(four):
    promote(four, 1, 2)
    change = four.retire(1, by="ada", reason="wrong labels")
    assert (change.action, change.label, change.version) == ("retire", None, 1)
    assert four.retire(1, by="bob", reason="again") == change
    assert four.retired() == [1]
    with pytest.raises(ModelRepositoryError, match=r"1 was retired .*ada.*wrong labels"):
        promote(four, 1)
    assert four.rollback_target() is None
    assert 1 in four.collect_garbage(10)
    with pytest.raises(ModelRepositoryError, match="was retired by ada"):
        publish(four, 1)
    assert four.retired() == [1]
    assert four.retire(1, **WHY) == change


def test_what_has_a_label_is_not_retired(four):
    promote(four, 1)
    promote(four, 2, label="canary")
    with pytest.raises(ModelRepositoryError, match="1 is stable: promote another"):
        four.retire(1, **WHY)
    with pytest.raises(ModelRepositoryError, match="2 is canary: take the label away"):
        four.retire(2, **WHY)
    with pytest.raises(ModelRepositoryError, match="no version 9"):
        four.retire(9, **WHY)
    assert four.retired() == []


def test_the_newest_is_not_retired_while_it_serves_for_want_of_a_promotion(four):
    with pytest.raises(ModelRepositoryError, match="4 is in service as the newest"):
        four.retire(4, **WHY)
    four.retire(3, **WHY)
    promote(four, 2)
    four.retire(4, **WHY)
    assert four.retired() == [3, 4]


def test_the_history_is_bounded_and_labels_outlive_it(four):
    promote(four, 1)
    canary = four.promote(2, label="canary", **WHY)
    promote(four, 4)
    path = four.serving_folder / "state.json"
    content = json.loads(path.read_text())
    content["history"] = content["history"][-1:] * 999
    path.write_text(json.dumps(content))
    promote(four, 3, 1)
    assert len(four.history()) == 1000
    assert [change.version for change in four.history()[-2:]] == [3, 1]
    assert four.promote(2, label="canary", **WHY) == canary


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no state"),
        ("[]", "holds no state"),
        ("{}", "holds no state"),
        ('{"format": 2}', "a newer Tidzam wrote it"),
        ('{"format": 1, "labels": {"stable": 3}}', "holds no state"),
        ("\xff", "holds no state"),
    ],
)
def test_a_state_that_cannot_be_read_is_an_error_and_is_never_written_over(four, text, message):
    promote(four, 1)
    path = four.serving_folder / "state.json"
    path.write_text(text, encoding="latin-1")
    for ask in (
        four.labels,
        four.write_server_files,
        lambda: promote(four, 2),
        lambda: four.collect_garbage(1),
    ):
        with pytest.raises(ModelRepositoryError, match=message):
            ask()
    assert path.read_text(encoding="latin-1") == text


class TestAfterTheGate:
    """What ``introduce`` does with a generation that passed the gate."""

    def test_the_first_becomes_stable_whatever_the_setting(self, repository):
        for version, after_gate in enumerate(("nothing", "canary", "stable"), 1):
            fresh = ModelRepository(repository.base_path.parent.with_name(after_gate) / "models")
            publish(fresh, version)
            change = fresh.introduce(version, after_gate, judged_beside=None)
            assert change is not None
            assert (change.by, change.reason) == ("gate", "the first generation that passed the gate")
            assert fresh.labels() == {"stable": version}

    @pytest.mark.parametrize(
        ("after_gate", "labels"),
        [
            ("stable", {"stable": 2}),
            ("canary", {"stable": 1, "canary": 2}),
            ("nothing", {"stable": 1}),
        ],
    )
    def test_later_ones_become_what_the_setting_says_once(self, four, after_gate, labels):
        four.introduce(4, "nothing", judged_beside=None)  # nothing newer may be served
        promote(four, 1)
        publish_all(four, 5)
        expected = {label: {2: 5}.get(version, version) for label, version in labels.items()}
        four.introduce(5, after_gate, judged_beside=1)
        assert four.labels() == expected
        history = four.history()
        for setting in ("stable", "canary", "nothing"):
            assert four.introduce(5, setting, judged_beside=1) is None
        assert four.labels() == expected
        assert four.history() == history

    @pytest.mark.parametrize("judged_beside", [None, 1, 3])
    def test_it_becomes_stable_only_on_a_verdict_beside_the_one_that_is_stable(self, four, judged_beside):
        promote(four, 1, 2)
        history = four.history()
        judged = judged_beside or "none"
        with pytest.raises(
            GateRefusedError, match=f"judged beside {judged}, and 2 is stable by now: run the"
        ):
            four.introduce(4, "stable", judged_beside=judged_beside)
        assert (four.labels(), four.history()) == ({"stable": 2}, history)
        assert four.introduce(4, "stable", judged_beside=2) is not None  # the gate judged again
        assert four.labels() == {"stable": 4}

    @pytest.mark.parametrize(
        ("after_gate", "labels"), [("canary", {"stable": 2, "canary": 4}), ("nothing", {"stable": 2})]
    )
    def test_what_replaces_nothing_needs_no_new_verdict(self, four, after_gate, labels):
        promote(four, 1, 2)
        four.introduce(4, after_gate, judged_beside=1)
        assert four.labels() == labels

    def test_an_old_generation_takes_the_label_from_no_newer_one(self, four):
        four.introduce(4, "stable", judged_beside=None)
        for version in (1, 2, 3, 4):
            assert four.introduce(version, "stable", judged_beside=4) is None
        assert four.labels() == {"stable": 4}

    def test_publishing_again_undoes_no_rollback_and_no_promotion_by_hand(self, four):
        four.introduce(4, "stable", judged_beside=None)
        promote(four, 2)
        assert four.introduce(4, "stable", judged_beside=2) is None
        four.rollback(**WHY)
        promote(four, 3)
        publish_all(four, 6, 5)
        promote(four, 6)
        assert four.introduce(5, "stable", judged_beside=6) is None
        assert four.labels() == {"stable": 6}

    def test_an_older_one_does_not_become_the_first_while_a_newer_one_serves(self, four):
        assert four.introduce(2, "stable", judged_beside=None) is None
        assert four.labels() == {}
        change = four.introduce(4, "stable", judged_beside=None)
        assert change is not None
        assert four.labels() == {"stable": 4}

    def test_a_retired_one_gets_no_label(self, four):
        promote(four, 1)
        four.retire(4, **WHY)
        assert four.introduce(4, "stable", judged_beside=1) is None
        assert four.labels() == {"stable": 1}
