"""The home asks its store at the start: what is wrong there is told at once, with how to mend it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.in_process import run_here
from tests.support.s3_servers import S3Server
from tidzam_platform.errors import StoreRefusedError
from tidzam_platform.home import Home
from tidzam_platform.settings import Settings, load_settings
from tidzam_platform.store import S3Store


def test_a_home_keeps_its_objects_where_the_setting_says(
    swift: S3Server, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in swift.variables().items():
        monkeypatch.setenv(name, value)
    opened = Home.open(load_settings())
    assert isinstance(opened.store, S3Store)
    opened.store.put_bytes("a/b", b"1")
    again = Home.open(load_settings())
    assert again.store.get_bytes("a/b") == b"1"
    with again.store.as_file("a/b") as path:
        assert path.is_relative_to(home.home / "cache" / "store")
    assert not home.store_folder.exists()
    for one in (opened, again):
        one.catalog.close()


def test_a_wrong_secret_is_a_clear_error_at_the_start(
    swift: S3Server, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {**swift.variables(), "AWS_SECRET_ACCESS_KEY": "not-the-secret"}
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StoreRefusedError, match="SignatureDoesNotMatch"):
        Home.open(load_settings())
    refused = run_here(["dataset", "list"], home.home, env=wrong)
    assert refused.returncode == 2
    assert "the access key or its secret is wrong" in refused.stderr
    assert "AWS_SECRET_ACCESS_KEY" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert "not-the-secret" not in refused.stdout + refused.stderr


def test_check_tells_of_the_store(swift: S3Server, tmp_path: Path) -> None:
    right = swift.variables()
    checked = run_here(["check", "--json"], tmp_path / "home", env=right)
    store = _store_of(checked.stdout)
    assert store["ok"]
    assert right["TIDZAM_STORE"] in store["found"]
    assert swift.url in store["found"]
    wrong = {**right, "AWS_SECRET_ACCESS_KEY": "not-the-secret"}
    checked = run_here(["check", "--json"], tmp_path / "home", env=wrong)
    assert checked.returncode == 1
    store = _store_of(checked.stdout)
    assert (store["ok"], store["needed"]) == (False, True)
    assert "secret is wrong" in store["remedy"]
    assert "not-the-secret" not in checked.stdout


def _store_of(output: str) -> dict[str, object]:
    findings = json.loads(output.splitlines()[-1])["findings"]
    (store,) = [finding for finding in findings if finding["name"] == "store"]
    found: dict[str, object] = store
    return found
