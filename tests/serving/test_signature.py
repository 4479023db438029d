"""A model's description of itself survives the wire, and nonsense is refused."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.signature import ClassDescription, ModelDescription
from tests.support.tiny_model import description
from tidzam_platform.errors import ModelRepositoryError

_WORDS = st.from_regex(r"[a-z]{1,8}(_[a-z0-9]{1,4})?", fullmatch=True)


@st.composite
def descriptions(draw: st.DrawFn) -> ModelDescription:
    tops = draw(st.lists(_WORDS, min_size=1, max_size=5, unique=True))
    thresholds = st.floats(0, 1)
    classes = [ClassDescription(top, None, draw(thresholds)) for top in tops]
    for below in draw(st.lists(_WORDS, max_size=5, unique=True)):
        parent = draw(st.sampled_from(tops))
        classes.append(ClassDescription(f"{parent}-{below}", parent, draw(thresholds)))
    return ModelDescription(
        classes=tuple(classes),
        rate_hz=draw(st.integers(8000, 192_000)),
        window_s=draw(st.floats(0.1, 60)),
        hop_s=draw(st.floats(0.1, 60)),
        generation=draw(st.integers(1, 2**53)),
        dataset_version=draw(st.text()),
        labels=draw(st.sampled_from(["single", "multi"])),
    )


@given(descriptions())
def test_what_to_json_writes_from_json_reads(known: ModelDescription):
    assert ModelDescription.from_json(known.to_json()) == known
    assert ModelDescription.from_json(known.to_json().encode()) == known


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(sorted(asdict(description(1)))), inner)
    ),
    max_leaves=12,
)


@given(_JSON.map(json.dumps) | st.text() | st.binary())
def test_nonsense_is_refused_and_nothing_else_is_raised(text: str | bytes):
    with pytest.raises(ModelRepositoryError):
        ModelDescription.from_json(text)


@given(st.sampled_from(sorted(asdict(description(1)))), _JSON)
def test_a_wrong_value_anywhere_is_refused_or_makes_sense(key: str, value: object):
    values = {**asdict(description(1)), key: value}
    try:
        known = ModelDescription.from_json(json.dumps(values))
    except ModelRepositoryError:
        return
    assert json.loads(known.to_json())[key] == value


def test_a_model_that_was_exported_before_there_were_kinds_has_single_labels():
    values = asdict(description(1))
    del values["labels"]
    assert ModelDescription.from_json(json.dumps(values)).labels == "single"


def test_deep_json_is_refused():
    with pytest.raises(ModelRepositoryError):
        ModelDescription.from_json("[" * 100_000)


def test_windows_and_hops_are_counted_in_frames():
    known = replace(description(1), rate_hz=48_000, window_s=1.0, hop_s=0.35)
    assert (known.window_frames, known.hop_frames) == (48_000, 16_800)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": ()}, "without classes"),
        ({"classes": (ClassDescription("rain", None, 0.5),) * 2}, "twice"),
        ({"classes": (ClassDescription("a-b", "a", 0.5),)}, "has the parent 'a'"),
        ({"classes": (ClassDescription("Rain", None, 0.5),)}, "wrong class"),
        ({"classes": (ClassDescription("rain", None, 1.5),)}, r"threshold 1\.5"),
        ({"window_s": 0.0}, "window_s"),
        ({"hop_s": float("nan")}, "hop_s"),
        ({"generation": 0}, "count from 1"),
        ({"labels": "many"}, "single or multi"),
    ],
)
def test_a_description_that_makes_no_sense_cannot_be_made(change, message):
    with pytest.raises(ModelRepositoryError, match=message):
        replace(description(1), **change)
