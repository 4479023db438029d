"""Packages that TensorFlow and Keras take along where they are installed stay out, and can be had afterwards."""

from __future__ import annotations

import importlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tidzam_platform.classifiers.optional_packages import without_packages

_LOADS = """
import sys
from tidzam_platform.classifiers.backend import load_keras
load_keras()
found = {"jax", "matplotlib", "sklearn"} & set(sys.modules)
assert not found, found
import matplotlib.pyplot, sklearn.ensemble
import keras
import tensorflow as tf
for number in range(8):  # as many models in one process
    model = keras.Sequential([keras.layers.Dense(1)])
    model.predict(tf.zeros((1, 2)), verbose=0)
tf.get_logger().warning("this is for users")
"""


def test_a_process_that_serves_does_not_load_what_it_does_not_use() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _LOADS], capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert "retracing" not in ended.stderr
    assert "this is for users" in ended.stderr


def test_only_this_thread_and_only_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("kept_out", "left_in"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
        (tmp_path / name / "part.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    before = list(sys.meta_path)
    with without_packages("kept_out"), ThreadPoolExecutor(1) as another:
        for name in ("kept_out", "kept_out.part"):
            with pytest.raises(ModuleNotFoundError, match="kept_out"):
                importlib.import_module(name)
        importlib.import_module("left_in.part")
        another.submit(importlib.import_module, "kept_out.part").result(10)
    assert sys.meta_path == before
    importlib.import_module("kept_out.part")


def test_it_ends_with_an_error_too() -> None:
    before = list(sys.meta_path)
    with pytest.raises(ZeroDivisionError), without_packages("anything"):
        _ = 1 / 0
    assert sys.meta_path == before
