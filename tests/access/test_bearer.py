"""The header that carries a token."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidzam_platform.access import MAX_SECRET_CHARACTERS, bearer_secret
from tidzam_platform.errors import TokenError


def test_no_header_is_no_token() -> None:
    assert bearer_secret(None) is None


@pytest.mark.parametrize(
    "header", ["Bearer abc", "bearer abc", "BEARER  abc ", "Bearer\tabc".replace("\t", " ")]
)
def test_the_scheme_is_not_the_token(header: str) -> None:
    assert bearer_secret(header) == "abc"


@pytest.mark.parametrize(
    "header",
    ["", " ", "abc", "Bearer", "Bearer ", "Basic abc", "Bearer " + "x" * (MAX_SECRET_CHARACTERS + 1)],
)
def test_another_header_is_an_error_that_does_not_repeat_it(header: str) -> None:
    with pytest.raises(TokenError) as refused:
        bearer_secret(header)
    assert "x" * 10 not in str(refused.value)


@given(st.text(max_size=300))
def test_any_header_is_a_token_or_an_error(header: str) -> None:
    try:
        secret = bearer_secret(header)
    except TokenError:
        return
    assert secret is not None
    assert 0 < len(secret) <= MAX_SECRET_CHARACTERS
