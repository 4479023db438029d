"""What a command says when the process that it asks does not answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.cli.asking import ask_engine
from tests.operations.supervision.conftest import make_site
from tidzam_platform.errors import EngineUnavailableError


def test_an_engine_that_supervisor_brings_up_is_said_to_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site(tmp_path / "home")
    monkeypatch.setenv("TIDZAM_HOME", str(site.settings.home))
    site.actor("engine", "--idle", ready_s=0.5)
    try:
        site.supervision.start()
        with pytest.raises(EngineUnavailableError, match="it is being started again") as caught:
            ask_engine("status")
        assert "tidzam start" not in str(caught.value)
    finally:
        site.supervision.stop()
    with pytest.raises(EngineUnavailableError, match=r"\./tidzam start engine"):
        ask_engine("status")
