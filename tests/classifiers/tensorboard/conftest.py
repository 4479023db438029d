"""One small training with its log, shared by all tests of this folder."""

from __future__ import annotations

import pytest

from tests.classifiers.tensorboard.log_here import Logged, quick_settings, train_and_log


@pytest.fixture(scope="session")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Logged:
    """Trained in one go; not to be changed."""
    return train_and_log(quick_settings(tmp_path_factory.mktemp("logged")))
