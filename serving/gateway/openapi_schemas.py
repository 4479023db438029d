"""The shapes of what the gateway answers and takes: JSON Schema (draft 2020-12) as OpenAPI 3.1 has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from serving.gateway.raw_audio import FORMATS

Schema = dict[str, Any]

NUMBER: Final[Schema] = {"type": "number"}
SECONDS: Final[Schema] = {"type": "number", "minimum": 0}
SCORE: Final[Schema] = {"type": "number", "minimum": 0, "maximum": 1}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
FROM_ONE: Final[Schema] = {"type": "integer", "minimum": 1}
TEXT: Final[Schema] = {"type": "string"}
TIME: Final[Schema] = {"type": "string", "format": "date-time"}
YES_NO: Final[Schema] = {"type": "boolean"}
LABEL: Final[Schema] = {"type": "string", "enum": ["stable", "canary"]}
FORMAT: Final[Schema] = {"type": "string", "enum": list(FORMATS)}


def or_null(schema: Schema) -> Schema:
    """The schema, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def array(items: Schema) -> Schema:
    """A list of such items."""
    return {"type": "array", "items": items}


def ref(name: str) -> Schema:
    """One of SCHEMAS."""
    return {"$ref": f"#/components/schemas/{name}"}


def shape(properties: dict[str, Schema], *, optional: Sequence[str] = (), description: str = "") -> Schema:
    """An object with these keys and no others; all must be there but the ``optional`` ones."""
    made: Schema = {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }
    return {**made, "description": description} if description else made


def envelope(data: Schema) -> Schema:
    """JibJib's answer."""
    return shape({"status": FROM_ONE, "message": TEXT, "count": COUNT, "data": data})


_SIDES: Final = ("stable", "canary")
_AGREEMENT: Final[dict[str, Schema]] = {
    "windows": COUNT,
    "quiet": COUNT,
    "agreement": or_null(SCORE),
    "leaf_agreement": or_null(SCORE),
}

SCHEMAS: Final[dict[str, Schema]] = {
    "Error": shape(
        {"error": TEXT, "code": TEXT},
        description="Why a request is refused: for people, and as a word for programs.",
    ),
    "Detection": shape(
        {
            "channel": FROM_ONE,
            "start_s": SECONDS,
            "end_s": SECONDS,
            "class": TEXT,
            "score": SCORE,
        },
        description="A class heard without a pause; seconds from the first sample, channels from 1.",
    ),
    "Hole": shape({"start_s": SECONDS, "end_s": SECONDS}, description="Audio that is missing in the file."),
    "Hearing": shape(
        {
            "generation": FROM_ONE,
            "container": TEXT,
            "codec": TEXT,
            "rate_hz": FROM_ONE,
            "channels": FROM_ONE,
            "seconds": SECONDS,
            "holes": array(ref("Hole")),
            "truncated": {**YES_NO, "description": "The file ends early; what there is was heard."},
            "detections": array(ref("Detection")),
        }
    ),
    "Class": shape({"path": TEXT, "parent": or_null(TEXT), "threshold": SCORE}),
    "Classes": shape(
        {
            "generation": FROM_ONE,
            "dataset_version": TEXT,
            "labels": {"type": "string", "enum": ["single", "multi"]},
            "rate_hz": FROM_ONE,
            "window_s": NUMBER,
            "hop_s": NUMBER,
            "classes": array(ref("Class")),
        }
    ),
    "Ready": shape({"generation": FROM_ONE}),
    "Generation": shape(
        {"version": FROM_ONE, "labels": array(TEXT), "retired": YES_NO},
    ),
    "Change": shape(
        {
            "time": TIME,
            "action": TEXT,
            "label": or_null(TEXT),
            "version": FROM_ONE,
            "previous_version": or_null(FROM_ONE),
            "by": TEXT,
            "reason": TEXT,
        },
        description="Who changed what is served, and why.",
    ),
    "Generations": shape(
        {
            "in_service": or_null(FROM_ONE),
            "rollback_target": or_null(FROM_ONE),
            "labels": {"type": "object", "additionalProperties": FROM_ONE},
            "generations": array(ref("Generation")),
            "history": array(ref("Change")),
        }
    ),
    "ShadowPair": shape({"stable": FROM_ONE, "canary": FROM_ONE, "windows": COUNT, "last_at": TIME}),
    "ShadowHour": shape({"hour": TIME, **_AGREEMENT}),
    "ShadowClass": shape(
        {
            "class": TEXT,
            **{f"{side}_windows": or_null(COUNT) for side in _SIDES},
            **{f"{side}_rate": or_null(SCORE) for side in _SIDES},
            "mean_difference": or_null(NUMBER),
            "mean_absolute_difference": or_null(SCORE),
            "largest_difference": or_null(SCORE),
        },
        description="How often it was decided, null where a generation does not know it; canary less stable.",
    ),
    "ShadowLatency": shape(dict.fromkeys(("mean_s", "p50_s", "p90_s", "p99_s"), or_null(SECONDS))),
    "ShadowAnswer": shape({"class": TEXT, "score": SCORE}),
    "ShadowDisagreement": shape(
        {
            "at": TIME,
            "channel": TEXT,
            "start": TEXT,
            **{side: ref("ShadowAnswer") for side in _SIDES},
            "scores": {
                "type": "object",
                "additionalProperties": shape({side: or_null(SCORE) for side in _SIDES}),
            },
        }
    ),
    "ShadowComparison": shape(
        {
            "stable": FROM_ONE,
            "canary": FROM_ONE,
            "first_at": TIME,
            "last_at": TIME,
            "batches": COUNT,
            **_AGREEMENT,
            "unusable": COUNT,
            "classes": array(ref("ShadowClass")),
            "latency": shape({side: ref("ShadowLatency") for side in _SIDES}),
            "hours": array(ref("ShadowHour")),
            "disagreements": array(ref("ShadowDisagreement")),
        },
        description="Agreement and differences leave out the windows that are quiet for both.",
    ),
    "Shadow": shape(
        {"pairs": array(ref("ShadowPair")), "comparison": or_null(ref("ShadowComparison"))},
    ),
    "Promotion": shape(
        {
            "reason": {"type": "string", "minLength": 1, "maxLength": 500},
            "label": {**LABEL, "default": "stable"},
            "by": {"type": "string", "minLength": 1, "maxLength": 100, "default": "http"},
        },
        optional=("label", "by"),
    ),
    "Rollback": shape(
        {
            "reason": {"type": "string", "minLength": 1, "maxLength": 500},
            "by": {"type": "string", "minLength": 1, "maxLength": 100, "default": "http"},
        },
        optional=("by",),
    ),
    "Bird": shape(
        {
            "id": FROM_ONE,
            **dict.fromkeys(("name", "genus", "species", "title_de", "title_en", "desc_de", "desc_en"), TEXT),
        }
    ),
    "JibJibPong": envelope({"type": "null"}),
    "JibJibError": envelope({"type": "null"}),
    "JibJibBirds": envelope(array(ref("Bird"))),
    "JibJibBird": envelope(ref("Bird")),
    "JibJibDetection": envelope(array(shape({"id": FROM_ONE, "accuracy": SCORE}))),
}
