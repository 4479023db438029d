"""The OpenAPI document tells every path there is, and real answers have the shapes that it gives."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from flask import Flask

from serving.gateway import create_gateway_app
from serving.gateway.hearing import GatewayCore
from serving.gateway.openapi import openapi_document
from serving.gateway.page import CONTENT_SECURITY_POLICY
from tests.serving.gateway.gateway_process import Answer, GatewayProcess
from tidzam_platform.access import Role
from tidzam_platform.settings import Settings

NAMES = {"version": "generation", "number": "id"}  # how routes and document call the same


@pytest.fixture
def app(home: Settings) -> Flask:
    return create_gateway_app(home)


def validate(schema: dict[str, Any], value: Any) -> None:
    """Against a schema of the document, whose references lead into it."""
    whole = {**schema, "components": openapi_document()["components"]}
    jsonschema.Draft202012Validator(whole).validate(value)


def schema_of(path: str, method: str, status: int) -> dict[str, Any]:
    response = openapi_document()["paths"][path][method]["responses"][str(status)]
    return response["content"]["application/json"]["schema"]


def test_the_document_names_every_route_with_its_methods_and_no_other(app: Flask) -> None:
    routes = {
        (re.sub(r"<(?:\w+:)?(\w+)>", lambda match: "{" + NAMES[match[1]] + "}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule != "/"
    }
    told = {(path, method) for path, methods in openapi_document()["paths"].items() for method in methods}
    assert told == routes


def test_it_is_served_as_it_is_written(app: Flask) -> None:
    assert app.test_client().get("/api/v1/openapi.json").json == openapi_document()


def test_its_schemas_are_schemas_and_all_references_lead_somewhere() -> None:
    document = openapi_document()
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    used = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert used == set(schemas)


def test_what_changes_something_wants_the_token_in_the_document_too() -> None:
    changing = {
        path
        for path, methods in openapi_document()["paths"].items()
        if any("security" in operation for operation in methods.values())
    }
    assert changing == {path for path in openapi_document()["paths"] if re.search("promote|rollback", path)}


def test_every_answer_has_the_shape_that_the_document_gives_it(gateway: GatewayProcess, tone: Path) -> None:
    birds = gateway.request("GET", "/birds/all").body["data"]
    token = {"Authorization": f"Bearer {gateway.token}", "Content-Type": "application/json"}
    audio = tone.read_bytes()
    asked: list[tuple[str, str, Answer]] = [
        ("/api/v1/detect", "post", gateway.request("POST", "/api/v1/detect", audio)),
        ("/api/v1/detect", "post", gateway.request("POST", "/api/v1/detect", b"no audio")),
        ("/api/v1/detect", "post", gateway.request("POST", "/api/v1/detect", b"")),
        ("/api/v1/classes", "get", gateway.request("GET", "/api/v1/classes")),
        ("/api/v1/ready", "get", gateway.request("GET", "/api/v1/ready")),
        ("/api/v1/generations", "get", gateway.request("GET", "/api/v1/generations")),
        ("/ping", "get", gateway.request("GET", "/ping")),
        ("/birds/all", "get", gateway.request("GET", "/birds/all")),
        ("/birds/{id}", "get", gateway.request("GET", f"/birds/{birds[0]['id']}")),
        ("/birds/{id}", "get", gateway.request("GET", "/birds/999")),
        ("/detect/binary", "post", gateway.request("POST", "/detect/binary", audio)),
        ("/detect/binary", "post", gateway.request("POST", "/detect/binary", b"no audio")),
    ]
    for change in ("/{generation}/promote", "/{generation}/rollback", "/rollback"):
        path = "/api/v1/generations" + change
        url = path.replace("{generation}", "9")
        asked += [
            (path, "post", gateway.request("POST", url, b'{"reason": "why"}', headers))
            for headers in (token, {})
        ]
    for path, method, answer in asked:
        validate(schema_of(path, method, answer.status), answer.body)
    assert {answer.status for _, _, answer in asked} == {200, 400, 401, 404, 409, 415}


def test_changes_have_the_shape_that_the_document_gives_them(home: Settings, publish: Any) -> None:
    publish(1)
    core = GatewayCore(home)
    client = create_gateway_app(home, core=core).test_client()
    _, secret = core.tokens.create(Role.OWN)
    body = {"reason": "why"}
    validate({"$ref": "#/components/schemas/Promotion"}, body)
    answer = client.post(
        "/api/v1/generations/1/promote", json=body, headers={"Authorization": f"Bearer {secret}"}
    )
    validate(schema_of("/api/v1/generations/{generation}/promote", "post", 200), answer.json)
    validate(schema_of("/api/v1/generations", "get", 200), client.get("/api/v1/generations").json)


def test_the_page_shows_every_path_and_needs_nothing_from_elsewhere(app: Flask) -> None:
    answer = app.test_client().get("/", follow_redirects=True)
    assert answer.request.path == "/api/v1/docs"
    assert answer.mimetype == "text/html"
    for path in openapi_document()["paths"]:
        assert path in answer.text
    assert not re.search(r"(src|href)=\"(https?:)?//|<script|@import|url\(", answer.text)
    assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
