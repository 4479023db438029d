"""Each home has one initial token, for its owner's eyes alone."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tidzam_platform.access import INITIAL_FILE, Role, TokenStore, make_initial_token
from tidzam_platform.errors import SettingsError


def test_it_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    token = make_initial_token(folder)
    assert len(token) >= 40
    assert stat.S_IMODE((folder / INITIAL_FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert make_initial_token(folder) == token
    assert [path.name for path in folder.rglob("*") if path.is_file()] == [INITIAL_FILE]
    assert make_initial_token(tmp_path / "another") != token


def test_processes_that_start_at_once_agree_on_it(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(lambda _: make_initial_token(tmp_path / "secrets"), range(8)))
    assert len(tokens) == 1


def test_one_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    make_initial_token(tmp_path)
    (tmp_path / INITIAL_FILE).chmod(0o640)
    with pytest.raises(SettingsError, match="chmod 600"):
        make_initial_token(tmp_path)


def test_an_empty_one_is_none(tmp_path: Path) -> None:
    make_initial_token(tmp_path)
    (tmp_path / INITIAL_FILE).write_text("\n")
    with pytest.raises(SettingsError, match="empty"):
        make_initial_token(tmp_path)


def test_the_token_of_earlier_homes_goes_on_under_its_new_name(tmp_path: Path) -> None:
    earlier = tmp_path / "gateway_token"
    earlier.write_text("known-to-somebody\n")
    earlier.chmod(0o600)
    assert make_initial_token(tmp_path) == "known-to-somebody"
    assert not earlier.exists()
    assert TokenStore(tmp_path).verify("known-to-somebody").role is Role.OWN


def test_when_its_file_is_removed_the_next_start_makes_another(tmp_path: Path) -> None:
    first = make_initial_token(tmp_path)
    (tmp_path / INITIAL_FILE).unlink()
    tokens = TokenStore(tmp_path)
    second = make_initial_token(tmp_path)
    assert second != first
    assert tokens.verify(second).id == "initial"
    with pytest.raises(Exception, match="not known"):
        tokens.verify(first)
