"""JSON text to values: all that ``json`` reads, within bounds, with RapidJSON's words for what is wrong."""

from __future__ import annotations

import contextlib
import json
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from serving.server.refusals import RefusalError
from serving.server.rest.json_text import MAX_DEPTH, parse_json

_MANY = 1_000_000


def parsed(text: str | bytes, max_numbers: int = _MANY):
    return parse_json(text.encode() if isinstance(text, str) else text, max_numbers)


def plain(value):
    """``value`` with lists in place of arrays."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list):
        return [plain(item) for item in value]
    return {name: plain(item) for name, item in value.items()} if isinstance(value, dict) else value


def refusal(text: str | bytes, max_numbers: int = _MANY) -> str:
    with pytest.raises(RefusalError) as caught:
        parsed(text, max_numbers)
    assert caught.value.code.name == "INVALID_ARGUMENT"
    return caught.value.message


def strict_json(text: str):
    """What ``json`` reads; numbers as RapidJSON has them, and ValueError for two members of one name."""

    def members(pairs):
        if len(dict(pairs)) < len(pairs):
            raise ValueError("a name comes twice")
        return dict(pairs)

    def number(token):
        if math.isinf(float(token)):
            raise ValueError("too large for a double")
        return float(token)

    def integer(token):
        return int(token) if -(2**63) <= int(token) < 2**64 else number(token)

    return json.loads(text, object_pairs_hook=members, parse_float=number, parse_int=integer)


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(deadline=None)
@given(_VALUES, st.sampled_from([None, 1]), st.booleans())
def test_reads_what_json_writes(value, indent, escaped):
    assert plain(parsed(json.dumps(value, indent=indent, ensure_ascii=escaped))) == value


@settings(deadline=None)  # Arrow is loaded on the way
@given(
    st.sampled_from(["f8", "f4", "i8", "u8", "i1"]).flatmap(
        lambda kind: hnp.arrays(kind, 300, elements={"allow_nan": False} if kind[0] == "f" else None)
    ),
    st.sampled_from([",", ", ", " ,\r\n\t"]),
)
def test_reads_long_lists_of_numbers(array, comma):
    numbers = array.tolist()
    value = parsed(f"[{comma.join(map(json.dumps, numbers))}]")
    assert plain(value) == numbers
    assert [type(number) for number in plain(value)] == [type(number) for number in numbers]


@given(st.lists(st.sampled_from([*'{}[]":,0123456789.eE+-nulltruefasNIity \\\n', "é"])).map("".join))
def test_refuses_what_json_refuses(text):
    try:
        expected = strict_json(text)
    except ValueError:
        refusal(text)
    else:
        np.testing.assert_equal(plain(parsed(text)), expected)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_value_or_refused(text):
    with contextlib.suppress(RefusalError):
        parsed(text)


def test_special_tokens_are_numbers():
    # tensorflow/serving g3doc/api_rest.md, "JSON conformance"
    for length in (1, 200):  # in a short list and in a long one
        values = plain(parsed("[" + ",".join(["NaN", "Infinity", "-Infinity"] * length) + "]"))
        assert math.isnan(values[0])
        assert values[1:3] == [math.inf, -math.inf]


def test_a_byte_order_mark_is_passed_over():
    assert parsed(b"\xef\xbb\xbf{}") == {}


# Words: GetParseError_En in RapidJSON's error/en.h, where there are such.
_FAULTS = {
    " \n": "The document is empty. at offset: 2",
    "{} {}": "The document root must not be followed by other values. at offset: 3",
    "[1,]": "Invalid value. at offset: 3",
    "[tru]": "Invalid value. at offset: 1",
    "[nan]": "Invalid value. at offset: 1",
    "[-]": "Invalid value. at offset: 1",
    "{1: 2}": "Missing a name for object member. at offset: 1",
    '{"a": 1,}': "Missing a name for object member. at offset: 8",
    '{"a" 1}': "Missing a colon after a name of object member. at offset: 5",
    '{"a": 1]': "Missing a comma or } after an object member. at offset: 7",
    "[1 2]": "Missing a comma or ] after an array element. at offset: 3",
    "[1": "Missing a comma or ] after an array element. at offset: 2",
    '["abc': "Missing a closing quotation mark in string. at offset: 5",
    '["abc\\': "Missing a closing quotation mark in string. at offset: 5",
    '["a\nb"]': "Invalid encoding in string. at offset: 3",
    '["\\x"]': "Invalid escape character in string. at offset: 1",
    '["\\u12g4"]': "Incorrect hex digit after \\u escape in string. at offset: 1",
    '["\\ud800"]': "The surrogate pair in string is invalid. at offset: 1",
    "[1.]": "Miss fraction part in number. at offset: 2",
    "[1e]": "Miss exponent in number. at offset: 2",
    "[1e999]": "Number too big to be stored in double. at offset: 1",
    f"[{'9' * 400}]": "Number too big to be stored in double. at offset: 1",
    '{"a": 1, "a": 2}': "The name 'a' comes twice in one object. at offset: 9",
}


@pytest.mark.parametrize("text", _FAULTS)
def test_says_what_is_wrong_and_where(text):
    assert refusal(text) == f"JSON Parse error: {_FAULTS[text]}"


def test_wrong_utf8_is_refused():
    assert refusal(b'["ab\xff"]') == "JSON Parse error: Invalid encoding in string. at offset: 4"
    assert refusal(b"[1,\xff]") == "JSON Parse error: Invalid value. at offset: 3"


_LONG = ",".join(["0.5"] * 200)
_LONG_FAULTS = {
    f"[{_LONG},]": "Invalid value.",
    f"[{_LONG},,1]": "Invalid value.",
    f"[{_LONG} 1]": "Missing a comma or ] after an array element.",
    f"[{_LONG},nan]": "Invalid value.",
    f"[{_LONG},inf]": "Invalid value.",
    f"[{_LONG},1e999]": "Number too big to be stored in double.",
    f"[{_LONG},0x1]": "Missing a comma or ] after an array element.",
    f"[{_LONG},é]": "Invalid value.",
    f"[{_LONG}": "Missing a comma or ] after an array element.",
    f"[{_LONG}}}": "Missing a comma or ] after an array element.",
}


@pytest.mark.parametrize("text", _LONG_FAULTS)
def test_long_lists_have_faults_of_the_same_words(text):
    assert _LONG_FAULTS[text] in refusal(text)


def test_long_lists_may_hold_what_is_no_number():
    assert parsed(f"[{_LONG},true,null]")[-2:] == [True, None]


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_deep_nesting_is_refused(opening):
    depth = MAX_DEPTH - 1
    assert parsed("[" * depth + "]" * depth)
    assert refusal(opening * 100_000) == f"JSON nested deeper than {MAX_DEPTH} levels"


@pytest.mark.parametrize("item", [b"[]", b'"ab"', b'{"a":1}', b"1e1"])
def test_many_small_values_are_refused_before_they_take_memory(item):
    text = b"[" + item + (b"," + item) * 500_000  # as objects at least 30 MB
    text += b"]" if item == b"1e1" else b',"]'
    tracemalloc.start()
    try:
        message = refusal(text, max_numbers=400_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert message.startswith("JSON with more than ")
    assert peak < 20e6


def test_more_numbers_than_allowed_are_refused():
    numbers = ",".join(["0"] * 1000)
    assert len(parsed(f"[[{numbers}],[{numbers}]]", 2000)) == 2
    assert refusal(f"[[{numbers}],[{numbers}]]", 1999).startswith("JSON with more than 1999 numbers")
