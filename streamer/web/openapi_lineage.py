"""The OpenAPI document's part on why something was heard."""

from __future__ import annotations

from typing import Final

from serving.gateway.openapi_schemas import (
    COUNT,
    FROM_ONE,
    NUMBER,
    SECONDS,
    TEXT,
    TIME,
    YES_NO,
    Schema,
    array,
    or_null,
    ref,
    shape,
)
from streamer.web.openapi_parts import DETECTION_HINTS, VERDICT, choice, operation, parameter, query
from tidzam_platform.lineage import MAX_CLIPS

_FINDING: Final = (400, 401, 404, 502, 503)


def schemas() -> dict[str, Schema]:
    """Shapes by name."""
    return {"Lineage": _LINEAGE}


def paths() -> dict[str, Schema]:
    """Operations by path and method."""
    return {
        "/api/v1/detections/{detection}/lineage": {
            "get": operation(
                "Why it was heard: generation, experts, dataset versions, and the labels behind the class",
                "Lineage",
                _FINDING,
                parameters=[
                    parameter("detection", "its id; or a generation and a class, like 3:birds-crow"),
                    *DETECTION_HINTS,
                    query("clips", "examples of each verdict (default 20)", {**COUNT, "maximum": MAX_CLIPS}),
                ],
            )
        }
    }


def _by_verdict(items: Schema) -> Schema:
    return shape({"present": items, "absent": items})


_CLIPS: Final = shape(
    dict.fromkeys(("train", "validation", "test"), _by_verdict(COUNT)),
    description="Different clips by side and verdict, in full; those of test are never learnt from.",
)
_OVERRIDE: Final = shape({"at": TIME, "by": TEXT, "reason": TEXT, "parts": array(TEXT)})
_FACTS: Final = shape(
    {
        "state": choice(("candidate", "refused", "exported")),
        "fingerprint": TEXT,
        "dataset_version": TEXT,
        "made_at": TIME,
        "exported_at": or_null(TIME),
        "macro_f1": or_null(NUMBER),
        "gate": or_null(
            shape(
                {
                    "passed": YES_NO,
                    "reasons": array(TEXT),
                    "incumbent": or_null(FROM_ONE),
                    "override": or_null(_OVERRIDE),
                }
            )
        ),
        "overrides": array(_OVERRIDE),
    }
)
_SERVICE: Final = shape(
    {
        "label": or_null(TEXT),
        "changes": array(
            shape(
                {
                    "time": TIME,
                    "action": TEXT,
                    "label": or_null(TEXT),
                    "by": TEXT,
                    "reason": TEXT,
                    "previous_generation": or_null(FROM_ONE),
                }
            )
        ),
        "changes_in_all": COUNT,
    },
    description="What the model repository says; the newest change first.",
)
_EXPERT: Final = shape(
    {
        "expert": TEXT,
        "decided": {**TEXT, "description": "The next expert, at the end the class."},
        "dataset_version": TEXT,
        "code_version": TEXT,
        "fingerprint": TEXT,
        "weights": TEXT,
        "is_code_of_today": YES_NO,
        "clips": or_null(_CLIPS),
    }
)
_ANNOTATOR: Final = shape({"annotator": TEXT, "tool": TEXT, "labels": FROM_ONE, "first": TIME, "last": TIME})
_EXAMPLE: Final = shape(
    {
        "clip": FROM_ONE,
        "sha256": TEXT,
        "store_key": TEXT,
        "seconds": SECONDS,
        "channel": or_null(TEXT),
        "start": or_null(TIME),
        "side": or_null(TEXT),
        "annotation": FROM_ONE,
        "class_path": TEXT,
        "start_s": or_null(SECONDS),
        "end_s": or_null(SECONDS),
        "annotator": TEXT,
        "tool": TEXT,
        "made_at": TIME,
        "superseded_by": or_null(FROM_ONE),
    }
)
_CORRECTION: Final = shape(
    {
        "kind": choice(("superseded", "beside")),
        "clip": FROM_ONE,
        "class_path": TEXT,
        "verdict": VERDICT,
        "annotator": TEXT,
        "tool": TEXT,
        "made_at": TIME,
        "stands": YES_NO,
        "was": or_null(shape({"class_path": TEXT, "verdict": VERDICT, "annotator": TEXT, "made_at": TIME})),
    },
    description="Said since the version was made: in place of a label, or beside it by others.",
)
_BEHIND: Final = shape(
    {
        "dataset_version": TEXT,
        "made_at": TIME,
        "class_path": TEXT,
        "clips": _CLIPS,
        "annotators": _by_verdict(array(_ANNOTATOR)),
        "examples": _by_verdict(array(_EXAMPLE)),
        "order": {**TEXT, "description": "Of the examples."},
        "corrections": array(_CORRECTION),
        "corrections_in_all": COUNT,
        "erased": {**COUNT, "description": "Clips that were learnt from and are gone since."},
        "erasings": array(shape({"at": TIME, "by": TEXT, "reason": TEXT})),
        "looked_up": {**COUNT, "description": "Clips of which it was seen whether they are gone."},
    },
    description="Labels behind the class, in the dataset version of the expert that decided.",
)
_LINEAGE: Final = shape(
    {
        "detection": or_null(ref("HeardDetection")),
        "event": or_null(
            {"type": "object", "description": "What analyze told of it (only on the command line)."}
        ),
        "class_path": TEXT,
        "generation": shape(
            {
                "number": FROM_ONE,
                "known": {**YES_NO, "description": "Whether the catalog knows it."},
                "facts": or_null(_FACTS),
                "service": _SERVICE,
            }
        ),
        "experts": {**array(_EXPERT), "description": "From the root of the tree to the one that decided."},
        "behind": or_null(_BEHIND),
        "remarks": {**array(TEXT), "description": "What is not known, and why."},
    }
)
