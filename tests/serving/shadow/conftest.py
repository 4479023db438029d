"""A model server with a stable generation and a canary whose classes differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from serving.export import export_saved_model
from serving.repository import ModelRepository
from serving.server.embedded import EmbeddedServer
from serving.signature import ClassDescription
from tests.support.tiny_model import description, make_model, some_audio
from tests.support.waiting import wait_for

STABLE, CANARY = 3, 4


def export_other_classes(folder: Path) -> None:
    """Generation 4: knows the wren where generation 3 knows the chiffchaff."""
    others = (
        ClassDescription("birds", None, 0.5),
        ClassDescription("birds-wren", "birds", 0.6),
        ClassDescription("rain", None, 0.4),
    )
    described = replace(description(CANARY), classes=others)
    export_saved_model(make_model(CANARY), described, folder, some_audio(4, seed=99))


@pytest.fixture
def labelled_server(publish: Callable[..., None], repository: ModelRepository) -> Iterator[EmbeddedServer]:
    """Serves generation 3 as stable and generation 4 as canary."""
    publish(STABLE)
    with repository.staging() as staged:
        export_other_classes(staged)
        repository.publish(CANARY, staged)
    repository.promote(STABLE, by="test", reason="the first")
    repository.promote(CANARY, by="test", reason="to be tried", label="canary")
    server = EmbeddedServer(repository, poll_interval_s=0.05)
    server.start()
    assert server.wait_for_generation(30)
    yield server
    assert server.stop()


@pytest.fixture
def both_answer(labelled_server: EmbeddedServer) -> str:
    """Its address, once both labels answer."""
    from serving.client import ModelClient

    with ModelClient(labelled_server.address) as client:
        wait_for(
            lambda: list(client.status().values()).count("AVAILABLE") == 2, "both generations to be loaded"
        )
    return labelled_server.address
