"""Listening with Debian's own Icecast."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import RemoteDisconnected
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import psutil
import pytest

from streamer.engine.encoding import PageSplitter
from streamer.engine.listening import CopyStream, ListenedChannel, Listening, Place
from streamer.engine.listening.credentials import basic_authorization, load_credentials
from streamer.engine.mixer import Mixer
from streamer.engine.rings import RingFolder
from tests.streamer.listening.made import (
    RATE_HZ,
    Listener,
    ToneSite,
    encoders,
    listening_site,
    loudest_hz,
    ogg_tone,
    tone_hz,
)
from tests.support.parts import require_part
from tests.support.waiting import wait_for
from tidzam_platform.errors import ProcessError, SourceError

Site = tuple[Listening, ToneSite, Mixer]


@pytest.fixture(autouse=True)
def _parts() -> None:
    require_part("ffmpeg")
    require_part("icecast")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def thirty(home: Path) -> Iterator[Site]:
    """Thirty channels, for all tests that leave them as they were."""
    require_part("icecast")
    with listening_site(home, 30) as site:
        yield site


def _status(listening: Listening, path: str, authorization: str = "") -> int:
    request = Request(f"http://{listening.icecast.address}{path}", headers={"Authorization": authorization})
    try:
        with urlopen(request, timeout=10) as answer:  # noqa: S310 - of our own server
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code
    except RemoteDisconnected:
        return 0


@pytest.mark.long  # tests/streamer/engine does the same through JACK every day
def test_thirty_mounts_at_once_each_give_their_own_tone_and_with_nobody_there_no_encoder_runs(
    thirty: Site,
) -> None:
    listening, _, _ = thirty
    wait_for(lambda: encoders() == [], "with nobody there no encoder runs")
    kinds = ["opus" if number % 5 else "ogg" for number in range(1, 31)]
    with ExitStack() as all_of_them:
        listeners = [
            all_of_them.enter_context(Listener(listening, f"/marsh-out_{number}.{kind}"))
            for number, kind in enumerate(kinds, 1)
        ]
        wait_for(lambda: all(listener.heard_s > 1.2 for listener in listeners), "all are heard", 60)
        assert listening.counts()["encoders"] == len(encoders()) == 30
        directory = {entry["mount"]: entry for entry in listening.directory()}
        assert {directory[listener.path]["listeners"] for listener in listeners} == {1}
        assert sum(entry["streaming"] for entry in directory.values()) == 30
    for number, listener in enumerate(listeners, 1):
        audio = listener.audio()
        assert len(audio) > RATE_HZ, listener.path
        assert loudest_hz(audio[-RATE_HZ:]) == pytest.approx(tone_hz(number), abs=3), listener.path
        assert listener.headers["Content-Type"] == "audio/ogg"
    wait_for(lambda: encoders() == [], "all encoders end")
    assert listening.counts()["encoders"] == 0
    assert listening.counts()["listening_lost_frames"] == 0
    assert listening.counts()["listening_dropped_frames"] == 0


@pytest.mark.parametrize("kind", ["opus", "ogg"])
def test_muting_silences_the_mount_within_a_second_without_a_click(thirty: Site, kind: str) -> None:
    listening, _, mixer = thirty
    with Listener(listening, f"/marsh-out_1.{kind}") as listener:
        wait_for(lambda: listener.heard_s > 1.5, "it is heard", 30)
        muted_s = time.monotonic()
        mixer.set("marsh:out_1", mute=True, by="ann")
        time.sleep(1.0)
        before = len(listener.data)
        time.sleep(1.2)
    mixer.release("marsh:out_1", by="ann")
    late = next(count for at_s, count in listener.arrivals if at_s >= muted_s + 1.0)
    assert late >= before > 0
    audio = listener.audio()
    until = len(listener.audio(listener.data[:late]))
    assert np.abs(audio[RATE_HZ // 2 : RATE_HZ]).max() > 0.2
    assert until < len(audio)
    assert np.abs(audio[until:]).max() < 1e-3
    # A tone of 370 Hz at 0.3 moves by 0.0145 a sample at most; a cut would show.
    assert np.abs(np.diff(audio[RATE_HZ // 2 :])).max() < 0.025


def test_icecast_killed_is_back_with_the_same_mounts_on_the_same_port(tmp_path: Path) -> None:
    with listening_site(tmp_path, 3) as (listening, _site, _mixer):
        mounts, port, pid = (
            listening.icecast.known_mounts().keys(),
            listening.icecast.port,
            listening.icecast.pid,
        )
        assert pid is not None
        with Listener(listening, "/marsh-out_1.opus") as listener:
            wait_for(lambda: listener.heard_s > 0.5, "it is heard", 30)
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: listener.has_ended, "who listened is told")
        wait_for(lambda: encoders() == [], "the encoder ends")
        assert listening.wait_until_known(10)
        assert listening.icecast.known_mounts().keys() == mounts
        assert (listening.icecast.port, listening.counts()["icecast_restarts"]) == (port, 1)
        with Listener(listening, "/marsh-out_2.opus") as listener:
            wait_for(lambda: listener.heard_s > 1, "it is heard again", 30)
        assert loudest_hz(listener.audio()) == pytest.approx(tone_hz(2), abs=3)
        pid = listening.icecast.pid
    assert pid is not None
    assert not psutil.pid_exists(pid)


def test_mounts_come_and_go_with_their_channels_and_listeners_of_others_stay(tmp_path: Path) -> None:
    with listening_site(tmp_path, 3) as (listening, _site, _mixer):
        with (
            Listener(listening, "/marsh-out_1.opus") as stays,
            Listener(listening, "/marsh-out_2.opus") as goes,
        ):
            wait_for(lambda: stays.heard_s > 0.5 and goes.heard_s > 0.5, "both are heard", 30)
            listening.set_channels([ListenedChannel("marsh:out_1"), ListenedChannel("marsh:out_3")])
            wait_for(lambda: goes.has_ended, "the listener of the channel that is gone is told")
            assert listening.wait_until_known(10)
            before = len(stays.data)
            wait_for(lambda: len(stays.data) > before + 8000, "the other one goes on")
            assert not stays.has_ended
        assert _status(listening, "/marsh-out_2.opus") == 404
        assert listening.icecast.known_mounts().keys() == {
            f"/marsh-out_{number}.{kind}" for number in (1, 3) for kind in ("opus", "ogg")
        }


def test_always_on_encodes_though_nobody_listens(tmp_path: Path) -> None:
    with listening_site(tmp_path, 1, always_on=True, known=False) as (listening, _site, _mixer):
        wait_for(lambda: len(encoders()) == 2, "both mounts are encoded", 30)
        assert listening.counts()["encoders"] == 2


def test_one_channel_more_than_encoders_allowed_is_refused_and_heard_later(tmp_path: Path) -> None:
    with listening_site(tmp_path, 2, max_encoders=1) as (listening, _site, _mixer):
        with Listener(listening, "/marsh-out_1.opus") as first:
            wait_for(lambda: first.heard_s > 0.3, "the first is heard", 30)
            assert _status(listening, "/marsh-out_2.opus") == 404
            assert listening.counts()["encoders_refused"] == 1
        wait_for(lambda: encoders() == [], "it ends")

        def second_is_heard() -> bool:
            with Listener(listening, "/marsh-out_2.opus") as second:
                wait_for(lambda: second.has_ended or second.heard_s > 0.3, "an answer", 30)
                return not second.has_ended

        wait_for(second_is_heard, "the second is heard", 30)


def test_a_source_is_passed_on_as_it_is(thirty: Site) -> None:
    command = "ffmpeg -loglevel error -f lavfi -i sine=frequency=900:duration=6 -c:a libmp3lame -b:a 64k -f mp3 pipe:1"
    mp3 = subprocess.run(command.split(), capture_output=True, check=True).stdout
    listening, _, _ = thirty
    copy = listening.open_copy("radio", "mp3", title="The radio", place=Place(48.2, 16.37))
    assert listening.wait_until_known(10)
    encoders_before = listening.counts()["encoders"]
    with Listener(listening, "/radio.mp3") as listener:
        wait_for(lambda: copy.listeners == 1, "it is pulled", 30)
        for begin in range(0, len(mp3), 4000):
            copy.publish(mp3[begin : begin + 4000])
        wait_for(lambda: len(listener.data) >= len(mp3) - 4000, "it comes")
    assert listener.data in mp3
    assert listener.headers["Content-Type"] == "audio/mpeg"
    assert listener.headers["icy-name"] == "The radio"

    def nobody_pulls() -> bool:
        copy.publish(mp3[:4000])  # Icecast sees that a listener left when it has something for them
        return not copy.listeners

    wait_for(nobody_pulls, "nobody pulls it any more")
    assert listening.counts()["encoders"] <= encoders_before
    entry = next(entry for entry in listening.directory() if entry["mount"] == "/radio.mp3")
    assert (entry["latitude"], entry["channel"], entry["format"]) == (48.2, None, "copy")
    listening.close_copy("radio")
    assert listening.wait_until_known(10)
    assert _status(listening, "/radio.mp3") == 404


@pytest.mark.parametrize("codec", ["libopus", "libvorbis"])
def test_who_listens_to_a_source_that_is_passed_on_hears_on_when_it_was_connected_again(
    thirty: Site, codec: str
) -> None:
    listening, _, _ = thirty
    name = f"pond-{codec}"  # Icecast takes seconds to see that a mount is another one now
    copy = listening.open_copy(name, "ogg")
    try:
        assert listening.wait_until_known(10)
        with Listener(listening, f"/{name}.ogg") as listener:
            wait_for(lambda: copy.listeners == 1, "it is pulled", 30)
            first, second = ogg_tone(codec, 500, 4), ogg_tone(codec, 900, 4)
            _publish(copy, first[: len(first) * 2 // 3])
            wait_for(lambda: listener.heard_s > 1, "it is heard")
            listening.pause_copy(name)
            assert listening.copy_path(name) == f"/{name}.ogg"
            assert listening.open_copy(name, "ogg") is copy
            assert copy.listeners == 1
            before = len(listener.data)
            _publish(copy, second)
            wait_for(lambda: len(listener.data) - before > len(second) * 3 // 4, "it is heard again")
            assert not listener.has_ended
    finally:
        listening.close_copy(name)
    audio = listener.audio()
    assert len([page for page in PageSplitter().feed(listener.data) if page.is_first]) == 2
    assert loudest_hz(audio[RATE_HZ // 2 : RATE_HZ]) == pytest.approx(500, abs=4)
    assert loudest_hz(audio[-RATE_HZ:]) == pytest.approx(900, abs=4)
    assert copy.listeners == 0


def _publish(copy: CopyStream, data: bytes) -> None:
    """Piece by piece, so that no relay is behind."""
    for begin in range(0, len(data), 4096):
        copy.publish(data[begin : begin + 4096])
        time.sleep(0.02)


def test_who_comes_while_a_source_is_away_is_refused_and_what_cannot_be_passed_on_any_more_ends(
    thirty: Site,
) -> None:
    listening, _, _ = thirty
    copy = listening.open_copy("lake", "ogg")
    try:
        listening.pause_copy("lake")
        assert listening.wait_until_known(10)
        assert _status(listening, "/lake.ogg") == 404
        other = listening.open_copy("lake", "mp3")
        assert other is not copy
        assert listening.copy_path("lake") == "/lake.mp3"
        with pytest.raises(SourceError, match="wav"):
            listening.open_copy("lake", "wav")
        assert listening.copy_path("lake") is None
    finally:
        listening.close_copy("lake")


def test_icecast_is_not_root_and_tells_nobody_anything_but_the_administrator(
    thirty: Site, home: Path
) -> None:
    listening, _, _ = thirty
    pid = listening.icecast.pid
    assert pid is not None
    process = psutil.Process(pid)
    if os.geteuid() == 0:
        assert process.uids().real in {
            pwd.getpwnam(name).pw_uid for name in ("icecast2", "nobody") if _is_user(name)
        }
        assert process.uids().effective == process.uids().saved == process.uids().real
    made = load_credentials(home)
    secrets = (made.source_password, made.relay_password, made.admin_password)
    assert not any(secret in " ".join(process.cmdline()) for secret in secrets)
    assert not any(secret in value for secret in secrets for value in process.environ().values())
    for path in ("/admin/stats", "/admin/listmounts", "/admin/killsource?mount=/marsh-out_1.opus"):
        assert _status(listening, path) == 401
        assert _status(listening, path, basic_authorization("admin", "hackme")) == 401
        assert _status(listening, path, basic_authorization(made.relay_user, made.relay_password)) == 401
    assert (
        _status(listening, "/admin/stats", basic_authorization(made.admin_user, made.admin_password)) == 200
    )
    for path in (
        "/",
        "/status.xsl",
        "/status-json.xsl",
        "/../secrets/icecast.json",
        "/server_version.xsl",
    ):
        assert _status(listening, path) in {0, 400, 404}
    log = (home / "logs" / "icecast.log").read_text()
    assert log
    assert not any(secret in log for secret in secrets)


def _is_user(name: str) -> bool:
    return any(user.pw_name == name for user in pwd.getpwall())


def test_a_port_that_is_taken_is_said_with_how_to_mend_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ProcessError, match=r"icecast\.port"), listening_site(tmp_path, 1, port=port):
            pass


def test_an_icecast_that_cannot_start_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(ProcessError, match="cannot be listened on"),
        listening_site(tmp_path, 1, host="192.0.2.1"),
    ):
        pass


def test_a_channel_goes_silent_and_not_away_while_the_graph_stands_still(thirty: Site) -> None:
    listening, site, _ = thirty
    with Listener(listening, "/marsh-out_1.opus") as listener:
        wait_for(lambda: listener.heard_s > 1, "it is heard", 30)
        site.is_sounding = False
        time.sleep(3.0)
        site.is_sounding = True
        before = len(listener.data)
        wait_for(lambda: len(listener.data) > before + 8000, "it goes on")
        assert not listener.has_ended
    audio = listener.audio()
    loud = np.abs(audio[: len(audio) // 480 * 480].reshape(-1, 480)).max(axis=1) > 0.1
    silent = np.flatnonzero(~loud[20:]) + 20
    assert 180 <= len(silent) <= 330  # of 10 ms each
    assert loud[silent[-1] + 5 :].all()


def test_when_the_engine_is_killed_nothing_of_it_stays(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.streamer.listening.listening_process", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        children = [psutil.Process(int(pid)) for pid in process.stdout.readline().split()]
        assert {child.name() for child in children} == {"icecast2", "ffmpeg"}
        process.kill()
    wait_for(lambda: not any(child.is_running() for child in children), "its children end")
    with RingFolder(tmp_path):  # shared memory of the dead is removed
        pass
