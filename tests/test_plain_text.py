"""Texts from outside hold no character that nobody can write."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidzam_platform.errors import InvalidNameError
from tidzam_platform.plain_text import require_plain


@given(st.text())
def test_control_characters_and_halves_of_characters_are_refused_and_nothing_else(text: str) -> None:
    is_plain = not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text)
    if is_plain:
        require_plain(text, "text")
    else:
        with pytest.raises(InvalidNameError, match="control character U"):
            require_plain(text, "text")


@pytest.mark.parametrize(
    "value", [{"a": {"b": ["x", "\0"]}}, {"\0": 1}, [[("a", "\x7f")]], {"a": "\ud800"}, {"a": "two\nlines"}]
)
def test_they_are_found_anywhere_in_an_object(value: Any) -> None:
    with pytest.raises(InvalidNameError, match="the body: "):
        require_plain(value, "the body")


def test_what_is_no_text_is_let_be_however_deep() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    require_plain({"a": [1, None, True, 0.5, "Zoë 鳥"], "b": deep}, "the body")
