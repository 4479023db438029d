"""What the parts of the OpenAPI document are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from serving.gateway.openapi_schemas import TEXT, TIME, Schema, ref
from tidzam_platform.labels.statement import VERDICTS

_REASONS: Final = {
    400: "malformed, or not what can be done",
    401: "no token where one is wanted, or one that is not good",
    403: "a token whose role does not go so far, or an address that may not be fetched",
    404: "there is no such thing",
    413: "too many bytes",
    415: "no JSON",
    502: "the engine, or the store, failed",
    503: "no engine or no catalog, or too much at once: try again after Retry-After seconds",
}


def _answer(schema: str, says: str) -> Schema:
    return {"description": says, "content": {"application/json": {"schema": ref(schema)}}}


def operation(
    summary: str,
    answer: str,
    refusals: Sequence[int],
    *,
    role: str = "",
    body: str = "",
    status: int = 200,
    **more: Any,
) -> Schema:
    """One method of a path: what it does, the shape of its answer, the statuses of its refusals, and who may."""
    said = f"{summary} (role {role})" if role else summary
    made: Schema = {"summary": said, **more}
    if role:
        made["security"] = [{"token": []}]
    if body:
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": ref(body)}}}
    made["responses"] = {str(status): _answer(answer, summary)} | {
        str(refusal): _answer("Error", _REASONS[refusal]) for refusal in refusals
    }
    return made


def parameter(name: str, says: str, where: str = "path", schema: Schema = TEXT) -> Schema:
    """One parameter; those that do not stand in the path may be left out."""
    return {"name": name, "in": where, "required": where == "path", "schema": schema, "description": says}


def query(name: str, says: str, schema: Schema = TEXT) -> Schema:
    """One parameter behind the question mark; it may be left out."""
    return parameter(name, says, "query", schema)


def choice(words: Sequence[str]) -> Schema:
    """One of these words."""
    return {"type": "string", "enum": list(words)}


VERDICT: Final = choice(VERDICTS)
DETECTION_HINTS: Final = (
    query("start", "when it starts: then it is found sooner", TIME),
    query("channel", "on which channel it was heard: then it is found sooner"),
)
