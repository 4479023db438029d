"""Fixtures of the REST tests: a server over a real model, whose label ``stable`` is generation 3."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from serving.server.embedded import EmbeddedServer
from tests.serving.rest.http_client import RestClient


@pytest.fixture(scope="module")
def served(served_repository) -> Iterator[EmbeddedServer]:
    """A server that serves generation 3 over gRPC and REST, as newest and as ``stable``."""
    from tensorflow_serving.apis import model_management_pb2

    server = EmbeddedServer(served_repository, poll_interval_s=0.1, max_message_mb=4, rest_port=0)
    server.start()
    assert server.wait_for_generation(30) == 3
    reload = model_management_pb2.ReloadConfigRequest()
    model = reload.config.model_config_list.config.add(name="tidzam")
    model.version_labels["stable"] = 3
    server.requests.reload_config(reload)
    yield server
    assert server.stop()


@pytest.fixture
def rest(served) -> RestClient:
    """Speaks HTTP to ``served``."""
    return RestClient(served.rest_address)
