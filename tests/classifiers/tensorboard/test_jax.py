"""The same log is written where Keras runs on JAX."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.classifiers.tensorboard.log_here import Logged, quick_settings
from tests.classifiers.tensorboard.reading import events_of, scalars, tags_of
from tests.support.on_jax import run_on_jax


@pytest.mark.long
def test_jax_writes_what_tensorflow_writes(logged: Logged, tmp_path: Path) -> None:
    said = run_on_jax("tests.classifiers.tensorboard.log_here", tmp_path)
    assert "is not complete" not in said
    folder = quick_settings(tmp_path).tensorboard_folder / logged.folder.name
    here, there = events_of(logged.folder / "result"), events_of(folder / "result")
    for plugin in ("scalars", "histograms", "images"):
        assert tags_of(there, plugin) == tags_of(here, plugin)
    assert [node.op for node in there.Graph().node] == [node.op for node in here.Graph().node]
    chosen = scalars(folder / "chosen")
    assert {tag: [step for step, _ in points] for tag, points in chosen.items()} == {
        tag: [1] for tag in scalars(logged.folder / "chosen")
    }
    assert all(value > 0 for _, value in chosen["loss/train"])
