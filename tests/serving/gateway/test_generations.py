"""Generations over HTTP: anyone may look, whoever has the token may change what is served."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from serving.gateway import create_gateway_app
from serving.gateway.hearing import GatewayCore
from serving.repository import ModelRepository
from tidzam_platform.access import Role, make_initial_token
from tidzam_platform.settings import Settings

URL = "/api/v1/generations"


@pytest.fixture
def core(home: Settings, publish: Callable[..., None]) -> Iterator[GatewayCore]:
    """Of a home that holds generations 1 to 3; 1 is stable."""
    for version in (1, 2, 3):
        publish(version)
    core = GatewayCore(home)
    core.repository.promote(1, by="test", reason="the first")
    yield core
    core.close()


@pytest.fixture
def app(core: GatewayCore) -> Flask:
    return create_gateway_app(core.settings, core=core)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def own_token(core: GatewayCore) -> str:
    return make_initial_token(core.settings.home / "secrets")


def ask(client: FlaskClient, core: GatewayCore, path: str, **body: Any) -> Any:
    return client.post(f"{URL}{path}", json=body, headers={"Authorization": f"Bearer {own_token(core)}"})


def test_promote_and_rollback_move_the_label_and_are_remembered(
    client: FlaskClient, core: GatewayCore, repository: ModelRepository
) -> None:
    promoted = ask(client, core, "/2/promote", reason="better on wrens", by="ann")
    assert promoted.status_code == 200
    assert repository.labels() == {"stable": 2}
    last = repository.history()[-1]
    assert promoted.json == last.to_json()
    assert (last.by, last.reason, last.version, last.previous_version) == ("ann", "better on wrens", 2, 1)
    assert ask(client, core, "/3/promote", reason="try it", label="canary").json["label"] == "canary"
    assert repository.labels() == {"stable": 2, "canary": 3}
    back = ask(client, core, "/rollback", reason="wrens everywhere")
    assert (back.json["action"], back.json["version"], back.json["by"]) == ("rollback", 1, "http")
    assert repository.labels()["stable"] == 1


def test_what_is_told_is_what_the_repository_says(
    client: FlaskClient, core: GatewayCore, repository: ModelRepository
) -> None:
    repository.promote(2, by="test", reason="better")
    repository.promote(3, by="test", reason="try it", label="canary")
    told = client.get(URL).json
    assert told["in_service"] == 2
    assert told["rollback_target"] == 1
    assert told["labels"] == {"stable": 2, "canary": 3}
    assert told["generations"] == [
        {"version": 1, "labels": [], "retired": False},
        {"version": 2, "labels": ["stable"], "retired": False},
        {"version": 3, "labels": ["canary"], "retired": False},
    ]
    assert [change["version"] for change in told["history"]] == [1, 2, 3]


def test_an_empty_repository_is_told_too(home: Settings) -> None:
    core = GatewayCore(home)
    told = create_gateway_app(home, core=core).test_client().get(URL).json
    assert told == {
        "in_service": None, "rollback_target": None, "labels": {}, "generations": [], "history": [],
    }  # fmt: skip


def test_a_rollback_that_names_where_from_is_done_once(
    client: FlaskClient, core: GatewayCore, repository: ModelRepository
) -> None:
    for version in (2, 3):
        repository.promote(version, by="test", reason="better")
    assert ask(client, core, "/3/rollback", reason="worse").json["version"] == 2
    assert ask(client, core, "/3/rollback", reason="worse").json["version"] == 2
    assert repository.labels() == {"stable": 2}
    refused = ask(client, core, "/1/rollback", reason="worse")
    assert (refused.status_code, refused.json["code"]) == (409, "refused_by_repository")


@pytest.mark.parametrize("path", ["/2/promote", "/rollback", "/1/rollback", "/99/promote"])
@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic {token}", "{token}"])
def test_without_the_token_nothing_changes(
    client: FlaskClient, core: GatewayCore, repository: ModelRepository, path: str, header: str | None
) -> None:
    before = repository.history()
    headers = {} if header is None else {"Authorization": header.format(token=own_token(core))}
    answer = client.post(f"{URL}{path}", json={"reason": "mine"}, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert own_token(core) not in answer.text
    assert repository.history() == before


@pytest.mark.parametrize("version", ["99", "0", "-1", "01", "1.0", "one", "9" * 5000, "%2e%2e", "1%00"])
def test_there_is_no_such_generation(client: FlaskClient, core: GatewayCore, version: str) -> None:
    assert ask(client, core, f"/{version}/promote", reason="mine").status_code == 404


def test_what_the_repository_refuses_is_refused(
    client: FlaskClient, core: GatewayCore, repository: ModelRepository
) -> None:
    repository.retire(2, by="test", reason="bad labels")
    answer = ask(client, core, "/2/promote", reason="mine")
    assert answer.status_code == 409
    assert "retired" in answer.json["error"]
    assert ask(client, core, "/rollback", reason="mine").status_code == 409, "there is nothing before 1"


def test_a_damaged_generation_is_not_promoted_and_no_path_is_told(
    client: FlaskClient, core: GatewayCore, repository: ModelRepository
) -> None:
    (repository.path(2) / "saved_model.pb").write_bytes(b"damaged")
    answer = ask(client, core, "/2/promote", reason="mine")
    assert answer.status_code == 409
    assert str(core.settings.home) not in answer.text
    assert repository.labels() == {"stable": 1}


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{}", "application/json", 400),
        (b'{"reason": " "}', "application/json", 400),
        (b'{"reason": 7}', "application/json", 400),
        (b'{"reason": "x\\u0000"}', "application/json", 400),
        (json.dumps({"reason": "x" * 501}).encode(), "application/json", 400),
        (b'{"reason": "x", "label": "latest"}', "application/json", 400),
        (b'{"reason": "x", "by": ""}', "application/json", 400),
        (b'{"reason": "x", "other": "y"}', "application/json", 400),
        (b'["reason"]', "application/json", 400),
        (b"[" * 50_000, "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"", "application/json", 400),
        (b'{"reason": "' + b"x" * 70_000 + b'"}', "application/json", 413),
        (b'{"reason": "x"}', "text/plain", 415),
        (b"reason=x", "application/x-www-form-urlencoded", 415),
    ],
)
def test_wrong_bodies_are_refused_with_a_reason(
    client: FlaskClient,
    core: GatewayCore,
    repository: ModelRepository,
    body: bytes,
    content_type: str,
    status: int,
) -> None:
    answer = client.post(
        f"{URL}/2/promote",
        data=body,
        content_type=content_type,
        headers={"Authorization": f"Bearer {own_token(core)}"},
    )
    assert answer.status_code == status, answer.text
    assert answer.json["error"]
    assert repository.labels() == {"stable": 1}


@pytest.mark.parametrize(("role", "status"), [(Role.OWN, 200), (Role.OPERATE, 403), (Role.LISTEN, 403)])
def test_a_token_of_role_own_may_and_no_lesser_one(
    client: FlaskClient, core: GatewayCore, repository: ModelRepository, role: Role, status: int
) -> None:
    _, secret = core.tokens.create(role)
    answer = client.post(
        f"{URL}/2/promote", json={"reason": "better"}, headers={"Authorization": f"Bearer {secret}"}
    )
    assert answer.status_code == status
    assert repository.labels() == {"stable": 2 if status == 200 else 1}
