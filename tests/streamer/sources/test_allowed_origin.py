"""What may never be heard is refused before it is added; what may be heard later is not."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from streamer.engine.sources.allowed_origin import require_allowed
from streamer.engine.sources.specification import SourceSpecification
from tidzam_platform.errors import RefusedAddressError, SourceError
from tidzam_platform.settings import Settings


def source(**said: object) -> SourceSpecification:
    return SourceSpecification.parse({"name": "pond", **said})


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/", "http://2852039166/x", "http://[::1]:8000/", "rtsp://10.0.0.1/", "http://localhost/"]
)  # fmt: skip
def test_an_address_that_may_not_be_fetched(home: Settings, url: str) -> None:
    with pytest.raises(RefusedAddressError, match="sources"):
        require_allowed(source(url=url), home)


def test_what_the_settings_allow(home: Settings) -> None:
    sources = home.sources.model_copy(update={"allowed_hosts": ("10.0.0.1",)})
    require_allowed(source(url="http://10.0.0.1/"), home.model_copy(update={"sources": sources}))


def test_a_name_is_refused_only_for_what_it_leads_to(home: Settings) -> None:
    ended = threading.Event()

    def never(_host: str) -> Sequence[str]:
        ended.wait(30)
        return ["127.0.0.1"]

    def unknown(_host: str) -> Sequence[str]:
        raise OSError("not known")

    asked = source(url="http://pond.example/")
    try:
        require_allowed(asked, home, resolver=lambda _host: ["8.8.8.8"])
        require_allowed(asked, home, resolver=unknown)
        require_allowed(asked, home, resolver=never, look_up_s=0.05)
    finally:
        ended.set()
    with pytest.raises(RefusedAddressError):
        require_allowed(asked, home, resolver=lambda _host: ["127.0.0.1"])


def test_files(home: Settings, tmp_path: Path) -> None:
    with pytest.raises(RefusedAddressError, match="file_folders"):
        require_allowed(source(path="/etc/passwd", is_permanent=True), home)
    missing = str(home.archive_folder / "missing.opus")
    with pytest.raises(SourceError, match="no such file"):
        require_allowed(source(path=missing), home)
    require_allowed(source(path=missing, is_permanent=True), home)  # its disk may come later
    assert tmp_path.exists()
