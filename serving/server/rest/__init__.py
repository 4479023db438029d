"""TensorFlow Serving's REST API over ``serving.server.requests.Requests``; what differs stands in docs/rest.md."""

from serving.server.rest.app import make_rest_app
from serving.server.rest.server import RestServer

__all__ = ["RestServer", "make_rest_app"]
