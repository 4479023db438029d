"""The HTTP gateway: detections in uploads, generations and their promotion, and JibJib's API (docs/gateway.md)."""

from serving.gateway.app import create_gateway_app, make_gateway
from serving.gateway.process import serve_http

__all__ = ["create_gateway_app", "make_gateway", "serve_http"]
