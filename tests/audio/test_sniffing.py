"""Files that are no audio are refused by their first bytes, and nothing else is opened for them."""

from __future__ import annotations

import os
import socket
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.audio.made import ENCODERS, encode, noise
from tests.audio.ogg_bytes import make_page
from tidzam_platform.audio import decode_blocks, probe
from tidzam_platform.audio.sniffing import container_of, sniff
from tidzam_platform.errors import (
    AudioError,
    AudioNotFoundError,
    EmptyAudioError,
    TidzamError,
    UnknownAudioFormatError,
)

NOT_AUDIO = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{address}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{address}'\n",
    "dash": '<?xml version="1.0"?><MPD><Period><AdaptationSet><Representation><BaseURL>{address}</BaseURL></MPD>',
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\na=control:{address}\n",
    "asx": '<asx version="3.0"><entry><ref href="{address}"/></entry></asx>',
    "pls": "[playlist]\nFile1={address}\n",
    "script": "#!/bin/sh\ncat {address}\n",
}


class _Listener:
    """A server that counts who connects."""

    def __init__(self) -> None:
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(0.1)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/a.ogg"

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._socket.accept()
            except TimeoutError:
                continue
            self.connections += 1
            connection.close()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()


def _refused(path: Path) -> None:
    with pytest.raises(UnknownAudioFormatError, match=r"begins with"):
        probe(path)
    with pytest.raises(UnknownAudioFormatError, match=r"begins with"):
        next(decode_blocks(path))


@pytest.mark.parametrize("kind", sorted(NOT_AUDIO))
@pytest.mark.parametrize("extension", ["opus", "m3u8", "wav", "mp3"])
def test_a_list_of_files_is_refused_and_nothing_that_it_names_is_opened(
    tmp_path: Path, kind: str, extension: str
) -> None:
    watched = encode(noise(0.2), tmp_path / "watched.wav", "wav")
    os.utime(watched, (1, 1))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    listener = _Listener()
    try:
        for address in (f"file://{watched}", str(watched), str(pipe), listener.address):
            path = tmp_path / f"playlist.{extension}"
            path.write_text(NOT_AUDIO[kind].format(address=address))
            _refused(path)
        # A writer that does not wait can open a pipe only while somebody has it open for reading.
        with pytest.raises(OSError, match="No such device"):
            os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    finally:
        listener.close()
    assert listener.connections == 0
    assert watched.stat().st_atime == 1


def test_a_list_within_a_container_opens_nothing_either(tmp_path: Path) -> None:
    listener = _Listener()
    try:
        playlist = NOT_AUDIO["hls"].format(address=listener.address).encode()
        page = make_page([playlist], granule=0, sequence=0, flags=2)
        wav = b"RIFF" + (1000).to_bytes(4, "little") + b"WAVE" + playlist
        for data in (
            page,
            wav,
            b"fLaC" + playlist,
            b"ID3\x04\0\0\0\0\0\0" + playlist,
            b"\0\0\0\x18ftyp" + playlist,
        ):
            path = tmp_path / "hidden.opus"
            path.write_bytes(data)
            with pytest.raises(AudioError):
                probe(path)
            with pytest.raises(AudioError):
                next(decode_blocks(path))
    finally:
        listener.close()
    assert listener.connections == 0


def test_the_listener_of_these_tests_notices_a_connection() -> None:
    listener = _Listener()
    socket.create_connection(listener._socket.getsockname()).close()
    deadline_s = time.monotonic() + 5
    while not listener.connections and time.monotonic() < deadline_s:
        time.sleep(0.01)
    listener.close()
    assert listener.connections == 1


@pytest.mark.parametrize("kind", sorted(ENCODERS))
def test_containers_are_told_by_content_and_not_by_name(tmp_path: Path, kind: str) -> None:
    path = encode(noise(0.5), tmp_path / "misleading.txt", kind)
    with path.open("rb") as handle:
        container = sniff(handle)
    names = {"oggflac": "ogg", "opus": "ogg", "vorbis": "ogg", "adts": "aac", "webm": "matroska"}
    assert container.name == names.get(kind, kind)


@given(st.binary(max_size=600))
def test_any_bytes_are_a_container_or_none(data: bytes) -> None:
    container_of(data)
    container_of(data, after_id3=True)
    container_of(b"\xff\xfb\x90\x00" + data)


def test_an_empty_file_is_said_to_be_empty(tmp_path: Path) -> None:
    path = tmp_path / "empty.opus"
    path.touch()
    with pytest.raises(EmptyAudioError, match="no bytes"):
        probe(path)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    for name in ("missing.opus", "with\0null"):
        with pytest.raises(AudioNotFoundError):
            probe(tmp_path / name)
        with pytest.raises(AudioNotFoundError):
            next(decode_blocks(tmp_path / name))


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.opus"
    os.mkfifo(pipe)
    link = tmp_path / "link.opus"
    link.symlink_to(pipe)
    begun_s = time.monotonic()
    for path in (tmp_path, pipe, link, Path("/dev/zero"), Path("/dev/null")):
        with pytest.raises(AudioError, match="is no file"):
            probe(path)
        with pytest.raises(AudioError, match="is no file"):
            next(decode_blocks(path))
    assert time.monotonic() - begun_s < 2


def test_a_loop_of_links_and_a_file_as_folder_are_typed_errors(tmp_path: Path) -> None:
    loop = tmp_path / "loop.opus"
    loop.symlink_to(loop)
    file = tmp_path / "file"
    file.write_bytes(b"x")
    for path in (loop, file / "inside.opus", tmp_path / ("long" * 100)):
        with pytest.raises(TidzamError):
            probe(path)


@pytest.mark.parametrize(
    "name", ["-i.opus", "a b.opus", "%d.opus", "concat:a|b.opus", "ü\n.opus", "file:x.opus"]
)
def test_a_name_is_never_an_option_a_pattern_or_an_address(tmp_path: Path, name: str) -> None:
    for kind in ("opus", "wav"):
        path = encode(noise(0.3), tmp_path / "made", kind).rename(tmp_path / name)
        assert probe(path).seconds == 0.3
        assert sum(block.samples.shape[1] for block in decode_blocks(path)) == 14400
