"""What annotators send: the shapes of annotations over HTTP."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tidzam_platform.labels.annotations import Replaces
from tidzam_platform.labels.class_paths import MAX_PATH_LENGTH
from tidzam_platform.labels.statement import Statement, Verdict

MAX_STATEMENTS: Final = 1000
_ONE: Final = "annotations"


class AnnotationStatement(BaseModel):
    """A class is heard, is not, or nobody can say."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)

    class_path: str = Field(min_length=1, max_length=MAX_PATH_LENGTH, description="e.g. birds-american_crow.")
    verdict: Verdict = Field("present", description="Whether it is heard.")
    start_s: float | None = Field(
        None, ge=0, description="Seconds from the clip's first sample; all of it by default."
    )
    end_s: float | None = Field(None, gt=0, description="End of that stretch; goes with start_s.")
    low_hz: float | None = Field(None, ge=0, description="Lower edge of the frequencies that are meant.")
    high_hz: float | None = Field(None, gt=0, description="Their upper edge.")

    def statement(self) -> Statement:
        """As the labels keep it; raises LabelError or InvalidNameError."""
        return Statement(**self.model_dump())


class Annotating(BaseModel):
    """What one annotator says of a clip or a detection: one statement alone, or several under ``annotations``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    annotations: tuple[AnnotationStatement, ...] = Field(min_length=1, max_length=MAX_STATEMENTS)
    replaces: Replaces = Field(
        "same",
        description="What the same annotator said before gives way: of the same class and stretch; of the same "
        "stretches; or all of it, and what is not said again becomes unsure.",
    )
    corrects: int | None = Field(
        None, ge=1, strict=True, description="Id of the annotation that the one statement corrects."
    )

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, value: Any) -> Any:
        """A statement that stands alone is one of a list."""
        if not isinstance(value, dict) or _ONE in value:
            return value
        about = {key: value[key] for key in ("replaces", "corrects") if key in value}
        return {_ONE: [{key: said for key, said in value.items() if key not in about}], **about}
