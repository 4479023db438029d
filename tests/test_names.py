"""Names that people give: what is a source, what is a channel."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidzam_platform.errors import InvalidNameError
from tidzam_platform.names import MAX_CHANNELS, MAX_NAME_LENGTH, channel, split_channel, valid_source

SOURCES = st.from_regex(rf"[A-Za-z0-9][A-Za-z0-9_-]{{0,{MAX_NAME_LENGTH - 1}}}", fullmatch=True)


@given(SOURCES)
def test_letters_digits_underscores_and_dashes_name_a_source(name: str) -> None:
    assert valid_source(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-marsh",
        "_marsh",
        "a b",
        "a/b",
        "../a",
        "a.b",
        "a:b",
        "marsh\n",
        "ä",
        "a" * (MAX_NAME_LENGTH + 1),
        "١",
    ],
)
def test_anything_else_is_refused_with_the_rule(name: str) -> None:
    with pytest.raises(InvalidNameError, match="letters, digits"):
        valid_source(name)


@given(SOURCES, st.integers(1, MAX_CHANNELS))
def test_a_channel_name_gives_its_source_and_number_back(source: str, number: int) -> None:
    assert split_channel(channel(source, number)) == (source, number)


def test_channels_count_from_one() -> None:
    assert channel("marsh", 1) == "marsh:out_1"
    for number in (0, -1, MAX_CHANNELS + 1):
        with pytest.raises(InvalidNameError):
            channel("marsh", number)


@pytest.mark.parametrize(
    "name",
    [
        "marsh",
        "marsh:out_0",
        "marsh:out_01",
        "marsh:out_",
        ":out_1",
        "marsh:in_1",
        "marsh:out_1\n",
        "a:b:out_1",
    ],
)
def test_what_is_no_channel_is_refused_with_an_example(name: str) -> None:
    with pytest.raises(InvalidNameError, match="marsh:out_1"):
        split_channel(name)


@given(st.text(max_size=30))
def test_any_text_is_a_channel_or_a_typed_error(text: str) -> None:
    try:
        source, number = split_channel(text)
    except InvalidNameError:
        return
    assert channel(source, number) == text
