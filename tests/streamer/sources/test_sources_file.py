"""Files of sources: the original's JSON, TOML, and what was added for good."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from streamer.engine.sources import SourceSpecification
from streamer.engine.sources.sources_file import read_sources_file, write_sources_file
from tidzam_platform.errors import SourceError

ORIGINAL = {
    "sources": [
        {
            "name": "impoundment",
            "url": "http://example.org/impoundment.ogg",
            "path_database": "impoundment",
            "database_file_length": 3600,
            "nb_channels": 30,
        }
    ]
}


def test_reads_the_originals_json(tmp_path: Path) -> None:
    path = tmp_path / "sources.json"
    path.write_text(json.dumps(ORIGINAL))
    (source,) = read_sources_file(path)
    assert (source.name, source.nb_channels, source.is_permanent) == ("impoundment", 30, True)


def test_reads_toml(tmp_path: Path) -> None:
    path = tmp_path / "sources.toml"
    path.write_text(
        '[[sources]]\nname = "marsh"\nurl = "http://a.org/"\nrecord = true\nis_permanent = false\n'
    )
    (source,) = read_sources_file(path)
    assert source.record
    assert not source.is_permanent


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be read"),
        ("[]", "write"),
        ('{"sources": {}}', "write"),
        ('{"sources": [], "source": 1}', "only `sources`"),
        ('{"sources": [1]}', "source 1 is no object"),
        (
            '{"sources": [{"name": "a", "url": "http://a.org/"}, {"name": "a", "url": "http://a.org/"}]}',
            "already",
        ),
        ('{"sources": [{"name": "a"}, {"name": "b", "url": "x"}]}', "number 1.*number 2"),
    ],
)
def test_says_what_is_wrong_in_a_file(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "sources.json"
    path.write_text(text)
    with pytest.raises(SourceError, match=said):
        read_sources_file(path)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        read_sources_file(tmp_path / "sources.json")


def test_what_is_written_comes_back_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "sources.json"
    sources = [
        SourceSpecification(
            name="a", url="http://user:secret@example.org/", channels=(0, 3), is_permanent=True
        ),
        SourceSpecification(name="b", database="marsh", date="2026-04-01-05-00-00"),
    ]
    write_sources_file(path, sources)
    assert read_sources_file(path) == sources
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    write_sources_file(path, [])
    assert read_sources_file(path) == []
