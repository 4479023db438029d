"""What Icecast is known by."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from streamer.engine.listening.credentials import basic_authorization, load_credentials
from tidzam_platform.errors import SettingsError


def test_they_are_made_once_for_their_owner_alone(tmp_path: Path) -> None:
    first = load_credentials(tmp_path)
    path = tmp_path / "secrets" / "icecast.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert load_credentials(tmp_path) == first
    assert load_credentials(tmp_path / "other") != first
    passwords = [first.source_password, first.relay_password, first.admin_password]
    assert len(set(passwords)) == 3
    assert all(len(password) >= 32 and password not in repr(first) for password in passwords)


def test_only_the_whole_header_of_our_relay_is_right(tmp_path: Path) -> None:
    made = load_credentials(tmp_path)
    assert made.allows_relay(basic_authorization(made.relay_user, made.relay_password))
    for wrong in (
        "",
        "Basic ",
        basic_authorization(made.relay_user, ""),
        basic_authorization("", made.relay_password),
        "Bearer x",
        "é",
    ):
        assert not made.allows_relay(wrong)


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    load_credentials(tmp_path)
    (tmp_path / "secrets" / "icecast.json").chmod(0o640)
    with pytest.raises(SettingsError, match="may be read by others"):
        load_credentials(tmp_path)


def test_a_damaged_file_is_refused_without_showing_it(tmp_path: Path) -> None:
    secret = load_credentials(tmp_path).relay_password
    path = tmp_path / "secrets" / "icecast.json"
    path.write_text(path.read_text().replace('"admin_user"', '"nobody"'))
    with pytest.raises(SettingsError, match="is damaged") as caught:
        load_credentials(tmp_path)
    assert secret not in str(caught.value)
    assert caught.value.__cause__ is None
