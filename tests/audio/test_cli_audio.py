"""``tidzam audio probe`` as its users run it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.audio.conftest import SECONDS, OggFile
from tests.audio.made import encode, noise
from tests.audio.test_decoding import write
from tests.support.in_process import run_here


@pytest.fixture
def holed(ogg_files: dict[str, OggFile], tmp_path: Path) -> Path:
    file = ogg_files["opus"]
    return write(tmp_path / "holed.opus", *file.headers, *file.audio[:5], *file.audio[8:])


def test_one_file_answers_one_object(holed: Path, tmp_path: Path) -> None:
    done = run_here(["audio", "probe", holed, "--json"], tmp_path)
    assert done.returncode == 0
    (line,) = done.stdout.splitlines()
    answer = json.loads(line)
    assert answer.pop("tags")["encoder"]
    ((start_s, end_s),) = answer.pop("holes")
    assert 0.9 < start_s < end_s < 1.7
    assert answer == {
        "file": str(holed),
        "container": "ogg",
        "codec": "opus",
        "rate_hz": 48000,
        "channels": 1,
        "seconds": SECONDS,
        "truncated": False,
    }


def test_several_files_answer_one_object_and_one_unusable_file_exits_2(holed: Path, tmp_path: Path) -> None:
    playlist = write(tmp_path / "list.opus", b"#EXTM3U\nfile:///etc/hostname\n")
    done = run_here(["audio", "probe", holed, playlist, tmp_path / "missing.opus", "--json"], tmp_path)
    assert done.returncode == 2
    usable, *unusable = json.loads(done.stdout)["files"]
    assert usable["seconds"] == SECONDS
    assert [(entry["file"], entry["error"]) for entry in unusable] == [
        (str(playlist), "UnknownAudioFormatError"),
        (str(tmp_path / "missing.opus"), "AudioNotFoundError"),
    ]


@pytest.mark.parametrize(
    ("content", "error"), [(b"", "EmptyAudioError"), (b"#EXTM3U\n", "UnknownAudioFormatError")]
)
def test_one_unusable_file_exits_2_with_its_reason(tmp_path: Path, content: bytes, error: str) -> None:
    path = write(tmp_path / "bad.opus", content)
    done = run_here(["audio", "probe", path, "--json"], tmp_path)
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"] == error
    assert done.stderr.startswith(f"tidzam: {path}: ")
    assert "Traceback" not in done.stderr


def test_a_table_for_people_says_in_words_what_is_missing(holed: Path, tmp_path: Path) -> None:
    wav = encode(noise(1.0), tmp_path / "whole.wav", "wav").read_bytes()
    cut = write(tmp_path / "cut.wav", wav[:-2000])
    done = run_here(["audio", "probe", holed, cut], tmp_path)
    assert done.returncode == 0
    assert "48000 Hz" in done.stdout
    assert "pcm_s16le" in done.stdout
    assert "holed.opus: audio is missing from 0.9" in done.stdout
    assert "cut.wav: cut: audio is missing after 0.97" in done.stdout


def test_help_shows_examples(tmp_path: Path) -> None:
    done = run_here(["audio", "probe", "--help"], tmp_path)
    assert done.returncode == 0
    assert "tidzam audio probe recording.opus --json" in done.stdout


def test_no_file_is_wrong_usage(tmp_path: Path) -> None:
    assert run_here(["audio", "probe"], tmp_path).returncode == 2
