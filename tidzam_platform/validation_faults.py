"""What is wrong with a value from outside, in plain words: pydantic's own name its classes and Python's types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, NamedTuple, get_args, get_origin

from pydantic import BaseModel, ValidationError

_MAX_PLACE: Final = 80  # characters of where it is: a key from outside is part of it
_ONE_OF_OURS: Final = ("Value error, ", "Assertion failed, ")
_OBJECTS: Final = ("model_type", "model_attributes_type", "dict_type", "mapping_type", "dataclass_type")
_SAID: Final[Mapping[str, str]] = {
    "missing": "this field is missing",
    **dict.fromkeys(
        ("tuple_type", "list_type", "set_type", "frozen_set_type", "iterable_type"),
        "this must be an array, [...]",
    ),
    **dict.fromkeys(("string_type", "path_type", "url_type"), "this must be a string"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "this must be a whole number"),
    "int_parsing_size": "this number is too large",
    **dict.fromkeys(("float_type", "float_parsing"), "this must be a number"),
    "finite_number": "this must be a finite number",
    **dict.fromkeys(("bool_type", "bool_parsing"), "this must be true or false"),
    "none_required": "this must be null",
    "json_invalid": "this is no JSON",
    "literal_error": "this must be {expected}",
    "enum": "this must be {expected}",
    "greater_than": "this must be more than {gt:.15g}",
    "greater_than_equal": "this must be {ge:.15g} or more",
    "less_than": "this must be less than {lt:.15g}",
    "less_than_equal": "this must be {le:.15g} or less",
    "string_too_long": "this has more than {max_length} characters",
    "string_too_short": "this must have {min_length} character(s) or more",
    "too_long": "these are more than {max_length}",
    "too_short": "{min_length} or more must be given here",
}  # by pydantic's name of what is wrong: https://docs.pydantic.dev/latest/errors/validation_errors/


class Fault(NamedTuple):
    """One thing that is wrong.

    Attributes:
        place: of it, ``annotations.0.start_s`` for instance; empty where it is the whole value.
        what: is wrong there, and how it must be.
    """

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}" if self.place else self.what


def faults(error: ValidationError, shape: type[BaseModel] | None = None) -> tuple[Fault, ...]:
    """All that is wrong, at least one thing, without the value itself: it may be a secret.

    Args:
        error: of the validation.
        shape: what the value was to be, if that is known: its fields are named where one is given that there is not.
    """
    found = error.errors(include_url=False, include_input=False)
    return tuple(dict.fromkeys(_told(one, shape) for one in found))


def _told(fault: Mapping[str, Any], shape: type[BaseModel] | None) -> Fault:
    place, kind = fault["loc"], fault["type"]
    if kind == "extra_forbidden":
        what = f"there is no such field{_fields(_shape_at(shape, place[:-1]))}"
    elif kind in _OBJECTS:
        what = f"this must be an object{_fields(_shape_at(shape, place))}"
    elif kind in _SAID:
        what = _SAID[kind].format(**fault.get("ctx", {}))
    else:
        what = fault["msg"]
        for prefix in _ONE_OF_OURS:
            what = what.removeprefix(prefix)
        what = what.replace("Input should", "this should", 1)
    return Fault(".".join(str(step) for step in place)[:_MAX_PLACE], what)


def _fields(shape: type[BaseModel] | None) -> str:
    return f" (fields: {', '.join(shape.model_fields)})" if shape is not None else ""


def _shape_at(shape: type[BaseModel] | None, place: Sequence[int | str]) -> type[BaseModel] | None:
    """The object that stands there; None where it is not known."""
    for step in place:
        if shape is None:
            return None
        if isinstance(step, str):
            field = shape.model_fields.get(step)
            shape = None if field is None else next(_shapes(field.annotation), None)
        # A number is a place in an array, whose items have the shape that its field has told.
    return shape


def _shapes(annotation: Any) -> Iterator[type[BaseModel]]:
    """Those in a type: of its items, or of one of its alternatives."""
    if isinstance(annotation, type) and not get_origin(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    parts = get_args(annotation)
    for part in parts[:1] if get_origin(annotation) is Annotated else parts:
        yield from _shapes(part)
