"""Where objects are: a setting that is refused where it makes no sense, and that never repeats a secret."""

from __future__ import annotations

import pytest

from tidzam_platform.errors import SettingsError
from tidzam_platform.settings import Settings, config_file, load_settings
from tidzam_platform.store import S3Location


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("s3://tidzam", S3Location("tidzam")),
        ("s3://tidzam/", S3Location("tidzam")),
        ("s3://my.bucket-1/site/marsh", S3Location("my.bucket-1", "site/marsh")),
        ("s3://my.bucket-1/site/", S3Location("my.bucket-1", "site")),
    ],
)
def test_bucket_and_prefix_are_read(text: str, location: S3Location) -> None:
    assert S3Location.parse(text) == location
    assert S3Location.parse(str(location)) == location


@pytest.mark.parametrize(
    "text",
    [
        "tidzam", "/data/store", "http://tidzam/x", "s3:/tidzam", "s3://", "s3:///x", "s3://T", "s3://Tidzam",
        "s3://ab", "s3://a_b_c", "s3://-abc", "s3://tidzam//x", "s3://tidzam/../x", "s3://tidzam/.x",
        "s3://tidzam/a b", "s3://key:hush@tidzam/x", "s3://tidzam/x?y=1", "s3://" + "a" * 64,
    ],
)  # fmt: skip
def test_what_names_no_place_is_refused_and_not_repeated(text: str, home: Settings) -> None:
    config_file().write_text(f"store = {text!r}")
    with pytest.raises(SettingsError, match="s3://bucket/prefix") as caught:
        load_settings()
    assert "  store: " in str(caught.value)
    assert "hush" not in str(caught.value)


def test_an_empty_variable_counts_as_not_set(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    config_file().write_text("store = 's3://tidzam'")
    assert load_settings().store == "s3://tidzam"
    monkeypatch.setenv("TIDZAM_STORE", "")
    assert load_settings().store == "s3://tidzam"
    monkeypatch.setenv("TIDZAM_STORE", "s3://other/x/")
    assert load_settings().store == "s3://other/x"


@pytest.mark.parametrize(
    "url", ["ftp://x", "s3.example.org", "https://key:hush@s3.example.org", "http://a b"]
)
def test_an_endpoint_that_is_no_plain_url_is_refused(url: str, home: Settings) -> None:
    with pytest.raises(SettingsError, match=r"s3\.endpoint_url") as caught:
        load_settings(s3={"endpoint_url": url})
    assert "hush" not in str(caught.value)
