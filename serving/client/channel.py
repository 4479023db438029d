"""The gRPC channel to a model server, and why its options are as they are."""

from __future__ import annotations

from typing import Any, Final

import grpc

_RECONNECT_MS: Final = (100, 2000)  # first and longest wait; gRPC's own would be 1 s and 2 minutes
# A machine that went away without a word: what was sent must be acknowledged by its kernel within the timeout
# (TCP_USER_TIMEOUT, gRPC proposal A18; it comes with keepalive). Servers that know nothing of us take a ping each
# 5 minutes at most (GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS), so we do not send them more often.
_KEEPALIVE_MS: Final = 300_000
_ACKNOWLEDGED_WITHIN_MS: Final = 20_000


def open_channel(address: str, max_message_bytes: int) -> Any:
    """A ``grpc.Channel`` to ``host:port``; connects with its first request."""
    first_ms, longest_ms = _RECONNECT_MS
    return grpc.insecure_channel(
        address,
        options=[
            ("grpc.max_receive_message_length", max_message_bytes),
            ("grpc.max_send_message_length", max_message_bytes),
            ("grpc.enable_http_proxy", 0),
            ("grpc.use_local_subchannel_pool", 1),  # a new client does not inherit an old one's back-off
            ("grpc.initial_reconnect_backoff_ms", first_ms),
            ("grpc.min_reconnect_backoff_ms", longest_ms),
            ("grpc.max_reconnect_backoff_ms", longest_ms),
            ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
            ("grpc.keepalive_timeout_ms", _ACKNOWLEDGED_WITHIN_MS),
        ],
    )
