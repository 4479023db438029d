"""What is wrong with a value is said in the words of JSON, and never with names of our classes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from tidzam_platform.validation_faults import faults


def _even(value: int) -> int:
    if value % 2:
        raise ValueError("odd numbers are not taken")
    return value


class Leaf(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    size: float = Field(1.0, ge=-60, le=24)
    kind: Literal["oak", "elm"] = "oak"


class Tree(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=3)
    leaves: tuple[Leaf, ...] | None = Field(None, max_length=2)
    crown: Leaf | None = None
    age: Annotated[int, Field(gt=0, lt=10_000_000_000), AfterValidator(_even)] = 2
    dead: bool = False
    place: Path | None = None


def said(value: Any) -> list[str]:
    with pytest.raises(ValidationError) as refused:
        Tree.model_validate(value)
    return [str(fault) for fault in faults(refused.value, Tree)]


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ({}, "name: this field is missing"),
        ({"name": 5}, "name: this must be a string"),
        ({"name": "long"}, "name: this has more than 3 characters"),
        ({"name": ""}, "name: this must have 1 character(s) or more"),
        ({"leaves": {}}, "leaves: this must be an array, [...]"),
        ({"leaves": [{}] * 3}, "leaves: these are more than 2"),
        ({"leaves": [{}, {"colour": 1}]}, "leaves.1.colour: there is no such field (fields: size, kind)"),
        ({"leaves": [5]}, "leaves.0: this must be an object (fields: size, kind)"),
        ({"leaves": [{"size": "big"}]}, "leaves.0.size: this must be a number"),
        ({"crown": {"size": 25}}, "crown.size: this must be 24 or less"),
        ({"crown": {"size": -61}}, "crown.size: this must be -60 or more"),
        ({"crown": {"size": float("nan")}}, "crown.size: this must be a finite number"),
        ({"crown": {"kind": "ash"}}, "crown.kind: this must be 'oak' or 'elm'"),
        ({"crown": []}, "crown: this must be an object (fields: size, kind)"),
        ({"age": "old"}, "age: this must be a whole number"),
        ({"age": 2.5}, "age: this must be a whole number"),
        ({"age": 0}, "age: this must be more than 0"),
        ({"age": 10_000_000_000}, "age: this must be less than 10000000000"),
        ({"age": 3}, "age: odd numbers are not taken"),
        ({"dead": "maybe"}, "dead: this must be true or false"),
        ({"place": 5}, "place: this must be a string"),
        ({"hight": 3}, "hight: there is no such field (fields: name, leaves, crown, age, dead, place)"),
    ],
)
def test_each_fault_says_how_it_must_be(value: dict[str, Any], what: str) -> None:
    assert said({"name": "elm"} | value if value else value) == [what]


@pytest.mark.parametrize("value", [None, 5, "elm", [], [["name", "elm"]]])
def test_what_is_no_object_is_told_which_fields_there_are(value: Any) -> None:
    assert said(value) == ["this must be an object (fields: name, leaves, crown, age, dead, place)"]


def test_without_the_shape_no_fields_are_named() -> None:
    with pytest.raises(ValidationError) as refused:
        Tree.model_validate({"name": "elm", "hight": 3})
    assert [str(fault) for fault in faults(refused.value)] == ["hight: there is no such field"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*Tree.model_fields, *Leaf.model_fields, "more"]), inner, max_size=5
        )
    ),
    max_leaves=10,
)


@given(VALUES)
def test_no_words_of_pydantic_come_out(value: Any) -> None:
    try:
        Tree.model_validate(value)
    except ValidationError as error:
        for fault in faults(error, Tree):
            assert not re.search(
                r"Input should|Extra inputs|Field required|instance|Leaf|Tree|tuple", fault.what
            )
