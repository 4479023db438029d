"""Which generations there are, and who may put which into service."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from flask import Blueprint, Response, jsonify, request

from serving.gateway.access_token import require_owner
from serving.gateway.hearing import GatewayCore
from serving.gateway.refusals import HttpRefusalError, bad_request, too_large
from serving.repository import CANARY, STABLE

_VERSION: Final = re.compile(r"[1-9][0-9]{0,17}")
_LABELS: Final = (STABLE, CANARY)
_MAX_BODY_BYTES: Final = 1 << 16
_MAX_REASON: Final = 500
_MAX_NAME: Final = 100
_HISTORY: Final = 100  # the newest changes that are told
_BY: Final = "http"


def add_generation_views(views: Blueprint, core: GatewayCore) -> None:
    """``GET /generations``; ``POST`` of promote and rollback for whoever has the token."""

    @views.get("/generations")
    def generations() -> Response:
        return jsonify(_generations_object(core))

    @views.post("/generations/<version>/promote")
    def promote(version: str) -> Response:
        require_owner(request.headers.get("Authorization"), core.tokens)
        number = _known_version(core, version)
        asked = _body("reason", "label", "by")
        label = asked.get("label", STABLE)
        if label not in _LABELS:
            raise bad_request(f"label is {' or '.join(_LABELS)}")
        change = core.repository.promote(number, by=_by(asked), reason=_reason(asked), label=label)
        return jsonify(change.to_json())

    @views.post("/generations/rollback")
    def rollback() -> Response:
        return _rollback(core, None)

    @views.post("/generations/<version>/rollback")
    def rollback_from(version: str) -> Response:
        return _rollback(core, version)


def _rollback(core: GatewayCore, version: str | None) -> Response:
    require_owner(request.headers.get("Authorization"), core.tokens)
    asked = _body("reason", "by")
    # With a number a request that is repeated, or sent by two people at once, still goes back one step.
    expected = None if version is None else _known_version(core, version)
    change = core.repository.rollback(by=_by(asked), reason=_reason(asked), expected=expected)
    return jsonify(change.to_json())


def _known_version(core: GatewayCore, text: str) -> int:
    if not _VERSION.fullmatch(text) or int(text) not in core.repository.versions():
        raise HttpRefusalError(404, "not_found", f"no generation {text[:20]}")
    return int(text)


def _body(*known: str) -> dict[str, str]:
    """The JSON object of the request: texts under known keys."""
    if request.mimetype != "application/json":
        raise HttpRefusalError(415, "no_json", "send a JSON object with Content-Type: application/json")
    if (request.content_length or 0) > _MAX_BODY_BYTES:
        raise too_large(f"more than {_MAX_BODY_BYTES} bytes")
    request.max_content_length = _MAX_BODY_BYTES + 1
    try:
        body: Any = json.loads(request.get_data())
    except (ValueError, RecursionError) as error:
        raise bad_request(f"the body is no JSON: {error}") from error
    if not isinstance(body, dict) or not all(isinstance(value, str) for value in body.values()):
        raise bad_request("the body is a JSON object of texts")
    if unknown := sorted(set(body) - set(known)):
        raise bad_request(f"unknown key {unknown[0][:40]!r}: there are {', '.join(known)}")
    return body


def _reason(asked: dict[str, str]) -> str:
    if not asked.get("reason", "").strip():
        raise bad_request("say why: a reason is kept in the history")
    return _text("reason", asked["reason"], _MAX_REASON)


def _by(asked: dict[str, str]) -> str:
    return _text("by", asked.get("by", _BY), _MAX_NAME)


def _text(key: str, value: str, longest: int) -> str:
    if not value or len(value) > longest or not value.isprintable():
        raise bad_request(f"{key} is a text of 1 to {longest} printable characters")
    return value


def _generations_object(core: GatewayCore) -> dict[str, Any]:
    repository = core.repository
    labels, retired = repository.labels(), set(repository.retired())
    return {
        "in_service": repository.in_service(),
        "rollback_target": repository.rollback_target(),
        "labels": labels,
        "generations": [
            {
                "version": version,
                "labels": sorted(label for label, labelled in labels.items() if labelled == version),
                "retired": version in retired,
            }
            for version in repository.versions()
        ],
        "history": [change.to_json() for change in repository.history()[-_HISTORY:]],
    }
