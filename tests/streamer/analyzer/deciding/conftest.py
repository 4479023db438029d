"""Real model servers, as the tests of serving start them."""

from tests.serving.conftest import exported, model_server

__all__ = ["exported", "model_server"]
