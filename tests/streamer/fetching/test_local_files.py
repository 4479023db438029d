"""Local files: what stands in the allowed folders is opened, and nothing else is touched."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import threading
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from streamer.engine.fetching import allowed_folders, open_local
from tests.streamer.fetching.conftest import TONE_HZ
from tests.streamer.fetching.decoding import loudest_hz
from tests.support.parts import require_part
from tidzam_platform.errors import (
    AudioError,
    AudioNotFoundError,
    RefusedAddressError,
    TidzamError,
    UnknownAudioFormatError,
)
from tidzam_platform.settings import Settings, load_settings

OGG = b"OggS\0\2" + bytes(22)


@pytest.fixture
def folders(home: Settings, tmp_path: Path) -> Settings:
    """An archive, another folder that may be played, and a secret beside them."""
    music = tmp_path / "music"
    for folder in (home.archive_folder / "2026", music):
        folder.mkdir(parents=True)
    (home.archive_folder / "2026" / "marsh-2026-11-21-00-00-00.opus").write_bytes(OGG)
    (music / "song.ogg").write_bytes(OGG)
    (tmp_path / "secret.ogg").write_bytes(OGG)
    return load_settings(sources={"file_folders": [str(music)]})


def test_files_of_the_allowed_folders_are_opened(folders: Settings, tmp_path: Path) -> None:
    recording = "2026/marsh-2026-11-21-00-00-00.opus"
    for path in (
        recording,
        folders.archive_folder / recording,
        "song.ogg",
        str(tmp_path / "music" / "song.ogg"),
    ):
        with open_local(path, folders) as file:
            assert file.container.name == "ogg"
            assert os.read(file.fileno(), 100) == OGG
            assert os.read(file.fileno(), 4) == b"OggS", "from the beginning each time"
            assert not any(str(tmp_path) in argument for argument in file.input_arguments())
    assert allowed_folders(folders) == [folders.archive_folder.resolve(), (tmp_path / "music").resolve()]


REFUSED = [
    "{folder}/../secret.ogg",
    "../secret.ogg",
    "2026/../../secret.ogg",
    "{secret}",
    "/etc/passwd",
    "/proc/self/environ",
    "/dev/zero",
    "//etc/passwd",
    "{folder}",
    "{folder}/",
    "{folder}x/secret.ogg",
    "",
    "/",
    ".",
    "..",
    "-i",
    "--help",
    "2026/-f",
    ".hidden.ogg",
    ".partial/x.opus",
    "a\0b",
    "a\nb",
    "x" * 5000,
    "~/secret.ogg",
    "link-to-secret.ogg",
    "link-to-folder/secret.ogg",
    "link-to-root/etc/passwd",
    "fifo",
    "socket",
    "subfolder",
    "link-to-fifo",
    "link-to-hidden",
    "file://{secret}",
    "file:{secret}",
    "http://127.0.0.1/x",
    "concat:{secret}",
]


@pytest.mark.parametrize("name", REFUSED)
def test_attempts_to_read_something_else(name: str, folders: Settings, tmp_path: Path) -> None:
    archive, secret = folders.archive_folder, tmp_path / "secret.ogg"
    (archive / "link-to-secret.ogg").symlink_to(secret)
    (archive / "link-to-folder").symlink_to(tmp_path)
    (archive / "link-to-root").symlink_to("/")
    (archive / "subfolder").mkdir()
    (archive / ".hidden.ogg").write_bytes(OGG)
    (archive / "link-to-hidden").symlink_to(".hidden.ogg")
    Path(f"{archive}x").mkdir()
    os.mkfifo(archive / "fifo")
    (archive / "link-to-fifo").symlink_to("fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        # Addresses of sockets are short; the folder of a test may be deep.
        before = Path.cwd()
        os.chdir(archive)
        try:
            listening.bind("socket")
        finally:
            os.chdir(before)
        with pytest.raises((RefusedAddressError, AudioNotFoundError)) as caught:
            open_local(name.replace("{folder}", str(archive)).replace("{secret}", str(secret)), folders)
    may_be_absent = (":" in name and not name.startswith("/")) or name.startswith("~")
    assert isinstance(caught.value, RefusedAddressError) or may_be_absent


def test_what_is_elsewhere_is_refused_alike_whether_it_is_there_or_not(
    folders: Settings, tmp_path: Path
) -> None:
    messages = []
    for name in ("secret.ogg", "absent.ogg"):
        with pytest.raises(RefusedAddressError) as caught:
            open_local(tmp_path / name, folders)
        messages.append(str(caught.value).replace(name, "x"))
    assert messages[0] == messages[1]


def test_a_refusal_names_the_line_that_lets_it_be_played(
    folders: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "märz" / "song.ogg"
    path.parent.mkdir()
    path.write_bytes(OGG)
    with pytest.raises(
        RefusedAddressError, match=r"TIDZAM_SOURCES__FILE_FOLDERS.*tidzam restart engine"
    ) as caught:
        open_local(path, folders)
    assert str(folders.archive_folder) not in str(caught.value), "listeners may read it"
    line = re.search(r"file_folders = \[.*?\]", str(caught.value))
    assert line is not None
    assert tomllib.loads(line[0]) == {"file_folders": [str(tmp_path / "märz")]}
    monkeypatch.setenv("TIDZAM_SOURCES__FILE_FOLDERS", line[0].partition(" = ")[2])
    open_local(path, load_settings()).close()


def test_links_within_a_folder_are_followed(folders: Settings) -> None:
    (folders.archive_folder / "latest.opus").symlink_to("2026/marsh-2026-11-21-00-00-00.opus")
    with open_local("latest.opus", folders) as file:
        assert file.path.name == "marsh-2026-11-21-00-00-00.opus"


def test_a_folder_of_the_settings_may_itself_be_a_link(home: Settings, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "song.ogg").write_bytes(OGG)
    (tmp_path / "music").symlink_to("disk")
    settings = load_settings(sources={"file_folders": [str(tmp_path / "music")]})
    for folder in ("music", "disk"):
        with open_local(tmp_path / folder / "song.ogg", settings) as file:
            assert file.path == tmp_path.resolve() / "disk" / "song.ogg"


def test_what_is_absent_or_no_audio_is_said(folders: Settings) -> None:
    (folders.archive_folder / "list.opus").write_text("#EXTM3U\nfile:///etc/passwd\n")
    (folders.archive_folder / "loop").symlink_to("loop")
    with pytest.raises(AudioNotFoundError):
        open_local("absent.opus", folders)
    with pytest.raises(AudioNotFoundError):
        open_local("2026/marsh-2026-11-21-00-00-00.opus/x", folders)
    with pytest.raises(UnknownAudioFormatError):
        open_local("list.opus", folders)
    with pytest.raises(AudioError):
        open_local("loop", folders)


def test_a_link_that_takes_a_files_place_meanwhile_is_not_followed(folders: Settings, tmp_path: Path) -> None:
    """Somebody swaps a file for a link that leads out, again and again: it is the file or a refusal, never the link."""
    secret = b"OggS\0\2secret" + bytes(22)
    (tmp_path / "secret.ogg").write_bytes(secret)
    place = folders.archive_folder / "swapped.ogg"
    stop = threading.Event()

    def swap() -> None:
        new = folders.archive_folder / "new"
        while not stop.is_set():
            new.write_bytes(OGG)
            new.replace(place)
            new.symlink_to(tmp_path / "secret.ogg")
            new.replace(place)

    thread = threading.Thread(target=swap)
    thread.start()
    opened = refused = 0
    try:
        while opened < 20 or refused < 20:
            try:
                with open_local("swapped.ogg", folders) as file:
                    assert os.read(file.fileno(), 100) == OGG
                opened += 1
            except TidzamError:
                refused += 1
    finally:
        stop.set()
        thread.join()


@given(st.text(max_size=60))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_name_is_in_the_folders_or_refused(folders: Settings, name: str) -> None:
    with pytest.raises((RefusedAddressError, AudioError)):
        open_local(name, folders)


@pytest.mark.parametrize("kind", ["opus", "wav", "flac", "mp3", "adts", "mp4", "webm"])
def test_ffmpeg_plays_the_open_file_whatever_becomes_of_its_name(
    kind: str, folders: Settings, audio_bytes: Callable[[str], bytes]
) -> None:
    path = folders.archive_folder / "tone.opus"
    path.write_bytes(audio_bytes(kind))
    with open_local("tone.opus", folders) as file:
        path.unlink()
        command = [str(require_part("ffmpeg")), "-v", "error", *file.input_arguments()]
        command += ["-ac", "1", "-ar", "48000", "-f", "f32le", "pipe:1"]
        done = subprocess.run(command, stdin=file.fileno(), capture_output=True, check=True)
    samples = np.frombuffer(done.stdout, np.float32)
    assert len(samples) > 48000
    assert loudest_hz(samples) == pytest.approx(TONE_HZ, abs=2)
