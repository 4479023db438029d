"""The original's events about rules, with the original's shapes: ``RecorderRules`` and ``SampleExtractionRules``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.clips.made import metadata, record, say
from tests.streamer.web.web_process import SocketClient, WebProcess
from tests.support.fake_analyzer import FakeAnalyzer
from tests.support.fake_engine import FakeEngine
from tests.support.waiting import wait_for
from tidzam_platform.access import Role
from tidzam_platform.clips import RecorderRuleSpec, add_rule, list_rules
from tidzam_platform.clips.rules_store import MAX_RULES
from tidzam_platform.datasets.taxonomy_changes import Wishes, change_taxonomy
from tidzam_platform.home import Home

RULE = {
    "channels": "marsh:out_1,pond",
    "classes": "birds,unknown",
    "dst": "night",
    "length": 2,
    "rate": "auto",
    "object_filter": True,
}
TOLD = {**RULE, "channels": "marsh:out_1,pond:out_*", "length": 2.0}
RECORDER, EXTRACTION = "RecorderRules", "SampleExtractionRules"


def answers(client: SocketClient, event: str, request: dict[str, Any], number: int = 1) -> list[Any]:
    """What is told on the event after a request."""
    known = len(client.of(event))
    client.client.emit(event, request)
    wait_for(lambda: len(client.of(event)) >= known + number, f"{number} answers to {request}")
    return client.of(event)[known:]


def test_a_rule_is_added_listed_with_its_count_and_removed(
    web: WebProcess, client: SocketClient, library: Home, tmp_path: Path
) -> None:
    made = client.call(RECORDER, {"add_rule": RULE})["rule"]
    assert made == {**TOLD, "id": made["id"], "count": 0}
    (stored,) = list_rules(library.catalog)
    assert (stored.made_by, stored.spec.destination) == (web.tokens.list()[-1].name, "night")
    record(library.catalog, library.store, tmp_path, metadata(rule_id=stored.id))
    assert answers(client, RECORDER, {"get_rules": ""}) == [
        {"rules": [{**TOLD, "id": stored.id, "count": 1}], "emitter": "TidzamRecorder"}
    ]
    assert client.call(RECORDER, {"del_rule": str(stored.id)}) == {"removed": stored.id}
    assert list_rules(library.catalog) == []
    assert client.told == []


def test_several_commands_in_one_request_are_done_in_order(client: SocketClient, library: Home) -> None:
    request = {"get_rules": "", "get_database_info": "", "add_rule": {"classes": "birds"}, "emitter": "page"}
    rules, info = answers(client, RECORDER, request, 2)
    assert [rule["classes"] for rule in rules["rules"]] == ["birds"]
    assert rules["rules"][0]["rate"] == 1.0
    assert (sorted(info), info["emitter"]) == (["database_info", "emitter"], "TidzamRecorder")


def test_clips_are_counted_by_class_and_classes_without_any_are_told(
    client: SocketClient, library: Home, analyzer: FakeAnalyzer, tmp_path: Path
) -> None:
    analyzer.classes = ["birds", "rain"]
    for seed, path in enumerate(("birds", "birds", "frogs")):
        clip = record(library.catalog, library.store, tmp_path, metadata(path, at_s=seed), seed=seed)
    say(library.catalog, clip.id, "insects")
    told = {"birds": 2, "insects": 1, "rain": 0, "unchecked": 2}
    for event in (RECORDER, EXTRACTION):
        request = {"get_database_info": ""} if event == RECORDER else {"get": "database_info"}
        ((answer),) = answers(client, event, request)
        assert answer["database_info"] == told


def test_counts_are_told_without_an_analyzer(own_home: Path, tmp_path: Path) -> None:
    with FakeEngine(own_home), WebProcess(own_home) as web, SocketClient(web) as client:
        assert answers(client, RECORDER, {"get_database_info": ""}) == [
            {"database_info": {"unchecked": 0}, "emitter": "TidzamRecorder"}
        ]


def test_rules_by_channel_are_set_told_and_replaced(
    client: SocketClient, library: Home, tmp_path: Path
) -> None:
    add_rule(library.catalog, RecorderRuleSpec.parse({"classes": "rain"}), "somebody else")
    # As the original's page sends them: a source beside its channels, texts in place of numbers.
    one = {"classes": "birds,unknown", "rate": "0.5", "length": "2", "object_filter": False}
    rules = {"marsh": one, "marsh-out_1": one, "marsh:out_2": {"classes": "", "rate": "auto"},
             "pond": {"classes": "frogs"}}  # fmt: skip
    assert client.call(EXTRACTION, {"set": "rules", "rules": rules}) == {"set": "rules"}
    told = {
        "marsh-out_1": {"classes": "birds,unknown", "rate": 0.5, "length": 2.0, "object_filter": False},
        "pond": {"classes": "frogs", "rate": 0.0, "length": 0.5, "object_filter": False},
    }
    assert answers(client, EXTRACTION, {"get": "rules"}) == [{"rules": told, "emitter": "SampleExtractor"}]
    channels = {rule.spec.channels: rule.id for rule in list_rules(library.catalog)}
    assert channels.keys() == {("*",), ("marsh:out_1",), ("pond:out_*",)}

    record(library.catalog, library.store, tmp_path, metadata(rule_id=channels["marsh:out_1",]))
    client.call(EXTRACTION, {"set": "rules", "rules": {"marsh-out_1": one, "marsh-out_3": one}})
    after = {rule.spec.channels: rule.id for rule in list_rules(library.catalog)}
    assert after.keys() == {("*",), ("marsh:out_1",), ("marsh:out_3",)}
    assert after["marsh:out_1",] == channels["marsh:out_1",], "what stays the same stays itself"
    ((counted),) = answers(client, EXTRACTION, {"get": "extracted_count"})
    assert counted["extracted_count"] == {"marsh-out_1": 1, "marsh-out_3": 0, "pond": 0}
    client.call(EXTRACTION, {"set": "rules", "rules": {}})
    assert [rule.spec.channels for rule in list_rules(library.catalog)] == [("*",)]


def test_rules_are_told_and_compared_as_they_were_written_whatever_their_classes_are_called_now(
    client: SocketClient, library: Home, tmp_path: Path
) -> None:
    clip = record(library.catalog, library.store, tmp_path, metadata("birds"))
    say(library.catalog, clip.id, "birds")
    rules = {"marsh-out_1": {"classes": "birds", "rate": "0.5", "length": "2", "object_filter": False}}
    client.call(EXTRACTION, {"set": "rules", "rules": rules})
    change_taxonomy(library.catalog, Wishes({"birds": "avian"}, {}, {}), by="ann", reason="a test")
    (before,) = list_rules(library.catalog)
    assert before.also == ("avian",), "it is followed by both names"
    ((told,),) = (answer["rules"].values() for answer in answers(client, EXTRACTION, {"get": "rules"}))
    assert told["classes"] == "birds"
    ((original,),) = (answer["rules"] for answer in answers(client, RECORDER, {"get_rules": ""}))
    assert original["classes"] == "birds"
    client.call(EXTRACTION, {"set": "rules", "rules": rules})
    assert list_rules(library.catalog) == [before], "what stays the same stays itself"


WRONG: list[tuple[str, Any]] = [
    (EXTRACTION, {"get": []}),
    (RECORDER, "text"), (RECORDER, {}), (RECORDER, {"nothing": ""}), (RECORDER, {"add_rule": "x"}),
    (RECORDER, {"add_rule": {"rate": 2}}), (RECORDER, {"add_rule": {"dst": "../../etc"}}),
    (RECORDER, {"add_rule": {"colour": 1}}), (RECORDER, {"add_rule": {"length": 61}}),
    (RECORDER, {"del_rule": 999}), (RECORDER, {"del_rule": True}), (RECORDER, {"del_rule": "x"}),
    (RECORDER, {"del_rule": 0}), (RECORDER, {"del_rule": None}), (RECORDER, ["x"]),
    (EXTRACTION, "text"), (EXTRACTION, {}), (EXTRACTION, {"get": "everything"}), (EXTRACTION, {"set": "channels"}),
    (EXTRACTION, {"set": "rules"}), (EXTRACTION, {"set": "rules", "rules": [1]}),
    (EXTRACTION, {"set": "rules", "rules": {"marsh-out_1": "birds"}}),
    (EXTRACTION, {"set": "rules", "rules": {"marsh-out_1": {"classes": "birds", "colour": 1}}}),
    (EXTRACTION, {"set": "rules", "rules": {"a b": {"classes": "birds"}}}),
    (EXTRACTION, {"set": "rules", "rules": {f"m{n}": {"classes": "birds"} for n in range(MAX_RULES)}}),
]  # fmt: skip


@pytest.mark.parametrize(("event", "request_"), WRONG, ids=lambda value: str(value)[:40])
def test_what_makes_no_sense_is_answered_with_an_error_and_changes_nothing(
    client: SocketClient, library: Home, event: str, request_: Any
) -> None:
    add_rule(library.catalog, RecorderRuleSpec.parse({"classes": "rain"}), "somebody else")
    client.call(EXTRACTION, {"set": "rules", "rules": {"pond": {"classes": "frogs"}}})
    before = list_rules(library.catalog)
    acknowledged = client.call(event, request_)
    assert sorted(acknowledged) == ["code", "error", "request-origin"]
    (told,) = client.told
    assert told["error"] == acknowledged["error"]
    assert list_rules(library.catalog) == before


def test_changing_rules_wants_role_operate_and_looking_does_not(
    web: WebProcess, engine: FakeEngine, library: Home
) -> None:
    for token in (None, web.token(Role.LABEL)):
        with SocketClient(web, token) as client:
            for event, request in (
                (RECORDER, {"add_rule": RULE}),
                (RECORDER, {"del_rule": 1}),
                (EXTRACTION, {"set": "rules", "rules": {}}),
            ):
                assert "role operate" in client.call(event, request)["error"]
            assert client.call(RECORDER, {"get_rules": ""})["rules"] == []
            assert client.call(EXTRACTION, {"get": "rules"})["rules"] == {}
    assert list_rules(library.catalog) == []
