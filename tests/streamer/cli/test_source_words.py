"""What ``./tidzam source`` shows of a source is for people."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.cli.source_words import described, origin_of


@pytest.mark.parametrize(
    ("status", "origin"),
    [
        ({"kind": "url", "url": "http://a.example/x"}, "http://a.example/x"),
        ({"kind": "device", "url": None, "specification": {"device": "alsa:hw:1,0"}}, "alsa:hw:1,0"),
        ({"kind": "file", "url": None, "specification": {"path": "/a/b.wav"}}, "/a/b.wav"),
        ({"kind": "archive", "specification": {"database": "pond"}}, "archive of pond"),
        ({"kind": "archive", "specification": {"date": "2026-04-01"}}, "archive of marsh from 2026-04-01"),
        ({"kind": "live", "specification": {}}, "pushed by a program"),
    ],
)  # fmt: skip
def test_where_it_comes_from(status: dict[str, Any], origin: str) -> None:
    assert origin_of({"name": "marsh", **status}) == origin


def test_there_are_words_and_no_objects() -> None:
    status = {
        "name": "marsh", "kind": "device", "is_permanent": True, "record": False, "url": None,
        "channels": ["marsh:out_1", "marsh:out_2"],
        "counts": {"starts": 3}, "specification": {"device": "alsa:hw:1,0"}, "history": [{"utc": "x"}], "details": {},
        "archive": {"state": "off", "files": [{"name": "a", "is_whole": True}]},
    }  # fmt: skip
    rows = dict(described(status))
    assert rows["from"] == "alsa:hw:1,0"
    assert (rows["is permanent"], rows["record"]) == ("yes", "no")
    assert rows["channels"] == "marsh:out_1, marsh:out_2"
    assert rows["counts: starts"] == "3"
    assert rows["archive: files"] == "name a; is_whole yes"
    assert not {"url", "history", "details", "name"} & set(rows)
    assert not any(letter in value for value in rows.values() for letter in "{}[]")
