"""Unfinished recordings become whole ones, whatever state they were left in."""

from __future__ import annotations

import fcntl
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.engine.recording import recover
from streamer.engine.recording.partial_file import PartialFile
from tests.audio.ogg_bytes import granule, make_page, packets, split_pages
from tests.support.parts import require_part
from tidzam_platform.audio import probe, write_audio
from tidzam_platform.audio.archive_names import parse_archive_name
from tidzam_platform.errors import RecordingError

NAME = "marsh-2026-04-01-12-00-00.opus"


class Opus(bytes):
    """Bytes that are not printed when a test fails."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes of Opus>"


@pytest.fixture(scope="module")
def opus(tmp_path_factory: pytest.TempPathFactory) -> Opus:
    """Five seconds, one page each."""
    require_part("ffmpeg")
    path = tmp_path_factory.mktemp("made") / "made.opus"
    samples = np.random.default_rng(1).uniform(-0.1, 0.1, (1, 5 * 48_000))
    write_audio(path, samples, 48_000)
    return Opus(path.read_bytes())


def _leave(folder: Path, data: bytes, name: str = NAME) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f".{name}.partial"
    path.write_bytes(data)
    return path


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1))
def test_wherever_it_was_cut_all_whole_pages_are_kept_and_none_that_is_not(
    opus: Opus, tmp_path_factory: pytest.TempPathFactory, share: float
) -> None:
    folder = tmp_path_factory.mktemp("archive")
    cut = round(share * len(opus))
    _leave(folder, opus[:cut])
    recovery = recover(folder)
    ends = np.cumsum([len(page) for page in split_pages(opus)])
    whole = int(np.searchsorted(ends, cut, side="right"))
    if whole <= 2:  # the headers
        assert (recovery.recovered, recovery.removed, _names(folder)) == ([], 1, [])
        return
    assert recovery.recovered == [folder / NAME]
    assert _names(folder) == [NAME]
    info = probe(folder / NAME)
    pre_skip = int.from_bytes(packets(split_pages(opus)[0])[0][10:12], "little")
    assert round(info.seconds * 48_000) == granule(split_pages(opus)[whole - 1]) - pre_skip
    assert not info.truncated


def test_pages_after_which_garbage_lies_are_kept(opus: bytes, tmp_path: Path) -> None:
    _leave(tmp_path, opus[:-100] + bytes(5000))  # as after a power cut
    assert recover(tmp_path).recovered == [tmp_path / NAME]
    assert probe(tmp_path / NAME).seconds > 3


def test_what_cannot_be_decoded_is_put_aside_and_said(opus: bytes, tmp_path: Path) -> None:
    headless = b"".join(split_pages(opus)[2:])
    _leave(tmp_path, headless)
    recovery = recover(tmp_path)
    assert (recovery.recovered, recovery.removed) == ([], 0)
    assert recovery.damaged == [tmp_path / f".{NAME}.partial.damaged"]
    assert recover(tmp_path).damaged == []


def test_another_stream_than_audio_is_put_aside(tmp_path: Path) -> None:
    pages = make_page([b"Speex   " + bytes(72)], granule=0, sequence=0, flags=2)
    _leave(tmp_path, pages + make_page([b"x"], granule=5, sequence=1, flags=4))
    assert len(recover(tmp_path).damaged) == 1


def test_a_file_whose_writer_lives_is_left_alone(opus: bytes, tmp_path: Path) -> None:
    path = _leave(tmp_path, opus)
    with path.open("r+b") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert recover(tmp_path).recovered == []
        assert _names(tmp_path) == [path.name]
    assert recover(tmp_path).recovered == [tmp_path / NAME]


def test_a_recording_of_the_same_name_is_not_overwritten_and_an_empty_one_was_a_reservation(
    opus: bytes, tmp_path: Path
) -> None:
    (tmp_path / NAME).write_bytes(b"precious")
    (tmp_path / "marsh-2026-04-01-12-00-01.opus").touch()
    _leave(tmp_path, opus)
    assert recover(tmp_path).recovered == [tmp_path / "marsh-2026-04-01-12-00-01.opus"]
    assert (tmp_path / NAME).read_bytes() == b"precious"


def test_files_of_others_are_left_alone(opus: bytes, tmp_path: Path) -> None:
    names = [
        ".notes.partial",
        ".partial",
        "marsh-2026-04-01-12-00-00.opus.partial",
        ".marsh-2026-13-01-12-00-00.opus.partial",
    ]
    for name in names:
        (tmp_path / name).write_bytes(opus)
    recovery = recover(tmp_path)
    assert (recovery.recovered, recovery.removed, recovery.damaged, recovery.failed) == ([], 0, [], [])
    assert _names(tmp_path) == sorted(names)


def test_folders_below_are_searched_but_hidden_ones(opus: bytes, tmp_path: Path) -> None:
    for folder in ("marsh", ".hidden"):
        _leave(tmp_path / folder, opus)
    assert recover(tmp_path).recovered == [tmp_path / "marsh" / NAME]


def test_a_name_is_taken_by_what_is_being_written_too(tmp_path: Path) -> None:
    wanted = parse_archive_name(NAME)
    first = PartialFile.create(tmp_path, wanted)
    second = PartialFile.create(tmp_path, wanted)
    assert str(second.name) == "marsh-2026-04-01-12-00-01.opus"
    first.discard()
    second.discard()
    assert _names(tmp_path) == []


def test_a_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "archive").touch()
    with pytest.raises(RecordingError, match="no recording can be begun"):
        PartialFile.create(tmp_path / "archive", parse_archive_name(NAME))


def test_what_is_written_comes_out_in_order_and_whole(tmp_path: Path, opus: bytes) -> None:
    partial = PartialFile.create(tmp_path, parse_archive_name(NAME))
    for page in split_pages(opus):
        partial.append(page)
    assert partial.publish() == tmp_path / NAME
    assert (tmp_path / NAME).read_bytes() == opus
    assert _names(tmp_path) == [NAME]
