"""Keys tell where windows come from; any other key is taken as it is."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from serving.shadow import WindowOrigin, origins_key
from serving.shadow.origins import read_origins

PLAIN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=50)


@given(st.lists(st.builds(WindowOrigin, PLAIN, PLAIN), max_size=5))
def test_what_is_written_is_read(origins):
    assert read_origins(origins_key(origins), len(origins)) == origins


@given(st.one_of(st.none(), st.text(), st.binary(), st.recursive(PLAIN, st.lists).map(json.dumps)))
def test_any_other_key_is_kept_in_a_form_that_databases_take(key):
    origins = read_origins(key, 3)
    assert len(origins) == 3
    for one in origins:
        for text in (one.channel, one.start):
            assert len(text) <= 255
            assert "\0" not in text
            text.encode()


def test_a_file_name_that_is_no_utf_8_and_a_long_one_are_kept():
    key = origins_key(
        [WindowOrigin("\udcff.opus:1", "0.000 s"), WindowOrigin("x" * 300 + ".opus:2", "0.000 s")]
    )
    broken, long = read_origins(key, 2)
    assert broken.channel == "\\udcff.opus:1"
    assert long.channel.endswith("x.opus:2")
    assert len(long.channel) == 255
