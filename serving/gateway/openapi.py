"""The OpenAPI document of the gateway: every path, what it takes and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from serving.gateway.openapi_schemas import FORMAT, FROM_ONE, SCHEMAS, TEXT, Schema, ref

_BYTES: Final[Schema] = {"type": "string", "format": "binary"}
_FILE_BODY: Final = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {"file": _BYTES},
                "required": ["file"],
                "description": "One file, under any name.",
            }
        },
        "application/octet-stream": {"schema": _BYTES},
        "audio/*": {"schema": _BYTES},
    },
}
_REASONS: Final = {
    400: "wrong parameters, or no audio in the file",
    401: "no token, or a wrong one",
    403: "a token whose role does not go so far",
    404: "there is no such thing",
    409: "the repository refuses: retired, damaged, or not in service any more",
    413: "too many bytes, seconds or channels",
    415: "no audio format that is opened here",
    422: "damaged beyond use",
    502: "the model server failed",
    503: "too much at once, or no model server: try again after Retry-After seconds",
    504: "not done in time",
    507: "the gateway's disk is full",
}
_HEARING_REFUSALS: Final = (400, 413, 415, 422, 502, 503, 504, 507)
_MODEL_REFUSALS: Final = (502, 503, 504)


def _parameter(name: str, where: str, schema: Schema, says: str) -> Schema:
    return {
        "name": name,
        "in": where,
        "required": where == "path",
        "schema": schema,
        "description": says,
    }


def _answer(schema: str, says: str) -> Schema:
    return {"description": says, "content": {"application/json": {"schema": ref(schema)}}}


def _operation(
    summary: str, answer: str, refusals: Sequence[int], *, error: str = "Error", **more: Any
) -> Schema:
    responses = {"200": _answer(answer, summary)}
    responses |= {str(status): _answer(error, _REASONS[status]) for status in refusals}
    return {"summary": summary, **more, "responses": responses}


def _page(summary: str, media_type: str) -> Schema:
    return {"summary": summary, "responses": {"200": {"description": summary, "content": {media_type: {}}}}}


_GENERATION: Final = _parameter("generation", "path", FROM_ONE, "number of the generation")


def _change(summary: str, body: str, *parameters: Schema) -> Schema:
    more: Schema = {"parameters": list(parameters)} if parameters else {}
    return _operation(
        summary,
        "Change",
        (400, 401, 403, 404, 409, 413, 503),
        requestBody={"required": True, "content": {"application/json": {"schema": ref(body)}}},
        security=[{"token": []}],
        **more,
    )


def openapi_document() -> dict[str, Any]:
    """The document (OpenAPI 3.1.0); paths are those of the application that mounts the gateway at its root."""
    sample_parameters = [
        _parameter("format", "query", FORMAT, "the body is samples in this form, channels interleaved"),
        _parameter("rate_hz", "query", FROM_ONE, "sampling rate of samples"),
        _parameter("channels", "query", {**FROM_ONE, "default": 1}, "channels of samples"),
    ]
    descriptions = [
        _parameter(name, "query", TEXT, "false leaves the description empty")
        for name in ("desc_de", "desc_en")
    ]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tidzam",
            "version": "1",
            "description": "What is heard in audio, which generation hears it, and JibJib's API beside it.",
        },
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "paths": {
            "/api/v1/detect": {
                "post": _operation(
                    "Detections in a file, or in samples",
                    "Hearing",
                    _HEARING_REFUSALS,
                    parameters=sample_parameters,
                    requestBody=_FILE_BODY,
                )
            },
            "/api/v1/classes": {
                "get": _operation("Classes of the generation in service", "Classes", (400, *_MODEL_REFUSALS))
            },
            "/api/v1/ready": {
                "get": _operation("Whether detections can be answered", "Ready", (400, *_MODEL_REFUSALS))
            },
            "/api/v1/generations": {
                "get": _operation("Generations, their labels, and who changed them", "Generations", (409,))
            },
            "/api/v1/shadow": {
                "get": _operation(
                    "What the canary said of windows that the stable generation answered",
                    "Shadow",
                    (400, 503),
                    parameters=[
                        _parameter(name, "query", FROM_ONE, "of this pair (default: the one compared last)")
                        for name in ("stable", "canary")
                    ],
                )
            },
            "/api/v1/generations/{generation}/promote": {
                "post": _change(
                    "Put a generation into service, or make it the canary", "Promotion", _GENERATION
                )
            },
            "/api/v1/generations/{generation}/rollback": {
                "post": _change(
                    "Go back to the generation before this one, if it is in service", "Rollback", _GENERATION
                )
            },
            "/api/v1/generations/rollback": {
                "post": _change("Go back to the generation that was in service before", "Rollback")
            },
            "/api/v1/openapi.json": {"get": _page("This document", "application/json")},
            "/api/v1/docs": {"get": _page("This document as a page", "text/html")},
            "/ping": {"get": _operation("JibJib: whether it answers", "JibJibPong", ())},
            "/birds/all": {
                "get": _operation(
                    "JibJib: all species, without descriptions",
                    "JibJibBirds",
                    _MODEL_REFUSALS,
                    error="JibJibError",
                )
            },
            "/birds/{id}": {
                "get": _operation(
                    "JibJib: one species",
                    "JibJibBird",
                    (404, *_MODEL_REFUSALS),
                    error="JibJibError",
                    parameters=[_parameter("id", "path", FROM_ONE, "id of the species"), *descriptions],
                )
            },
            "/detect/binary": {
                "post": _operation(
                    "JibJib: the three species that a recording fits best, their shares adding up to 1",
                    "JibJibDetection",
                    (400, 413, *_MODEL_REFUSALS, 507),
                    error="JibJibError",
                    parameters=sample_parameters,
                    requestBody=_FILE_BODY,
                )
            },
        },
    }
