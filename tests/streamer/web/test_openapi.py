"""The OpenAPI document tells every path of the process, and real answers have the shapes that it gives."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from flask import Flask

from serving.gateway.openapi import openapi_document as gateway_document
from streamer.web.app import WebApp
from streamer.web.core import WebCore
from streamer.web.openapi import openapi_document
from tests.clips.made import metadata, record
from tests.detections.made import heard
from tests.streamer.web.web_process import Answer, WebProcess
from tests.support.fake_engine import FakeEngine
from tidzam_platform.detections.live import LiveDetections
from tidzam_platform.home import Home
from tidzam_platform.settings import Settings

NAMES = {"version": "generation", "number": "id"}  # how routes and document call the same
UNTOLD = ("/", "/assets/<name>")
HEARD_AT_ONCE = ("/api/v1/detect", "/detect/binary")  # what is sent there is kept nowhere
MARSH = {"name": "marsh", "url": "http://example.org/marsh.ogg"}


@pytest.fixture
def app(home: Settings) -> Iterator[Flask]:
    core = WebCore(home)
    made = WebApp(core)
    yield made.flask
    made.close()
    core.close()


def validate(schema: dict[str, Any], value: Any) -> None:
    whole = {**schema, "components": openapi_document()["components"]}
    jsonschema.Draft202012Validator(whole).validate(value)


def test_the_document_names_every_route_with_its_methods_and_no_other(app: Flask) -> None:
    routes = {
        (
            re.sub(r"<(?:\w+:)?(\w+)>", lambda match: "{" + NAMES.get(match[1], match[1]) + "}", rule.rule),
            method.lower(),
        )
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule not in UNTOLD
    }
    told = {(path, method) for path, methods in openapi_document()["paths"].items() for method in methods}
    assert told == routes


def test_the_gateway_s_paths_and_shapes_are_in_it() -> None:
    ours, gateway = openapi_document(), gateway_document()
    assert gateway["paths"].items() <= ours["paths"].items()
    assert gateway["components"]["schemas"].items() <= ours["components"]["schemas"].items()


def test_its_schemas_are_schemas_and_all_references_lead_somewhere() -> None:
    document = openapi_document()
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    used = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert used == set(schemas)


def test_it_is_served_with_its_page(web: WebProcess) -> None:
    assert web.request("GET", "/api/v1/openapi.json").body == openapi_document()
    page = web.request("GET", "/api/v1/docs").body.decode()
    for path in openapi_document()["paths"]:
        assert path in page


def test_what_wants_a_role_says_so_in_the_document() -> None:
    for path, methods in openapi_document()["paths"].items():
        for method, operation in methods.items():
            changes = method in ("put", "delete") or (method == "post" and path not in HEARD_AT_ONCE)
            assert ("security" in operation) == changes, path
            if changes:
                assert {"401", "403"} <= set(operation["responses"]), path


def test_what_is_heard_and_kept_has_the_shape_that_the_document_gives_it(
    web: WebProcess, library: Home, tmp_path: Path
) -> None:
    token, one = web.token(), heard()
    LiveDetections(library.catalog).add([one])
    clip = record(library.catalog, library.store, tmp_path, metadata())
    rules, detections, clips = "/api/v1/rules", "/api/v1/detections", "/api/v1/clips"
    labels, heard_labels = f"{clips}/{{clip}}/annotations", f"{detections}/{{detection}}/annotations"
    made = web.request("POST", rules, {"classes": "birds"}, token=token).body["id"]

    def ask(path: str, method: str = "GET", body: Any = None, *, query: str = "") -> tuple[str, str, Answer]:
        url = path.replace("{clip}", str(clip.id)).replace("{detection}", one.id).replace("{rule}", str(made))
        return path, method.lower(), web.request(method, url + query, body, token=token)

    spec = {"classes": ["birds"], "score": "0.3 to 0.6", "schedule": {"times": "22:00-04:00"}, "rate": "auto"}
    label = {"class_path": "birds-crow", "start_s": 0, "end_s": 0.1}
    several = {"annotations": [{"class_path": "rain", "verdict": "absent"}], "replaces": "same"}
    validate({"$ref": "#/components/schemas/RuleSpecification"}, spec)
    validate({"$ref": "#/components/schemas/Annotating"}, label)
    validate({"$ref": "#/components/schemas/Annotating"}, several)
    asked = [
        ask(rules, "POST", spec), ask(rules, "POST", {"rate": 5}), ask(rules), ask(f"{rules}/{{rule}}", "DELETE"),
        ask(f"{rules}/{{rule}}", "DELETE"), ask(rules, query="?removed=true"), ask(rules, query="?x=1"),
        ask(labels, "POST", label), ask(labels, "POST", label), ask(labels, "POST", several), ask(labels, "POST", {}),
        ask(labels), ask(heard_labels, "POST", {"class_path": "rain"}), ask(heard_labels), ask(clips),
        ask(f"{clips}/{{clip}}"), ask(clips, query="?limit=0"), ask(detections), ask(detections, query="?limit=0"),
    ]  # fmt: skip
    clip = dataclasses.replace(clip, id=999_999)
    asked += [
        ask(f"{clips}/{{clip}}"),
        ask(f"{clips}/{{clip}}/audio"),
        ask(labels),
        ask(labels, "POST", label),
    ]
    for path, method, answer in asked:
        response = openapi_document()["paths"][path][method]["responses"][str(answer.status)]
        validate(response["content"]["application/json"]["schema"], answer.body)
    assert {answer.status for _, _, answer in asked} == {200, 201, 400, 404}


def test_answers_have_the_shape_that_the_document_gives_them(web: WebProcess, engine: FakeEngine) -> None:
    token = web.token()
    sources, mixer = "/api/v1/sources", "/api/v1/mixer/{channel}"
    validate({"$ref": "#/components/schemas/SourceSpecification"}, {**MARSH, "channels": "0,3"})
    validate({"$ref": "#/components/schemas/MixerChange"}, {"mute": True})

    def ask(path: str, method: str, body: Any = None, token: str | None = token) -> tuple[str, str, Answer]:
        url = path.replace("{name}", "marsh").replace("{channel}", "marsh:out_1")
        return path, method.lower(), web.request(method, url, body, token=token)

    seek = {"date": "2026-04-01-05-30-00"}
    asked = [
        ask(sources, "POST", MARSH), ask(sources, "POST", {}), ask(sources, "POST", MARSH, None),
        ask(sources, "POST", MARSH, web.token("label")), ask(sources, "GET"), ask(f"{sources}/{{name}}", "GET"),
        ask(f"{sources}/{{name}}/seek", "POST", seek), ask("/api/v1/channels", "GET"), ask("/api/v1/database", "GET"),
        ask(mixer, "PUT", {"mute": True}), ask(mixer, "PUT", {}), ask(mixer, "DELETE"),
        ask("/api/v1/mixer/audit", "GET"), ask("/healthz", "GET"), ask("/readyz", "GET"),
        ask(f"{sources}/{{name}}", "DELETE"), ask(f"{sources}/{{name}}", "DELETE"),
        ask(f"{sources}/{{name}}", "GET"), ask(mixer, "DELETE"),
    ]  # fmt: skip
    engine.graph = None
    asked.append(ask("/readyz", "GET"))
    for path, method, answer in asked:
        response = openapi_document()["paths"][path][method]["responses"][str(answer.status)]
        validate(response["content"]["application/json"]["schema"], answer.body)
    assert {answer.status for _, _, answer in asked} == {200, 201, 400, 401, 403, 404, 503}


def test_docs_tell_every_path() -> None:
    text = Path("docs/web.md").read_text()
    for path, methods in openapi_document()["paths"].items():
        if path not in gateway_document()["paths"]:
            for method in methods:
                assert f"`{method.upper()} {path}`" in text
