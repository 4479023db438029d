"""Fixtures of the client's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.serving.client.scripted_server import ScriptedServer


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    """A server of version 3, without labels, that does what the test tells it to."""
    with ScriptedServer({3}) as server:
        yield server


@pytest.fixture
def labelled() -> Iterator[ScriptedServer]:
    """A server of versions 3 (stable) and 4 (canary), that does what the test tells it to."""
    with ScriptedServer({3, 4}, {"stable": 3, "canary": 4}) as server:
        yield server
